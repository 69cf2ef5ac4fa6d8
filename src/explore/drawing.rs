//! A schedule as the plain values of a report.

use super::request::{RaceOutcome, RaceRequest, StrategyKind, Violation};
use super::schedule::{ScenarioKind, Schedule, Setup, State, Step};
use crate::report::Verdict;
use crate::report::quoted;
use crate::report::race::{self, Broken, Drawing, End, Found, Lane, Race, Search};
use std::collections::BTreeSet;
use std::path::Path;

/// The command, as a shell would take it.
pub(crate) fn command(setup: &Setup) -> String {
    quoted(setup.command.iter().map(String::as_str))
}

/// What the scenario is.
pub(crate) fn facts(setup: &Setup) -> Vec<(&'static str, String)> {
    let by_itself = |argument: &String| match argument.is_empty() {
        true => "by itself".to_owned(),
        false => argument.clone(),
    };
    let modes = setup.switches().map(|(name, argument)| (name, by_itself(argument)));
    let mut facts =
        vec![("scenario", setup.scenario.to_string()), ("contenders", setup.contenders.to_string())];
    facts.extend(modes);
    if !setup.env.is_empty() {
        let variables = setup.env.iter().map(|(name, value)| format!("{name}={value}"));
        facts.push(("environment", variables.collect::<Vec<_>>().join(" ")));
    }
    facts
}

/// The execution, to be drawn; `file` is where it is saved.
pub(crate) fn drawing(schedule: &Schedule, file: Option<&Path>) -> Drawing {
    let lanes = lanes(schedule);
    Drawing {
        broken: schedule
            .broken
            .as_ref()
            .map(|broken| Broken { invariant: broken.invariant.clone(), sentence: broken.sentence.clone() }),
        found: None,
        file: file.map(|file| file.display().to_string()),
        pidfile: schedule.setup.pidfile.clone(),
        initial: state(&schedule.initial),
        steps: (0..schedule.steps.len()).map(|index| step(schedule, index, &lanes)).collect(),
        ends: schedule
            .processes
            .iter()
            .map(|process| End {
                task: process.task.clone(),
                end: process.end.clone(),
                says: process.says.clone(),
            })
            .collect(),
        critical: schedule.critical,
        flip: schedule.flip,
        lanes,
    }
}

/// Every task that is named, a child beside its parent. What the scenario does to a task stands in that one's lane.
fn lanes(schedule: &Schedule) -> Vec<Lane> {
    let steps = schedule.steps.iter().map(|step| target(&step.task));
    let ends = schedule.processes.iter().map(|process| target(&process.task));
    let tasks: BTreeSet<_> = steps.chain(ends).map(|task| (order(task), task)).collect();
    let lanes = tasks.into_iter().map(|((contender, _), task)| Lane {
        task: task.to_owned(),
        role: role(&schedule.setup, task),
        contender,
    });
    lanes.collect()
}

/// The task that is meant: `A` of `!A`.
fn target(task: &str) -> &str {
    task.strip_prefix('!').unwrap_or(task)
}

/// `A.10` comes after `A.2`.
fn order(task: &str) -> (usize, Vec<u32>) {
    let mut parts = task.split('.');
    let letter = parts.next().and_then(|name| name.bytes().next()).unwrap_or(b'A');
    (usize::from(letter.saturating_sub(b'A')), parts.filter_map(|part| part.parse().ok()).collect())
}

fn role(setup: &Setup, task: &str) -> String {
    if let Some((parent, _)) = task.rsplit_once('.') {
        return format!("child of {parent}");
    }
    let (contender, _) = order(task);
    match (setup.scenario, contender) {
        (ScenarioKind::Handover, 0) => "start, then stopped".to_owned(),
        (ScenarioKind::Crash, 0) => "start, then killed".to_owned(),
        (_, last) if last + 1 == setup.contenders => match &setup.overwrite {
            Some(argument) => format!("start {argument}").trim_end().to_owned(),
            None => "start".to_owned(),
        },
        _ => "start".to_owned(),
    }
}

fn step(schedule: &Schedule, index: usize, lanes: &[Lane]) -> race::Step {
    let taken = &schedule.steps[index];
    let before = index.checked_sub(1).map_or(&schedule.initial, |index| &schedule.steps[index].state);
    let target = target(&taken.task);
    race::Step {
        lane: lanes.iter().position(|lane| lane.task == target).unwrap_or(0),
        task: taken.task.clone(),
        others: taken.enabled.iter().filter(|task| **task != taken.task).cloned().collect(),
        operation: taken.operation.clone(),
        short: taken.short.clone(),
        result: taken.result.clone(),
        note: taken.note.clone(),
        objects: taken.object.split(", ").filter(|object| !object.is_empty()).map(str::to_owned).collect(),
        remark: Some(&taken.remark)
            .filter(|remark| !remark.is_empty())
            .cloned()
            .or_else(|| remark(before, taken))
            .unwrap_or_default(),
        state: state(&taken.state),
    }
}

/// What is odd about the step whoever makes it: a lock on a file that nobody else can come upon, and the loss of the
/// last name of a file that another task has locked.
fn remark(before: &State, taken: &Step) -> Option<String> {
    let after = &taken.state;
    let is_named = |state: &State, file: &str| state.names.iter().any(|(_, known)| known == file);
    let mut locked = after.locks.iter().filter(|lock| !before.locks.contains(lock)).map(|(file, ..)| file);
    if let Some(file) = locked.find(|file| !is_named(after, file)) {
        return Some(format!("{file} has no name any more"));
    }
    let is_lost = |file: &str| is_named(before, file) && !is_named(after, file);
    let mut others = after.locks.iter().filter(|(_, _, holder)| *holder != taken.task);
    let (file, _, holder) = others.find(|(file, ..)| is_lost(file))?;
    Some(format!("{file} is locked by {holder}"))
}

