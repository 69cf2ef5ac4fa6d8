//! What an operator does by hand while the daemon runs: no second daemon, and the next start works.

use std::fs;

use daemonproof::fixture::Sandbox;
use nix::libc::F_WRLCK;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, Uid};
use rstest::rstest;

use crate::awaiting::{mutex, open_guard};
use crate::support::{
    BOTH, DETACHED, FOREGROUND, MODES, MONITORED, as_ordinary_user, assert_clean, assert_owns, facts, fails,
    guard, is_refused, is_root, own_pid, reference, sandbox, set_mode, start, wait_for_text,
};

/// At a moment at which no start is publishing: a daemon that has just done so is inside its section for a few
/// system calls more, and fails if the guard goes meanwhile.
fn remove_guard(sandbox: &Sandbox) {
    let file = open_guard(sandbox);
    mutex(&file, F_WRLCK);
    fs::remove_file(guard(sandbox)).unwrap();
}

#[track_caller]
fn assert_all_refused(sandbox: &Sandbox, owner: Pid) {
    MODES.iter().for_each(|mode| is_refused(sandbox, &reference(mode), owner));
}

#[rstest]
fn without_its_guard_the_daemon_still_owns_the_pidfile(
    #[values(FOREGROUND, DETACHED, MONITORED, BOTH)] mode: &[&str],
) {
    let sandbox = sandbox();
    let running = start(&sandbox, &reference(mode));
    remove_guard(&sandbox);
    assert_all_refused(&sandbox, running.pid);
    // The refused ones have made a new guard; the daemon uses that as well.
    assert!(guard(&sandbox).exists());
    running.stop(&sandbox);
    assert_clean(&sandbox);
    start(&sandbox, &reference(mode)).stop(&sandbox);
}

#[rstest]
fn without_its_guard_and_any_other_start_the_daemon_removes_its_pidfile(
    #[values(DETACHED, BOTH)] mode: &[&str],
    #[values(Signal::SIGTERM, Signal::SIGHUP)] signal: Signal,
) {
    let sandbox = sandbox();
    let running = start(&sandbox, &reference(mode));
    remove_guard(&sandbox);
    running.end_by(&sandbox, signal);
    assert_clean(&sandbox);
}

#[test]
fn a_monitor_without_its_guard_restarts_and_holds_the_ownership_again() {
    let sandbox = sandbox();
    let log = sandbox.outdir().join("log");
    let command = reference(BOTH).arg("--restart-interval=1h");
    let running = start(&sandbox, &command.arg(format!("--log-file={}", log.display())));
    let monitor = running.monitor();
    remove_guard(&sandbox);
    running.signal(Signal::SIGSEGV);
    running.subject.wait_gone(running.pid, sandbox.deadline()).unwrap();
    let second = own_pid(&sandbox, &running.subject);
    assert_owns(&sandbox.pidfile(), second);
    assert_all_refused(&sandbox, second);
    running.subject.signal(second, Signal::SIGSEGV).unwrap();
    wait_for_text(&sandbox, &running.subject, &log, "waiting until 3600 seconds");
    // Nobody but the monitor holds it now.
    assert_all_refused(&sandbox, monitor);
    running.subject.signal(monitor, Signal::SIGTERM).unwrap();
    running.subject.wait_empty(sandbox.deadline()).unwrap();
    assert_clean(&sandbox);
}

#[rstest]
fn without_the_pidfile_the_next_start_is_refused_all_the_same(
    #[values(FOREGROUND, DETACHED, MONITORED, BOTH)] mode: &[&str],
) {
    let sandbox = sandbox();
    let running = start(&sandbox, &reference(mode));
    fs::remove_file(sandbox.pidfile()).unwrap();
    for second in MODES {
        let said = fails(&sandbox, &reference(second));
        let owner: i32 =
            said.split("running as pid ").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
        assert!(running.subject.live_pids().unwrap().contains(&Pid::from_raw(owner)), "{said}");
        assert!(!sandbox.pidfile().exists());
    }
    running.stop(&sandbox);
    assert_clean(&sandbox);
    start(&sandbox, &reference(mode)).stop(&sandbox);
}

#[rstest]
fn a_pidfile_that_was_put_in_place_of_the_daemons_own_is_not_removed(
    #[values(FOREGROUND, DETACHED, MONITORED, BOTH)] mode: &[&str],
) {
    let sandbox = sandbox();
    let running = start(&sandbox, &reference(mode));
    let other = sandbox.outdir().join("other");
    fs::write(&other, "the operator's\n").unwrap();
    fs::rename(&other, sandbox.pidfile()).unwrap();
    let before = facts(&sandbox.pidfile());
    running.stop(&sandbox);
    assert_eq!(facts(&sandbox.pidfile()), before);
    assert_owns(&sandbox.pidfile(), start(&sandbox, &reference(mode)).pid);
}

