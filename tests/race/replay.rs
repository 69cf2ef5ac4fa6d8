//! A saved schedule does the same again, and says where it does not.

use crate::peers::Missing;
use crate::programs::odd;
use crate::support::{PATIENCE, race_helper, turn};
use daemonproof::explore::schedule::Schedule;
use daemonproof::prelude::*;
use rstest::rstest;

/// A schedule that breaks the published protocol, once through a file.
fn found(sandbox: &Sandbox) -> Schedule {
    let race = race_helper(sandbox, "published-protocol").scenario(Scenario::Handover).contenders(3);
    saved(&race.stop_on_first(true).explore())
}

fn saved(found: &Exploration) -> Schedule {
    let folder = tempfile::tempdir().unwrap();
    let file = found.violations()[0].schedule.save_in(folder.path()).unwrap();
    Schedule::read(&file).unwrap()
}

/// What was done, by whom and with what result.
fn done(schedule: &Schedule) -> Vec<(&str, &str, &str, &str)> {
    let steps = schedule.steps.iter();
    steps.map(|step| (&*step.task, &*step.operation, &*step.result, &*step.note)).collect()
}

#[test]
fn a_hundred_replays_do_the_same_a_hundred_times() {
    let _turn = turn();
    let sandbox = Sandbox::new().unwrap();
    let schedule = found(&sandbox);
    for _ in 0..100 {
        let again = sandbox.replay(&schedule).unwrap();
        assert_eq!(again.diverged, None);
        assert_eq!(done(&again.schedule), done(&schedule));
        assert_eq!(again.schedule.broken, schedule.broken);
    }
}

/// Processes, threads and waiting replay as well as files do.
#[rstest]
fn what_forks_replays(
    #[values("forks-twice", "reaps-in-handler", "other-thread-exits", "thread-executes", "flock-waits")] mode: &str,
) {
    let _turn = turn();
    let Some(binary) = Missing::skip(odd()) else { return };
    let sandbox = Sandbox::new().unwrap();
    let race = sandbox.race(binary).arg(mode).pidfile("{pidfile}").scenario(Scenario::Handover);
    let race = race.invariant("shown", |_| Err("any will do".into())).stop_on_first(true).max_time(PATIENCE);
    let schedule = saved(&race.explore());
    for _ in 0..10 {
        let again = sandbox.replay(&schedule).unwrap();
        assert_eq!(again.diverged, None);
        assert_eq!(done(&again.schedule), done(&schedule));
    }
}

#[test]
fn another_order_of_tasks_is_told() {
    let _turn = turn();
    let sandbox = Sandbox::new().unwrap();
    let schedule = found(&sandbox);
    let mut changed = schedule.clone();
    let first = changed.steps[0].task.clone();
    let other = changed.steps.iter().position(|step| step.task != first).unwrap();
    let step = changed.steps.remove(other);
    changed.steps.insert(0, step);
    let again = sandbox.replay(&changed).unwrap();
    assert!(again.diverged.is_some(), "{:?}", done(&again.schedule));
    let mut nobody = schedule.clone();
    "Z.9".clone_into(&mut nobody.steps[0].task);
    let diverged = sandbox.replay(&nobody).unwrap().diverged.unwrap();
    assert!(diverged.contains("step 1"), "{diverged}");
    let mut shorter = schedule;
    shorter.steps.truncate(4);
    (shorter.critical, shorter.flip) = (None, None);
    let diverged = sandbox.replay(&shorter).unwrap().diverged.unwrap();
    assert!(diverged.contains("after step 4"), "{diverged}");
}

#[test]
fn another_program_is_told() {
    let _turn = turn();
    let sandbox = Sandbox::new().unwrap();
    let mut schedule = found(&sandbox);
    schedule.setup.command[0] = env!("CARGO_BIN_EXE_reference").to_owned();
    let diverged = sandbox.replay(&schedule).unwrap().diverged.unwrap();
    assert!(diverged.starts_with("at step "), "{diverged}");
}