/// All that is to be told about a search.
pub(crate) fn race(request: &RaceRequest, outcome: &RaceOutcome) -> Race {
    let mut facts = facts(&request.setup);
    facts.push(("strategy", request.strategy.name().to_owned()));
    if request.strategy != StrategyKind::Exhaustive {
        facts.push(("seed", request.seed.to_string()));
    }
    facts.extend(request.shard.map(|shard| ("part", shard.to_string())));
    Race {
        command: command(&request.setup),
        facts,
        search: Some(search(outcome)),
        drawings: outcome.violations.iter().map(violation).collect(),
    }
}

fn violation(violation: &Violation) -> Drawing {
    let Violation { executions, first_execution, .. } = *violation;
    let found = Some(Found { executions, first_execution });
    Drawing { found, ..drawing(&violation.schedule, violation.file.as_deref()) }
}

/// How much was searched, and what it came to.
pub(crate) fn search(outcome: &RaceOutcome) -> Search {
    Search {
        verdict: match (outcome.violations.is_empty(), outcome.exhausted) {
            (false, _) => Verdict::Violated,
            (true, true) => Verdict::Holds,
            (true, false) => Verdict::Inconclusive,
        },
        stopped: outcome.stopped.clone(),
        exhausted: outcome.exhausted,
        executions: outcome.executions,
        pruned: outcome.pruned,
        operations: outcome.operations,
        outcomes: Some(outcome.outcomes),
        elapsed: outcome.elapsed,
    }
}

fn state(state: &State) -> race::State {
    let State { names, contents, locks, running } = state.clone();
    race::State { names, contents, locks, running }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Look, race_text};

    fn example(json: &str) -> Schedule {
        serde_json::from_str(json).unwrap()
    }

    fn handover() -> Schedule {
        example(include_str!("../../tests/cli/schedules/handover-3.json"))
    }

    fn text(schedule: &Schedule, all: bool, width: usize) -> String {
        let race = race::Race {
            command: command(&schedule.setup),
            facts: facts(&schedule.setup),
            search: None,
            drawings: vec![drawing(schedule, Some("violations/v-1.json".as_ref()))],
        };
        let text = race_text(&race, all, Look { width, utf8: true });
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn three_contenders_in_a_wide_terminal() {
        insta::assert_snapshot!(text(&handover(), false, 120));
    }

    #[test]
    fn three_contenders_and_every_step() {
        insta::assert_snapshot!(text(&handover(), true, 80));
    }

    #[test]
    fn four_contenders_in_a_narrow_terminal() {
        let schedule = example(include_str!("../../tests/cli/schedules/handover-4.json"));
        insta::assert_snapshot!(text(&schedule, false, 80));
    }

    #[test]
    fn children_stand_beside_their_parents() {
        let schedule = example(include_str!("../../tests/cli/schedules/detach-2.json"));
        insta::assert_snapshot!(text(&schedule, false, 60));
        insta::assert_snapshot!(text(&schedule, false, 120));
    }

    #[test]
    fn lanes_are_in_the_order_of_birth() {
        let mut schedule = handover();
        schedule.steps[0].task = "A.10".into();
        schedule.steps[1].task = "A.2".into();
        schedule.steps[2].task = "!A.2.1".into();
        let lanes = lanes(&schedule);
        let tasks: Vec<_> = lanes.iter().map(|lane| lane.task.as_str()).collect();
        assert_eq!(tasks, ["A", "A.2", "A.2.1", "A.10", "B", "C"]);
        assert_eq!(lanes[2].role, "child of A.2");
        assert_eq!(drawing(&schedule, None).steps[2].lane, 2);
    }

    #[test]
    fn what_is_odd_is_pointed_out() {
        let mut schedule = handover();
        schedule.steps.iter_mut().for_each(|step| step.remark.clear());
        let remarks = |schedule: &Schedule| -> Vec<(usize, String)> {
            let steps = drawing(schedule, None).steps.into_iter().enumerate();
            steps
                .filter(|(_, step)| !step.remark.is_empty())
                .map(|(index, step)| (index, step.remark))
                .collect()
        };
        assert_eq!(remarks(&schedule), [(11, "a has no name any more".to_owned())]);
        // A removes its own file before it exits, which is as it should be.
        schedule.steps[9].task = "B".into();
        assert_eq!(remarks(&schedule)[0], (9, "a is locked by A".to_owned()));
        schedule.steps[9].remark = "why".into();
        assert_eq!(remarks(&schedule)[0], (9, "why".to_owned()));
    }

    #[test]
    fn what_is_special_about_the_setup_is_told() {
        let mut schedule = handover();
        schedule.setup.scenario = ScenarioKind::Crash;
        schedule.setup.overwrite = Some("--force".into());
        schedule.setup.detach = Some(String::new());
        let roles: Vec<_> = lanes(&schedule).into_iter().map(|lane| lane.role).collect();
        assert_eq!(roles, ["start, then killed", "start", "start --force"]);
        let facts = facts(&schedule.setup);
        let told = [("detach", "by itself"), ("overwrite", "--force")];
        assert_eq!(facts[2..], told.map(|(name, value)| (name, value.to_owned())));
    }
}
