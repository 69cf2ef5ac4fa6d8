//! `daemonproof check`.

use super::args::{CheckArgs, DriveArgs, SubjectArgs};
use super::exit::{Failure, Status};
use super::explain::{explain_text, list_text};
use super::guard;
use super::output::{Outputs, complain, look, print};
use super::program::{anchored, obstacle};
use super::progress::Bar;
use super::select::{named, select};
use crate::check::{self, Check, Driving, Profile, judge};
use crate::fixture::{CommandLine, FixtureError};
use crate::report::quoted;
use crate::report::{self, Judged, Row, Verdict, judged_html, judged_json, judged_text};
use std::process::ExitCode;
use std::time::Instant;

pub(super) fn run(args: &CheckArgs) -> Result<ExitCode, Failure> {
    if let Some(word) = &args.explain {
        print(&explain_text(&named(word)?, look(false)))?;
        return Ok(Status::Holds.into());
    }
    let checks = select(&args.select.only, &args.select.skip)?;
    if args.list {
        print(&list_text(&checks, look(false)))?;
        return Ok(Status::Holds.into());
    }
    let plan = Plan::new(&args.drive)?;
    match guard::is_guarded() {
        true => judge_and_report(plan, &checks, Outputs::open(&args.output)?).map(ExitCode::from),
        false => guard::run(),
    }
}