#[rstest]
#[case(b"")]
#[case(b"\n")]
#[case(b"garbage")]
#[case(b"0000000000000000000 ")]
#[case(b"-1 1\n")]
#[case(b"9999999999999999999          1\n")]
#[case(&[0; 31])]
#[case(&[0xff; 4096])]
fn a_garbled_guard_neither_admits_a_second_nor_stops_the_next(#[case] content: &[u8]) {
    for mode in [DETACHED, BOTH] {
        let sandbox = sandbox();
        let running = start(&sandbox, &reference(mode));
        fs::write(guard(&sandbox), content).unwrap();
        assert_all_refused(&sandbox, running.pid);
        running.stop(&sandbox);
        assert_clean(&sandbox);
        fs::write(guard(&sandbox), content).unwrap();
        let next = start(&sandbox, &reference(mode));
        assert_all_refused(&sandbox, next.pid);
        next.signal(Signal::SIGKILL);
        next.subject.wait_empty(sandbox.deadline()).unwrap();
        start(&sandbox, &reference(mode)).stop(&sandbox);
    }
}

#[test]
fn a_garbled_guard_does_not_let_a_start_slip_in_while_the_monitor_waits() {
    let sandbox = sandbox();
    let log = sandbox.outdir().join("log");
    let command = reference(BOTH).arg("--restart-interval=1h");
    let running = start(&sandbox, &command.arg(format!("--log-file={}", log.display())));
    running.signal(Signal::SIGSEGV);
    running.subject.wait_gone(running.pid, sandbox.deadline()).unwrap();
    let second = own_pid(&sandbox, &running.subject);
    running.subject.signal(second, Signal::SIGSEGV).unwrap();
    wait_for_text(&sandbox, &running.subject, &log, "waiting until 3600 seconds");
    fs::write(guard(&sandbox), "").unwrap();
    for mode in MODES {
        let said = fails(&sandbox, &reference(mode));
        assert!(said.contains("already running, aborting (its lock"), "{said}");
    }
}

#[test]
fn a_guard_that_may_not_be_opened_is_a_clear_error() {
    let sandbox = sandbox().world_writable().unwrap();
    fs::write(guard(&sandbox), "").unwrap();
    set_mode(&guard(&sandbox), 0o000);
    for mode in MODES {
        let said = fails(&sandbox, &as_ordinary_user(reference(mode)));
        // Its owner is told of the mode only.
        let whose = if Uid::effective().is_root() { ": it belongs to uid 0;" } else { "\n" };
        let text = format!("{}: Permission denied{whose}", guard(&sandbox).display());
        assert!(said.contains(&text), "{said}");
        assert!(!sandbox.pidfile().exists());
    }
}

#[test]
fn another_users_guard_and_pidfile_are_respected() {
    if !is_root() {
        return;
    }
    let sandbox = sandbox().world_writable().unwrap();
    let running = start(&sandbox, &as_ordinary_user(reference(BOTH)));
    // Root may open a guard of an ordinary user, even in a sticky directory.
    is_refused(&sandbox, &reference(BOTH), running.pid);
    running.stop(&sandbox);
    assert_clean(&sandbox);
    let by_root = start(&sandbox, &reference(DETACHED));
    is_refused(&sandbox, &as_ordinary_user(reference(DETACHED)), by_root.pid);
}

#[test]
fn a_directory_that_is_gone_does_not_stop_the_end() {
    for mode in MODES {
        let sandbox = sandbox();
        let running = start(&sandbox, &reference(mode));
        fs::remove_dir_all(sandbox.rundir()).unwrap();
        running.stop(&sandbox);
    }
}

#[test]
fn a_directory_that_was_renamed_can_be_used_anew() {
    let sandbox = sandbox();
    let running = start(&sandbox, &reference(BOTH));
    let moved = sandbox.outdir().join("moved");
    fs::rename(sandbox.rundir(), &moved).unwrap();
    fs::create_dir(sandbox.rundir()).unwrap();
    let next = start(&sandbox, &reference(DETACHED));
    running.stop(&sandbox);
    // The first one's end has not touched what it does not own.
    assert_owns(&sandbox.pidfile(), next.pid);
}
