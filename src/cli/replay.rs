//! `daemonproof replay`.

use super::args::DrawnArgs;
use super::exit::{Failure, Status};
use super::guard;
use super::output::{Outputs, complain};
use crate::explore::ExploreError;
use crate::explore::drawing::{command, drawing, facts};
use crate::explore::request::{ReplayOutcome, ReplayRequest};
use crate::explore::schedule::{Broken, Schedule};
use crate::fixture::Sandbox;
use crate::report::race::{Race, Search};
use crate::report::{Verdict, race_html, race_json, race_text};
use std::fmt::Display;
use std::process::ExitCode;

/// Runs it, in a child that this process outlives.
pub(super) fn run(args: &DrawnArgs) -> Result<ExitCode, Failure> {
    let request = plan(args)?;
    if !guard::is_guarded() {
        return guard::run();
    }
    let outputs = Outputs::open(&args.output)?;
    let replay = |request: &ReplayRequest| Sandbox::new()?.replay(&request.schedule);
    replay_and_report::<ExploreError>(args, &request, outputs, replay).map(ExitCode::from)
}

/// What is asked for.
pub(super) fn plan(args: &DrawnArgs) -> Result<ReplayRequest, Failure> {
    let schedule = Schedule::read(&args.file).map_err(|error| Failure::Usage(error.to_string()))?;
    Ok(ReplayRequest { schedule })
}

/// Runs it with `replay`, and reports.
pub(super) fn replay_and_report<E: Display>(
    args: &DrawnArgs,
    request: &ReplayRequest,
    outputs: Outputs,
    replay: impl FnOnce(&ReplayRequest) -> Result<ReplayOutcome, E>,
) -> Result<Status, Failure> {
    let outcome = replay(request).map_err(|error| Failure::Inconclusive(error.to_string()))?;
    let verdict = verdict(&outcome);
    let said = conclusion(request.schedule.broken.as_ref(), &outcome);
    let setup = &outcome.schedule.setup;
    let mut race = Race {
        command: command(setup),
        facts: facts(setup),
        search: None,
        drawings: vec![drawing(&outcome.schedule, Some(&args.file))],
    };
    race.facts.push(("replay", said.clone()));
    if outcome.diverged.is_some() {
        complain(&Failure::Inconclusive(said));
    }
    let search = search(&outcome, verdict);
    outputs.write(
        |look| race_text(&race, args.all, look),
        || race_json(&race, &search),
        || race_html(&race),
    )?;
    Ok(verdict.into())
}

/// What another course came to says nothing about the schedule.
fn verdict(outcome: &ReplayOutcome) -> Verdict {
    match (&outcome.diverged, &outcome.schedule.broken) {
        (Some(_), _) => Verdict::Inconclusive,
        (None, Some(_)) => Verdict::Violated,
        (None, None) => Verdict::Holds,
    }
}

fn conclusion(before: Option<&Broken>, outcome: &ReplayOutcome) -> String {
    if let Some(difference) = &outcome.diverged {
        return format!("it took another course: {difference}");
    }
    match (before, &outcome.schedule.broken) {
        (Some(before), Some(now)) if before.invariant == now.invariant => "broken as before".to_owned(),
        (Some(before), Some(_)) => format!("broken, but not {} as before", before.invariant),
        (Some(before), None) => format!("{} is not broken any more", before.invariant),
        (None, Some(_)) => "broken, as it was not before".to_owned(),
        (None, None) => "nothing is broken, as before".to_owned(),
    }
}

/// One execution.
fn search(outcome: &ReplayOutcome, verdict: Verdict) -> Search {
    Search {
        verdict,
        stopped: outcome.diverged.clone(),
        exhausted: false,
        executions: 1,
        pruned: 0,
        operations: outcome.schedule.steps.len() as u64,
        outcomes: Some(1),
        elapsed: outcome.elapsed,
    }
}

#[cfg(test)]
mod tests {
    use super::super::args::OutputArgs;
    use super::*;
    use serde_json::{Value, json};
    use std::path::PathBuf;
    use std::time::Duration;

    /// What is written to `--json`, and the exit status, if the replay comes to what `change` makes of the schedule.
    fn replayed(change: impl FnOnce(&mut ReplayOutcome)) -> (Value, Status) {
        let directory = tempfile::tempdir().unwrap();
        let json = directory.path().join("r.json");
        let file = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/schedules/handover-3.json"));
        let output = OutputArgs { json: Some(json.clone()), html: None, quiet: true };
        let outputs = Outputs::open(&output).unwrap();
        let args = DrawnArgs { file, all: false, output };
        let request = plan(&args).unwrap();
        let replay = |request: &ReplayRequest| {
            let schedule = request.schedule.clone();
            let mut outcome = ReplayOutcome { schedule, diverged: None, elapsed: Duration::from_millis(20) };
            change(&mut outcome);
            Ok::<_, String>(outcome)
        };
        let status = replay_and_report(&args, &request, outputs, replay).unwrap();
        (serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap(), status)
    }

    #[test]
    fn what_came_of_it_decides_the_status() {
        let (json, status) = replayed(|_| {});
        assert_eq!((&json["verdict"], status), (&json!("violated"), Status::Violated));
        assert_eq!((&json["executions"], &json["operations"]), (&json!(1), &json!(30)));
        let (json, status) = replayed(|outcome| outcome.schedule.broken = None);
        assert_eq!((&json["verdict"], status), (&json!("holds"), Status::Holds));
        assert_eq!(json["violations"], json!([]));
        let (json, status) = replayed(|outcome| outcome.diverged = Some("at step 12".into()));
        assert_eq!((&json["verdict"], status), (&json!("inconclusive"), Status::Inconclusive));
        assert_eq!(json["reason"], "at step 12");
    }

    #[test]
    fn what_came_of_it_is_said_beside_what_was() {
        let broken = |name: &str| Broken { invariant: name.into(), sentence: "s".into() };
        let (json, path) = (include_str!("../../tests/cli/schedules/handover-3.json"), "a");
        let schedule: Schedule = serde_json::from_str(json).unwrap();
        let said = |before: Option<&Broken>, now: Option<Broken>| {
            let schedule = Schedule { broken: now, ..schedule.clone() };
            conclusion(before, &ReplayOutcome { schedule, diverged: None, elapsed: Duration::ZERO })
        };
        let before = broken(path);
        assert_eq!(said(Some(&before), Some(broken("a"))), "broken as before");
        assert_eq!(said(Some(&before), Some(broken("b"))), "broken, but not a as before");
        assert_eq!(said(Some(&before), None), "a is not broken any more");
        assert_eq!(said(None, None), "nothing is broken, as before");
    }
}