fn judge_and_report(plan: Plan, checks: &[&'static Check], outputs: Outputs) -> Result<Status, Failure> {
    let started = Instant::now();
    let outcome = match plan.obstacle {
        Some(obstacle) => Err(obstacle),
        None => {
            let bar = Bar::new(checks.len(), outputs.wants_text());
            let outcome = judge(&plan.driving, checks, |progress| bar.update(progress));
            outcome.map_err(|error| error.to_string())
        }
    };
    let mut judged = Judged {
        command: plan.command,
        modes: plan.modes,
        verdict: Verdict::Inconclusive,
        obstacle: None,
        rows: Vec::new(),
        elapsed: started.elapsed(),
    };
    match outcome {
        Ok(found) => {
            judged.verdict = verdict(found.verdict());
            judged.rows = found.findings.iter().map(row).collect();
        }
        Err(obstacle) => {
            complain(&Failure::Inconclusive(obstacle.clone()));
            judged.obstacle = Some(obstacle);
        }
    }
    let text = |look| match judged.obstacle {
        // It has just been told.
        Some(_) => String::new(),
        None => judged_text(&judged, look),
    };
    outputs.write(text, || judged_json(&judged), || judged_html(&judged))?;
    Ok(judged.verdict.into())
}

fn row(finding: &check::Finding) -> Row {
    Row {
        id: finding.check.id.to_owned(),
        promise: finding.check.promise.to_owned(),
        outcome: match finding.outcome {
            check::Outcome::Pass => report::Outcome::Kept,
            check::Outcome::Fail(_) => report::Outcome::Broken,
            check::Outcome::Skip(_) => report::Outcome::Skipped,
            check::Outcome::Unknown(_) => report::Outcome::NotJudged,
        },
        detail: finding.outcome.detail().to_owned(),
        elapsed: finding.elapsed,
    }
}

fn verdict(verdict: check::Verdict) -> Verdict {
    match verdict {
        check::Verdict::Holds => Verdict::Holds,
        check::Verdict::Violated => Verdict::Violated,
        check::Verdict::Inconclusive => Verdict::Inconclusive,
    }
}

/// What will be judged.
#[derive(Debug)]
struct Plan {
    driving: Driving,
    /// The command, to be shown.
    command: String,
    modes: Vec<(&'static str, String)>,
    /// Why it cannot be.
    obstacle: Option<String>,
}

/// The profile that is asked for, or the built-in daemon's if nothing is, with the arguments given.
fn profile(args: &SubjectArgs) -> Result<Option<Profile>, Failure> {
    let profile = match &args.profile {
        Some(name) => Profile::find(name),
        None if args.command.is_empty() => Profile::named("reference"),
        None => return Ok(None),
    };
    profile.map(Some).map_err(|error| Failure::Usage(error.to_string()))
}

/// The command that is given, with the variables that are.
fn given(args: &SubjectArgs) -> Option<CommandLine> {
    let (program, rest) = args.command.split_first()?;
    let command = CommandLine::new(anchored(program)).args(rest);
    Some(args.env.iter().fold(command, |command, (name, value)| command.env(name, value)))
}

impl Plan {
    fn new(args: &DriveArgs) -> Result<Self, Failure> {
        let (given, mut profile) = (given(&args.subject), profile(&args.subject)?);
        let mut from_profile = None;
        if let Some(profile) = &mut profile {
            profile.env.extend(args.subject.env.iter().cloned());
            from_profile = command_of(profile);
        }
        let shown = given
            .clone()
            .or(from_profile)
            .ok_or_else(|| Failure::Usage("the profile names no command; give one after --".to_owned()))?;
        let modes = modes(args, profile.as_ref());
        check_placeholders(&shown, &modes).map_err(|error| Failure::Usage(error.to_string()))?;
        let words = std::iter::once(&shown.program).chain(&shown.args);
        let command = quoted(words.map(|word| word.to_string_lossy()));
        let obstacle = start_obstacle(&shown, given.is_none().then_some(profile.as_ref()).flatten());
        let driving =
            profile.and_then(|profile| profile.driving(given)).unwrap_or_else(|| Driving::new(shown));
        let driving =
            modes.iter().fold(driving, |driving, (name, argument)| switched(driving, name, argument));
        let driving = args.timeout.into_iter().fold(driving, Driving::timeout);
        let driving = if args.real_time { driving.real_time() } else { driving };
        let driving = if args.deep { driving.deep() } else { driving };
        Ok(Self { driving, command, modes, obstacle })
    }
}

/// Which argument switches on what: those given, before the profile's.
fn modes(args: &DriveArgs, profile: Option<&Profile>) -> Vec<(&'static str, String)> {
    let of =
        |argument: fn(&Profile) -> &Option<String>| profile.and_then(|profile| argument(profile).clone());
    let modes = [
        ("detach", args.detach.clone().or_else(|| of(|profile| &profile.detach))),
        ("foreground", args.foreground.clone().or_else(|| of(|profile| &profile.foreground))),
        ("monitor", args.monitor.clone().or_else(|| of(|profile| &profile.monitor))),
        ("overwrite", args.overwrite.clone().or_else(|| of(|profile| &profile.overwrite))),
        ("no-chdir", args.no_chdir.clone().or_else(|| of(|profile| &profile.no_chdir))),
    ];
    modes.into_iter().filter_map(|(name, argument)| Some((name, argument?))).collect()
}

fn switched(driving: Driving, name: &str, argument: &str) -> Driving {
    match name {
        "detach" => driving.detach(argument),
        "foreground" => driving.foreground(argument),
        "monitor" => driving.monitor(argument),
        "overwrite" => driving.overwrite(argument),
        "no-chdir" => driving.no_chdir(argument),
        _ => driving,
    }
}

fn check_placeholders(command: &CommandLine, modes: &[(&'static str, String)]) -> Result<(), FixtureError> {
    command.clone().args(modes.iter().map(|(_, argument)| argument)).check()
}

/// The command of the profile, as it is written there.
pub(super) fn command_of(profile: &Profile) -> Option<CommandLine> {
    let (program, args) = profile.command.split_first()?;
    let command = CommandLine::new(program).args(args);
    Some(profile.env.iter().fold(command, |command, (name, value)| command.env(name, value)))
}

/// `owner` is the profile if it is its own program.
fn start_obstacle(command: &CommandLine, owner: Option<&Profile>) -> Option<String> {
    let is_this = owner.is_some() && command.program == "daemonproof";
    // Where it will be looked up is not where it would be now.
    let has_other_path = command.env.iter().any(|(name, _)| name == "PATH");
    match is_this || has_other_path {
        true => None,
        false => obstacle(&command.program, owner.and_then(|profile| profile.package.as_deref())),
    }
}
