//! Claims about restarts.

use std::time::Duration;

use daemonproof::observe::{Cause, Gap, History, Life};
use daemonproof::prelude::*;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use rstest::rstest;

use crate::support::{fails, holds, is_unknown, sandbox};

const SEGV: Cause = Cause::Signal(Signal::SIGSEGV);

/// Lives that began at these times, all but the last ended by a crash, with these looks in the gaps.
fn history(starts_ms: &[u64], gaps: &[Gap]) -> History {
    let life = |(index, &start): (usize, &u64)| {
        let mut life = Life::new(Pid::from_raw(812 + index as i32), Duration::from_millis(start));
        life.ended = (index + 1 < starts_ms.len()).then_some(SEGV);
        life.gap = index.checked_sub(1).map(|gap| gaps.get(gap).copied().unwrap_or_default());
        life
    };
    History { lives: starts_ms.iter().enumerate().map(life).collect() }
}

fn gap(looks: u32, unlocked: u32) -> Gap {
    Gap { looks, unlocked }
}

#[test]
fn a_real_restart_is_counted() {
    let daemon = sandbox()
        .daemon(env!("CARGO_BIN_EXE_reference"))
        .args(["--restart-interval", "100ms"])
        .detach("--detach")
        .monitor("--monitor")
        .pidfile("--pidfile={pidfile}")
        .start();
    let before = daemon.history().look();
    holds(&before, restarts(0).and(restarts_at_most(0)));
    fails(&before, restarts_at_least(1));
    daemon.crash(Signal::SIGSEGV);
    daemon.wait_restarted();
    daemon.crash(Signal::SIGABRT);
    daemon.wait_restarted();
    let after = daemon.history().look();
    holds(&after, restarts(2).and(restarts_at_least(1)).and(restarts_at_most(2)));
    holds(&after, intervals_at_most(Duration::from_secs(3600)));
    fails(&after, restarts(1));
    fails(&after, restarts_at_least(3));
    fails(&after, restarts_at_most(1));
    fails(&after, intervals_at_least(Duration::from_secs(3600)));
    fails(&after, restart_cause(SEGV));
}

#[rstest]
#[case::exact(&[0, 100, 300], 100, 200, true)]
#[case::one_tick_short(&[0, 90, 300], 100, 200, true)]
#[case::too_short(&[0, 80, 300], 100, 400, false)]
#[case::one_tick_long(&[0, 100, 310], 100, 200, true)]
#[case::too_long(&[0, 100, 320], 100, 200, false)]
fn intervals_are_known_to_a_tick(
    #[case] starts: &[u64],
    #[case] least_ms: u64,
    #[case] most_ms: u64,
    #[case] expected: bool,
) {
    let [least, most] = [least_ms, most_ms].map(Duration::from_millis);
    let within = intervals_at_least(least).and(intervals_at_most(most));
    if expected { holds(&history(starts, &[]), within) } else { drop(fails(&history(starts, &[]), within)) }
}

#[test]
fn without_a_restart_nothing_is_known_of_it() {
    let once = history(&[5], &[]);
    is_unknown(&once, intervals_at_least(Duration::ZERO));
    is_unknown(&once, intervals_at_most(Duration::MAX / 2));
    is_unknown(&once, restart_cause(SEGV));
    is_unknown(&History::default(), restarts(0));
    fails(&once, lock_survives(1));
}

#[test]
fn every_restart_must_have_the_cause() {
    let mut crashes = history(&[0, 1, 2], &[]);
    holds(&crashes, restart_cause(SEGV));
    fails(&crashes, restart_cause(Cause::Status(1)));
    crashes.lives[1].ended = Some(Cause::Unknown);
    is_unknown(&crashes, restart_cause(SEGV));
    crashes.lives[1].ended = Some(Cause::Status(1));
    holds(&crashes, restart_cause(SEGV).not());
    // The end of the last one has caused no restart.
    let mut ended = history(&[0, 1], &[]);
    ended.lives[1].ended = Some(Cause::Status(0));
    holds(&ended, restart_cause(SEGV));
}

#[rstest]
#[case::each_time(&[gap(3, 0), gap(1, 0)], 2, true)]
#[case::more_than_asked(&[gap(3, 0), gap(1, 0)], 1, true)]
#[case::nobody_looked_once(&[gap(3, 0), gap(0, 0)], 1, true)]
#[case::too_few_looks(&[gap(3, 0), gap(0, 0)], 2, false)]
#[case::lost_once(&[gap(3, 0), gap(9, 1)], 1, false)]
fn a_lock_survives_if_it_was_always_held(
    #[case] gaps: &[Gap],
    #[case] wanted: usize,
    #[case] expected: bool,
) {
    let history = history(&[0, 1, 2], gaps);
    if expected {
        holds(&history, lock_survives(wanted))
    } else {
        drop(fails(&history, lock_survives(wanted)))
    }
}
