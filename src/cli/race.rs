//! `daemonproof race`.

use super::exit::{Failure, Status};
use super::guard;
use super::interrupt::Interrupt;
use super::output::{Outputs, complain};
use super::program::{anchored, obstacle};
use super::race_args::{ContendArgs, RaceArgs, SearchArgs};
use super::race_progress::Meter;
use crate::check::Profile;
use crate::explore::drawing::{race, search};
use crate::explore::request::{Progress, RaceOutcome, RaceRequest, Report, StrategyKind};
use crate::explore::schedule::Setup;
use crate::fixture::{CommandLine, Placeholder};
use crate::report::{race_html, race_json, race_text};
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The pidfile for which the instances contend, in the rundir.
const PIDFILE: &str = "d.pid";

/// A search by chance has no end of its own.
const EXECUTIONS_BY_CHANCE: u64 = 1000;

/// Searches, in a child that this process outlives.
pub(super) fn run(args: &RaceArgs) -> Result<ExitCode, Failure> {
    let (request, obstacle) = plan(args)?;
    if !guard::is_guarded() {
        return guard::run();
    }
    let outputs = Outputs::open(&args.output)?;
    search_and_report(&request, obstacle, outputs, |request, report| crate::explore::explore(request, report))
        .map(ExitCode::from)
}

/// What is asked for, and why it cannot be had, as far as that can be told before trying.
pub(super) fn plan(args: &RaceArgs) -> Result<(RaceRequest, Option<String>), Failure> {
    let (setup, package) = setup(&args.contend)?;
    let obstacle = obstacle(OsStr::new(&setup.command[0]), package.as_deref());
    Ok((request(setup, &args.search)?, obstacle))
}

