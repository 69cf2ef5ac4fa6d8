//! Killed at any moment of its start, a daemon leaves nothing that stops the next one.

use std::fs;
use std::hint::spin_loop;
use std::time::{Duration, Instant};

use daemonproof::fixture::{FixtureError, Sandbox, Subject};
use nix::sys::signal::Signal;
use rstest::rstest;

use crate::support::{
    BOTH, DETACHED, FOREGROUND, MONITORED, SLOW_START, assert_clean, assert_owns, command, guard, own_pid,
    reference, sandbox, spawn, start,
};

const ROUNDS: u32 = 50;
/// Longer than a start takes on an idle machine.
const LATEST: Duration = Duration::from_millis(6);

/// Lets a time pass that is shorter than what a timer can do.
fn spin(time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {
        spin_loop();
    }
}

/// The next start works in the same place, owns the pidfile, and removes it.
#[track_caller]
fn assert_next_works(sandbox: &Sandbox, mode: &[&str]) {
    let next = start(sandbox, &reference(mode));
    assert_owns(&sandbox.pidfile(), next.pid);
    next.stop(sandbox);
    assert_clean(sandbox);
}

#[rstest]
fn a_kill_at_any_time_of_a_start_lets_the_next_one_work(
    #[values(FOREGROUND, DETACHED, MONITORED, BOTH)] mode: &[&str],
) {
    let sandbox = sandbox();
    for round in 0..ROUNDS {
        let killed = spawn(&sandbox, &reference(mode));
        spin(LATEST * round / ROUNDS);
        killed.kill_all().unwrap();
        assert_next_works(&sandbox, mode);
    }
}

type Reached = fn(&Sandbox, &Subject) -> bool;

#[rstest]
#[case("the guard", |sandbox: &Sandbox, _: &Subject| guard(sandbox).exists())]
#[case("a record", |sandbox: &Sandbox, _: &Subject| fs::metadata(guard(sandbox)).is_ok_and(|guard| guard.len() > 0))]
#[case("the pidfile", |sandbox: &Sandbox, _: &Subject| sandbox.pidfile().exists())]
#[case("a process more", |_: &Sandbox, subject: &Subject| subject.live_pids().unwrap().len() > 1)]
fn a_kill_when_something_appears_lets_the_next_start_work(
    #[case] what: &str,
    #[case] reached: Reached,
    #[values(DETACHED, BOTH)] mode: &[&str],
) {
    for _ in 0..5 {
        let sandbox = sandbox();
        let killed = spawn(&sandbox, &reference(mode));
        // A start may be over before the look.
        let there = || {
            let over = killed.exit_of(killed.pid()).is_some();
            Ok::<_, FixtureError>((over || reached(&sandbox, &killed)).then_some(()))
        };
        killed.wait_until(what, sandbox.deadline(), there).unwrap();
        killed.kill_all().unwrap();
        assert_next_works(&sandbox, mode);
    }
}

#[test]
fn a_kill_of_the_foreground_process_alone_does_not_disturb_the_daemon() {
    let sandbox = sandbox();
    for mode in [DETACHED, BOTH] {
        let slow = spawn(&sandbox, &command(SLOW_START, mode).arg("--delay=1h"));
        let pid = own_pid(&sandbox, &slow);
        slow.signal(slow.pid(), Signal::SIGKILL).unwrap();
        slow.wait_exit(sandbox.deadline()).unwrap();
        assert_owns(&sandbox.pidfile(), pid);
        slow.signal(pid, Signal::SIGTERM).unwrap();
        slow.wait_empty(sandbox.deadline()).unwrap();
        assert_clean(&sandbox);
    }
}

#[rstest]
fn a_start_over_what_a_crash_left_is_like_any_other(
    #[values(FOREGROUND, DETACHED, MONITORED, BOTH)] mode: &[&str],
) {
    let sandbox = sandbox();
    for _ in 0..5 {
        let running = start(&sandbox, &reference(mode));
        assert_owns(&sandbox.pidfile(), running.pid);
        running.subject.kill_all().unwrap();
        assert!(sandbox.pidfile().exists(), "a killed daemon cannot remove its pidfile");
    }
    assert_next_works(&sandbox, mode);
}
