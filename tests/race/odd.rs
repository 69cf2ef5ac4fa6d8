//! Daemons that are odd in one way, and programs that are none: each comes to an end, with a clear verdict.

use crate::peers::{Missing, program, python};
use crate::programs::{odd, source};
use crate::support::{PATIENCE, broken, turn};
use daemonproof::prelude::*;
use rstest::rstest;
use std::path::Path;

fn race(binary: impl AsRef<Path>, mode: impl AsRef<Path>) -> Race {
    let sandbox = Sandbox::new().unwrap();
    sandbox.race(binary.as_ref()).arg(mode.as_ref()).pidfile("{pidfile}").max_time(PATIENCE)
}

/// Right in its protocol, whatever else it does.
#[rstest]
#[case::plain("plain")]
#[case::flock_waits("flock-waits")]
#[case::record_waits("record-waits")]
#[case::description_waits("description-waits")]
#[case::retries("retries")]
#[case::suspended("suspended")]
#[case::piped("piped")]
#[case::selects("selects")]
#[case::polls_signals("polls-signals")]
#[case::epolls("epolls")]
#[case::other_thread_exits("other-thread-exits")]
#[case::first_thread_leaves("first-thread-leaves")]
#[case::thread_executes("thread-executes")]
#[case::vforks("vforks")]
#[case::forks_twice("forks-twice")]
#[case::reaps_in_handler("reaps-in-handler")]
#[case::wants_a_tracer("wants-a-tracer")]
#[case::filters_calls("filters-calls")]
fn a_right_daemon_holds(#[case] mode: &str) {
    let _turn = turn();
    let Some(binary) = Missing::skip(odd()) else { return };
    for scenario in [Scenario::Start, Scenario::Handover, Scenario::Crash] {
        race(binary, mode).scenario(scenario).explore().assert_holds();
    }
}

#[test]
fn threads_that_wait_for_one_another_are_followed() {
    let _turn = turn();
    let Some(binary) = Missing::skip(odd()) else { return };
    let found = race(binary, "threads").max_executions(100u64).explore();
    assert_eq!((broken(&found), found.outcome.executions), (Vec::new(), 100), "{found}");
}

#[test]
fn a_static_program_is_followed() {
    let _turn = turn();
    let Some((_folder, binary)) = Missing::skip(crate::programs::static_odd()) else { return };
    race(binary, "plain").scenario(Scenario::Handover).explore().assert_holds();
}

/// `MSG_DONTWAIT` waits for nobody, even on a socket that blocks.
#[test]
fn whoever_does_not_wait_may_be_too_early() {
    let _turn = turn();
    let Some(binary) = Missing::skip(odd()) else { return };
    let found = race(binary, "forgets-in-haste").explore();
    assert!(found.outcome.exhausted, "{found}");
    assert!(broken(&found).contains(&"at-most-one-running"), "{found}");
}

#[test]
fn a_python_script_is_followed() {
    let _turn = turn();
    let Some(python) = Missing::skip(python()) else { return };
    race(python, source("forking.py")).scenario(Scenario::Handover).explore().assert_holds();
}

#[test]
fn a_shell_script_shows_its_pidfile_before_it_is_written() {
    let _turn = turn();
    let shell = program("sh").unwrap();
    let found = race(shell, source("noclobber.sh")).explore();
    assert!(found.outcome.exhausted, "{found}");
    assert_eq!(broken(&found), ["reader-never-sees-garbage"], "{found}");
}

/// An address as a lock: it stays when its owner is gone, so nobody starts after that.
#[test]
fn contenders_that_talk_to_one_another_are_followed() {
    let _turn = turn();
    let Some(binary) = Missing::skip(odd()) else { return };
    race(binary, "socket-owner").explore().assert_holds();
    let found = race(binary, "socket-owner").scenario(Scenario::Handover).explore();
    assert!(found.outcome.exhausted && !broken(&found).is_empty(), "{found}");
}

/// What cannot be explored, and why.
#[rstest]
#[case::maps(
    "maps",
    "A uses a writable shared mapping of a file of the sandbox, which the explorer cannot follow"
)]
#[case::spins("spins", "A computes without end and without a system call")]
#[case::fails("fails", "the program does not come up even when it is alone: exit 3: odd: no configuration")]
#[case::forks_forever(
    "forks-forever",
    "one execution has more than 200 processes: the program forks without end"
)]
#[case::fork_chain("fork-chain", "one execution has more than 200 processes: the program forks without end")]
#[case::opens_many(
    "opens-many",
    "one execution has more than 5000 operations: the program does not come to rest"
)]
#[case::keeps_many(
    "keeps-many",
    "one execution has more than 5000 operations: the program does not come to rest"
)]
fn what_cannot_be_explored_says_why(#[case] mode: &str, #[case] why: &str) {
    let _turn = turn();
    let Some(binary) = Missing::skip(odd()) else { return };
    let error = race(binary, mode).try_explore().unwrap_err();
    assert_eq!(error.to_string(), why);
}

#[test]
fn a_loser_that_spins_is_not_taken_for_a_proof() {
    let _turn = turn();
    let Some(binary) = Missing::skip(odd()) else { return };
    let found = race(binary, "spins-when-refused").explore();
    assert_eq!(found.verdict(), RaceVerdict::Inconclusive, "{found}");
    let why = "B computes without end and without a system call";
    assert_eq!(found.outcome.stopped.as_deref(), Some(why));
}

/// It lives and rests, which is all that can be told of a daemon without a pidfile.
#[test]
fn what_never_makes_its_pidfile_runs_twice() {
    let _turn = turn();
    let Some(binary) = Missing::skip(odd()) else { return };
    let found = race(binary, "reads-own-pipe").explore();
    assert_eq!(broken(&found), ["at-most-one-running"], "{found}");
    let shown = found.to_string();
    assert!(shown.contains("A and B are running, and daemon.pid is missing"), "{shown}");
}
