//! Several explorations in one process do not disturb one another, nor the process's own children.

use crate::support::{broken, race_helper, turn};
use daemonproof::prelude::*;
use std::process::Command;
use std::sync::Barrier;
use std::thread;

fn published(sandbox: &Sandbox) -> Race {
    race_helper(sandbox, "published-protocol").scenario(Scenario::Handover)
}

#[test]
fn explorations_in_threads_find_what_they_find_alone() {
    let _turn = turn();
    let alone = published(&Sandbox::new().unwrap()).explore();
    let start = Barrier::new(4);
    let explore = || {
        let sandbox = Sandbox::new().unwrap();
        start.wait();
        published(&sandbox).explore()
    };
    let spawn = || {
        start.wait();
        // Children of this process, which it waits for itself.
        (0..100).all(|_| Command::new("true").status().is_ok_and(|status| status.success()))
    };
    thread::scope(|scope| {
        let children = scope.spawn(spawn);
        let all: Vec<_> = (0..3).map(|_| scope.spawn(explore)).collect();
        for found in all {
            let found = found.join().unwrap();
            assert_eq!(broken(&found), broken(&alone), "{found}");
            assert_eq!((found.outcome.exhausted, found.outcome.executions), (true, alone.outcome.executions));
        }
        assert!(children.join().unwrap(), "each child was waited for by whoever started it");
    });
}

#[test]
fn two_workers_find_what_one_finds() {
    let _turn = turn();
    let explore = |jobs: usize| {
        let sandbox = Sandbox::new().unwrap();
        published(&sandbox).contenders(3).jobs(jobs).explore()
    };
    let (one, two) = (explore(1), explore(2));
    assert!(one.outcome.exhausted && two.outcome.exhausted, "{one}{two}");
    assert_eq!(broken(&one), broken(&two), "{one}{two}");
    // Not how many outcomes: of two that differ only in who is called B and who C, they may come upon either or both.
}

/// A limit is never a proof.
#[test]
fn a_limit_is_inconclusive() {
    let _turn = turn();
    let sandbox = Sandbox::new().unwrap();
    let found = race_helper(&sandbox, "reference").max_executions(3u64).explore();
    assert_eq!((found.verdict(), found.outcome.executions), (RaceVerdict::Inconclusive, 3));
    assert_eq!(found.outcome.stopped.as_deref(), Some("the limit of 3 executions was reached"));
    let found = race_helper(&sandbox, "reference").max_time(std::time::Duration::from_nanos(1)).explore();
    assert_eq!(found.verdict(), RaceVerdict::Inconclusive);
}