/// Searches with `explore`, and reports.
pub(super) fn search_and_report<E: Display>(
    request: &RaceRequest,
    obstacle: Option<String>,
    outputs: Outputs,
    explore: impl FnOnce(&RaceRequest, &mut Report<'_>) -> Result<RaceOutcome, E>,
) -> Result<Status, Failure> {
    let started = Instant::now();
    let outcome = match obstacle {
        Some(obstacle) => Err(obstacle),
        None => searched(request, &outputs, explore),
    };
    let outcome = outcome.unwrap_or_else(|obstacle| {
        complain(&Failure::Inconclusive(obstacle.clone()));
        nothing(obstacle, started.elapsed())
    });
    let race = race(request, &outcome);
    let search = search(&outcome);
    let text = |look| match outcome.executions {
        // Why has just been told.
        0 => String::new(),
        _ => race_text(&race, false, look),
    };
    outputs.write(text, || race_json(&race, &search), || race_html(&race))?;
    Ok(search.verdict.into())
}

fn searched<E: Display>(
    request: &RaceRequest,
    outputs: &Outputs,
    explore: impl FnOnce(&RaceRequest, &mut Report<'_>) -> Result<RaceOutcome, E>,
) -> Result<RaceOutcome, String> {
    let interrupt = Interrupt::watch().map_err(|errno| format!("failed to watch for signals: {errno}"))?;
    let meter = Meter::new(outputs.wants_text(), request.max_executions);
    let mut report = |progress: Progress| {
        meter.update(&progress);
        interrupt.flow()
    };
    explore(request, &mut report).map_err(|error| error.to_string())
}

fn nothing(obstacle: String, elapsed: Duration) -> RaceOutcome {
    RaceOutcome {
        exhausted: false,
        stopped: Some(obstacle),
        executions: 0,
        pruned: 0,
        operations: 0,
        outcomes: 0,
        elapsed,
        violations: Vec::new(),
    }
}

/// The setup, and the package that its program comes from.
pub(super) fn setup(args: &ContendArgs) -> Result<(Setup, Option<String>), Failure> {
    let profile = args.subject.profile.as_deref().map(Profile::find).transpose();
    let profile = profile.map_err(|error| Failure::Usage(error.to_string()))?;
    let (command, is_given) = match args.subject.command.split_first() {
        Some((program, rest)) => (std::iter::once(&anchored(program)).chain(rest).cloned().collect(), true),
        None => (own_command(profile.as_ref())?, false),
    };
    let of_profile = profile.iter().flat_map(|profile| profile.env.clone());
    let mut setup = Setup {
        command: texts(command)?,
        arg0: None,
        pidfile: PIDFILE.to_owned(),
        scenario: args.scenario,
        contenders: args.contenders.into(),
        env: of_profile.chain(args.subject.env.iter().cloned()).collect(),
        detach: args.detach.clone(),
        monitor: args.monitor.clone(),
        overwrite: args.overwrite.clone(),
        timeout_ms: u64::try_from(args.timeout.as_millis()).unwrap_or(u64::MAX).max(1),
    };
    if let Some(profile) = &profile
        && setup.detach.is_none()
    {
        stay_in_foreground(&mut setup, profile);
    }
    check_placeholders(&setup)?;
    Ok((setup, profile.filter(|_| !is_given).and_then(|profile| profile.package)))
}

/// The profile's; its program `daemonproof` is this executable.
fn own_command(profile: Option<&Profile>) -> Result<Vec<OsString>, Failure> {
    let Some(profile) = profile else {
        return Err(Failure::Usage("no command to race; give one after --, or --profile".to_owned()));
    };
    let Some((program, rest)) = profile.command.split_first() else {
        return Err(Failure::Usage("the profile names no command; give one after --".to_owned()));
    };
    let this = std::env::current_exe().ok().filter(|_| program == "daemonproof");
    let program = this.map_or_else(|| program.into(), Into::into);
    Ok(std::iter::once(program).chain(rest.iter().map(Into::into)).collect())
}

/// One that detaches by itself and cannot be kept from it is raced so.
fn stay_in_foreground(setup: &mut Setup, profile: &Profile) {
    match &profile.foreground {
        Some(argument) => {
            setup.command.extend(Some(argument).filter(|argument| !argument.is_empty()).cloned())
        }
        None => setup.detach = profile.detach.clone().filter(String::is_empty),
    }
}

/// A schedule is saved as JSON.
fn texts(command: Vec<OsString>) -> Result<Vec<String>, Failure> {
    let text = |word: OsString| {
        word.into_string().map_err(|word| {
            Failure::Usage(format!("{} is not UTF-8, and could not be saved", word.display()))
        })
    };
    command.into_iter().map(text).collect()
}

fn check_placeholders(setup: &Setup) -> Result<(), Failure> {
    let arguments = setup.switches().map(|(_, argument)| argument);
    let line = CommandLine::new(&setup.command[0]).args(setup.command[1..].iter().chain(arguments));
    let line = setup.env.iter().fold(line, |line, (name, value)| line.env(name, value));
    line.check().map_err(|error| Failure::Usage(error.to_string()))?;
    match line.uses(Placeholder::Pidfile) {
        true => Ok(()),
        false => {
            let missing = "the command names no {pidfile}, for which its instances would contend";
            Err(Failure::Usage(missing.to_owned()))
        }
    }
}

fn request(setup: Setup, args: &SearchArgs) -> Result<RaceRequest, Failure> {
    let by_chance = args.strategy != StrategyKind::Exhaustive;
    if args.seed.is_some() && !by_chance {
        let useless =
            "--seed is for --strategy pct and random; an exhaustive search leaves nothing to chance";
        return Err(Failure::Usage(useless.to_owned()));
    }
    let limit = args.max_executions.map(Into::into);
    let needs_limit = by_chance && args.max_time.is_none();
    let processors = || std::thread::available_parallelism().map_or(1, Into::into);
    Ok(RaceRequest {
        setup,
        strategy: args.strategy,
        seed: args.seed.unwrap_or(1),
        max_executions: limit.or(needs_limit.then_some(EXECUTIONS_BY_CHANCE)),
        max_time: args.max_time,
        jobs: args.jobs.map_or_else(processors, Into::into),
        shard: args.shard,
        stop_on_first: args.stop_on_first,
        only: Vec::new(),
        save: Some(args.save.clone()),
    })
}

#[cfg(test)]
mod tests {
    use super::super::args::OutputArgs;
    use super::*;
    use crate::explore::request::Violation;
    use crate::explore::schedule::{ScenarioKind, Schedule};
    use clap::{CommandFactory, Parser};
    use rstest::rstest;
    use serde_json::{Value, json};
    use std::ops::ControlFlow;
    use std::path::Path;

    /// The command line with nothing but this command.
    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: RaceArgs,
    }

    fn planned(args: &[&str]) -> Result<RaceRequest, String> {
        let line = Line::try_parse_from([&["race"], args].concat()).map_err(|error| error.to_string())?;
        plan(&line.args).map(|(request, _)| request).map_err(|failure| {
            assert_eq!(failure.status(), Status::Usage);
            failure.to_string()
        })
    }

    const COMMAND: [&str; 3] = ["--", "sh", "{pidfile}"];

    #[test]
    fn the_definition_is_consistent() {
        Line::command().debug_assert();
    }

    #[test]
    fn little_is_needed() {
        let request = planned(&COMMAND).unwrap();
        assert_eq!(request.setup.command, ["sh", "{pidfile}"]);
        assert_eq!((request.setup.scenario, request.setup.contenders), (ScenarioKind::Start, 2));
        assert_eq!((&*request.setup.pidfile, request.setup.timeout_ms), ("d.pid", 2_000));
        assert_eq!((request.strategy, request.max_executions), (StrategyKind::Exhaustive, None));
        assert_eq!(request.save.as_deref(), Some(Path::new("violations")));
        assert!(request.jobs > 0);
    }

    #[test]
    fn everything_can_be_said() {
        let args = "--scenario=crash --contenders=8 --detach=--daemon --monitor= --overwrite=-f --timeout=1s \
            --strategy=pct --max-time=5m --seed=7 --jobs=3 --shard=2/4 --stop-on-first --save=x --env=A={n}";
        let request =
            planned(&[&args.split_whitespace().collect::<Vec<_>>()[..], &COMMAND].concat()).unwrap();
        let expected = Setup {
            arg0: None,
            command: vec!["sh".into(), "{pidfile}".into()],
            pidfile: "d.pid".into(),
            scenario: ScenarioKind::Crash,
            contenders: 8,
            env: vec![("A".into(), "{n}".into())],
            detach: Some("--daemon".into()),
            monitor: Some(String::new()),
            overwrite: Some("-f".into()),
            timeout_ms: 1000,
        };
        assert_eq!(request.setup, expected);
        assert_eq!((request.seed, request.jobs, request.stop_on_first), (7, 3, true));
        assert_eq!(request.max_executions, None, "there is another limit");
        assert_eq!(request.max_time, Some(Duration::from_secs(300)));
        assert_eq!(request.shard.map(|shard| (shard.index(), shard.count())), Some((2, 4)));
    }

    #[test]
    fn a_profile_is_raced_in_the_foreground() {
        let request = planned(&["--profile=ovsdb-server"]).unwrap();
        assert_eq!((&*request.setup.command[0], request.setup.detach), ("ovsdb-server", None));
        assert!(request.setup.env.contains(&("OVS_RUNDIR".into(), "{rundir}".into())));
        let request = planned(&["--profile=reference", "--detach=--detach"]).unwrap();
        assert!(request.setup.command[0].starts_with('/'), "{:?}", request.setup.command);
        assert_eq!(request.setup.detach.as_deref(), Some("--detach"));
        let directory = tempfile::tempdir().unwrap();
        let of = |more: &str| {
            let path = directory.path().join("p.toml");
            let text = format!(
                "name = \"x\"\nsummary = \"y\"\ncommand = [\"sh\", \"{{pidfile}}\"]\ndetach = \"\"\n{more}"
            );
            std::fs::write(&path, text).unwrap();
            planned(&["--profile", path.to_str().unwrap()]).unwrap().setup
        };
        assert_eq!(of("").detach.as_deref(), Some(""), "it cannot be kept from it");
        let kept = of("foreground = \"-f\"");
        assert_eq!((kept.command.last().map(String::as_str), kept.detach), (Some("-f"), None));
    }

    #[rstest]
    #[case::nothing(&[], "no command to race; give one after --, or --profile")]
    #[case::no_dashes(&["sh"], "unexpected argument 'sh'")]
    #[case::no_pidfile(&["--", "sh"], "the command names no {pidfile}")]
    #[case::placeholder(&["--", "sh", "{pid}"], "unknown placeholder {pid}")]
    #[case::placeholder_in_env(&["--env=A={x}", "--", "sh", "{pidfile}"], "unknown placeholder {x}")]
    #[case::placeholder_in_mode(&["--detach={x}", "--", "sh", "{pidfile}"], "unknown placeholder {x}")]
    #[case::scenario(&["--scenario=juggle"], "[possible values: start, stale, handover, crash]")]
    #[case::strategy(&["--strategy=best"], "[possible values: exhaustive, pct, random]")]
    #[case::none(&["--contenders=0"], "0 is not in 1..=8")]
    #[case::too_many(&["--contenders=9"], "9 is not in 1..=8")]
    #[case::no_executions(&["--max-executions=0"], "invalid value '0'")]
    #[case::no_jobs(&["--jobs=0"], "invalid value '0'")]
    #[case::time(&["--max-time=soon"], "for instance 500ms")]
    #[case::shard(&["--shard=5/4"], "expected I/N with I from 1 to N")]
    #[case::seed(&["--seed=1", "--", "sh", "{pidfile}"], "leaves nothing to chance")]
    #[case::profile(&["--profile=nope"], "no profile \"nope\"")]
    fn a_mistake_is_named(#[case] args: &[&str], #[case] message: &str) {
        let error = planned(args).unwrap_err();
        assert!(error.contains(message), "{error}");
    }

    #[test]
    fn a_command_that_could_not_be_saved_is_refused() {
        use std::os::unix::ffi::OsStringExt;
        let odd = OsString::from_vec(vec![0xff]);
        let error = texts(vec!["sh".into(), odd]).unwrap_err();
        assert!(error.to_string().contains("is not UTF-8"), "{error}");
    }

    fn outcome(violations: Vec<Violation>, exhausted: bool) -> RaceOutcome {
        let elapsed = Duration::from_millis(412);
        let stopped = (!exhausted).then(|| "interrupted".to_owned());
        RaceOutcome {
            exhausted,
            stopped,
            executions: 199,
            outcomes: 23,
            violations,
            ..nothing(String::new(), elapsed)
        }
    }

    fn violated() -> Vec<Violation> {
        let text = include_str!("../../tests/cli/schedules/handover-3.json");
        let schedule: Schedule = serde_json::from_str(text).unwrap();
        let file = Some("violations/running-owns-pidfile-1.json".into());
        vec![Violation { executions: 5, first_execution: 42, schedule, file }]
    }

    /// What is written to `--json`, and the exit status.
    fn reported(outcome: Result<RaceOutcome, &str>, obstacle: Option<&str>) -> (Value, Status) {
        let directory = tempfile::tempdir().unwrap();
        let json = directory.path().join("r.json");
        let args = OutputArgs { json: Some(json.clone()), html: None, quiet: true };
        let request = planned(&COMMAND).unwrap();
        let outputs = Outputs::open(&args).unwrap();
        let explore = |_: &RaceRequest, report: &mut Report<'_>| {
            assert_eq!(report(Progress::default()), ControlFlow::Continue(()));
            outcome
        };
        let status = search_and_report(&request, obstacle.map(str::to_owned), outputs, explore).unwrap();
        (serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap(), status)
    }

    #[test]
    fn what_came_of_it_is_reported() {
        let (json, status) = reported(Ok(outcome(Vec::new(), true)), None);
        assert_eq!((&json["verdict"], status), (&json!("holds"), Status::Holds));
        let (json, status) = reported(Ok(outcome(Vec::new(), false)), None);
        assert_eq!((&json["verdict"], status), (&json!("inconclusive"), Status::Inconclusive));
        assert_eq!(json["reason"], "interrupted");
        let (json, status) = reported(Ok(outcome(violated(), false)), None);
        assert_eq!((&json["verdict"], status), (&json!("violated"), Status::Violated));
        let violation = &json["violations"][0];
        assert_eq!((&violation["first_execution"], &violation["executions"]), (&json!(42), &json!(5)));
        assert_eq!(violation["file"], "violations/running-owns-pidfile-1.json");
        assert_eq!(violation["schedule"].as_array().map(Vec::len), Some(30));
        assert_eq!(violation["processes"][1], json!({"task": "B", "end": "running", "says": ""}));
    }

    #[test]
    fn what_cannot_be_searched_is_inconclusive() {
        for (json, status) in
            [reported(Err("not permitted"), None), reported(Err("x"), Some("not permitted"))]
        {
            assert_eq!((&json["verdict"], status), (&json!("inconclusive"), Status::Inconclusive));
            assert_eq!((&json["reason"], &json["executions"]), (&json!("not permitted"), &json!(0)));
        }
    }

    #[test]
    fn a_violation_as_it_is_printed() {
        let request = planned(&COMMAND).unwrap();
        let race = race(&request, &outcome(violated(), true));
        let look = crate::report::Look { width: 108, utf8: true };
        insta::assert_snapshot!(anstream::adapter::strip_str(&race_text(&race, false, look)).to_string());
    }
}
