//! The ownership through crashes, failed restarts and the monitor's own end.

use std::fs;

use daemonproof::fixture::FixtureError;
use nix::sys::signal::Signal;

use crate::support::{
    BOTH, DETACHED, MODES, SLOW_START, assert_clean, assert_owns, command, is_refused, own_pid, reference,
    sandbox, start, wait_for_text, wait_missing,
};

#[test]
fn a_restarted_daemon_owns_the_pidfile() {
    let sandbox = sandbox();
    let running = start(&sandbox, &reference(BOTH).arg("--restart-interval=0s"));
    let mut pid = running.pid;
    for signal in [Signal::SIGSEGV, Signal::SIGABRT, Signal::SIGALRM, Signal::SIGBUS] {
        running.subject.signal(pid, signal).unwrap();
        running.subject.wait_gone(pid, sandbox.deadline()).unwrap();
        pid = own_pid(&sandbox, &running.subject);
        assert_owns(&sandbox.pidfile(), pid);
        is_refused(&sandbox, &reference(DETACHED), pid);
    }
    running.subject.signal(running.monitor(), Signal::SIGTERM).unwrap();
    running.subject.wait_empty(sandbox.deadline()).unwrap();
    assert_clean(&sandbox);
}

#[test]
fn a_restart_that_is_told_to_end_before_it_is_ready_ends_and_leaves_nothing() {
    let sandbox = sandbox();
    let slow = command(SLOW_START, BOTH).args(["--delay=200ms", "--restart-interval=1h"]);
    let running = start(&sandbox, &slow);
    running.signal(Signal::SIGSEGV);
    running.subject.wait_gone(running.pid, sandbox.deadline()).unwrap();
    let second = own_pid(&sandbox, &running.subject);
    running.subject.signal(second, Signal::SIGTERM).unwrap();
    running.subject.wait_empty(sandbox.deadline()).unwrap();
    assert_clean(&sandbox);
    start(&sandbox, &reference(BOTH)).stop(&sandbox);
}

#[test]
fn a_restart_that_fails_to_initialise_keeps_the_ownership() {
    let sandbox = sandbox();
    let log = sandbox.outdir().join("log");
    let count = sandbox.outdir().join("count");
    let crash = command(env!("CARGO_BIN_EXE_crash"), BOTH)
        .args(["--when=before-ready", "--exit=3", "--times=1", "--restart-interval=1h"])
        .arg(format!("--count-file={}", count.display()))
        .arg(format!("--log-file={}", log.display()));
    // One start has been counted, so the first runs; emptied again, the second fails.
    fs::write(&count, "x").unwrap();
    let running = start(&sandbox, &crash);
    let monitor = running.monitor();
    fs::write(&count, "").unwrap();
    running.signal(Signal::SIGSEGV);
    wait_for_text(&sandbox, &running.subject, &log, "exit status 3, waiting until 3600 seconds");
    for mode in MODES {
        is_refused(&sandbox, &reference(mode), monitor);
    }
    running.subject.signal(monitor, Signal::SIGTERM).unwrap();
    running.subject.wait_empty(sandbox.deadline()).unwrap();
    assert_clean(&sandbox);
}

#[test]
fn a_kill_of_the_monitor_alone_leaves_the_daemon_its_pidfile() {
    let sandbox = sandbox();
    let running = start(&sandbox, &reference(BOTH));
    running.subject.signal(running.monitor(), Signal::SIGKILL).unwrap();
    let alone = || Ok::<_, FixtureError>((running.subject.live_pids()? == [running.pid]).then_some(()));
    running.subject.wait_until("the monitor to be gone", sandbox.deadline(), alone).unwrap();
    is_refused(&sandbox, &reference(BOTH), running.pid);
    running.stop(&sandbox);
    assert_clean(&sandbox);
    start(&sandbox, &reference(BOTH)).stop(&sandbox);
}

#[test]
fn a_kill_of_the_daemon_alone_ends_its_monitor_and_its_pidfile() {
    let sandbox = sandbox();
    let running = start(&sandbox, &reference(BOTH));
    running.end_by(&sandbox, Signal::SIGKILL);
    assert_clean(&sandbox);
    start(&sandbox, &reference(BOTH)).stop(&sandbox);
}

#[test]
fn a_kill_of_both_lets_the_next_start_work() {
    let sandbox = sandbox();
    for _ in 0..3 {
        let running = start(&sandbox, &reference(BOTH));
        assert_owns(&sandbox.pidfile(), running.pid);
        running.subject.kill_all().unwrap();
    }
    start(&sandbox, &reference(BOTH)).stop(&sandbox);
    assert_clean(&sandbox);
}

#[test]
fn whoever_sees_the_pidfile_of_a_stopped_daemon_gone_can_start_at_once() {
    let sandbox = sandbox();
    for n in 0..30 {
        let mode = MODES[n % MODES.len()];
        let running = start(&sandbox, &reference(mode));
        running.signal(Signal::SIGTERM);
        wait_missing(&sandbox, &sandbox.pidfile());
        start(&sandbox, &reference(mode)).stop(&sandbox);
    }
}
