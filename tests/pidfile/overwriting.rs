//! Taking the pidfile over from an owner that lives.

use daemonproof::fixture::{CommandLine, Sandbox};
use nix::sys::signal::Signal;
use rstest::rstest;

use crate::support::{
    BOTH, DETACHED, FOREGROUND, MODES, MONITORED, Running, assert_clean, assert_owns, guard, is_refused,
    own_pid, reference, sandbox, start, wait_for_text,
};

fn overwriting(mode: &[&str]) -> CommandLine {
    reference(mode).arg("--overwrite-pidfile")
}

fn with_log(sandbox: &Sandbox, mode: &[&str]) -> CommandLine {
    reference(mode).arg(format!("--log-file={}", sandbox.outdir().join("log").display()))
}

/// A start that does not overwrite is refused in the new owner's name.
#[track_caller]
fn assert_third_is_refused(sandbox: &Sandbox, owner: &Running) {
    for mode in MODES {
        is_refused(sandbox, &reference(mode), owner.pid);
    }
    assert_owns(&sandbox.pidfile(), owner.pid);
}

#[rstest]
fn the_old_owners_end_leaves_its_successors_pidfile(
    #[values(FOREGROUND, DETACHED, MONITORED, BOTH)] mode: &[&str],
    #[values(Signal::SIGTERM, Signal::SIGHUP, Signal::SIGKILL, Signal::SIGSEGV)] signal: Signal,
) {
    let sandbox = sandbox();
    let old = start(&sandbox, &reference(mode));
    let new = start(&sandbox, &overwriting(mode));
    assert!(old.is_alive() && old.pid != new.pid);
    is_refused(&sandbox, &reference(mode), new.pid);
    old.end_by(&sandbox, signal);
    assert!(new.is_alive());
    assert_third_is_refused(&sandbox, &new);
    new.stop(&sandbox);
    assert_clean(&sandbox);
    start(&sandbox, &reference(mode)).stop(&sandbox);
}

#[test]
fn the_pidfile_can_be_taken_over_again_and_again() {
    let sandbox = sandbox();
    let mut all = vec![start(&sandbox, &reference(BOTH))];
    for _ in 0..3 {
        all.push(start(&sandbox, &overwriting(BOTH)));
        assert_third_is_refused(&sandbox, all.last().unwrap());
    }
    let last = all.pop().unwrap();
    for old in all {
        old.stop(&sandbox);
        assert_owns(&sandbox.pidfile(), last.pid);
    }
    last.stop(&sandbox);
    assert_clean(&sandbox);
}

#[test]
fn overwriting_without_an_owner_is_an_ordinary_start() {
    let sandbox = sandbox();
    let running = start(&sandbox, &overwriting(DETACHED));
    is_refused(&sandbox, &reference(DETACHED), running.pid);
    running.stop(&sandbox);
    assert_clean(&sandbox);
}

#[test]
fn the_successors_end_lets_another_start_although_the_old_owner_lives() {
    let sandbox = sandbox();
    let old = start(&sandbox, &reference(BOTH));
    start(&sandbox, &overwriting(BOTH)).stop(&sandbox);
    assert!(old.is_alive());
    let third = start(&sandbox, &reference(BOTH));
    old.stop(&sandbox);
    assert_owns(&sandbox.pidfile(), third.pid);
}

#[test]
fn an_overwritten_monitor_does_not_restart_into_its_successors_place_and_says_so() {
    let sandbox = sandbox();
    let log = sandbox.outdir().join("log");
    let old = start(&sandbox, &with_log(&sandbox, BOTH));
    let new = start(&sandbox, &overwriting(BOTH));
    old.signal(Signal::SIGSEGV);
    old.subject.wait_empty(sandbox.deadline()).unwrap();
    wait_for_text(&sandbox, &new.subject, &log, "taken over by another instance by pid");
    assert_owns(&sandbox.pidfile(), new.pid);
}

#[test]
fn an_overwritten_monitor_does_not_restart_even_if_the_guard_was_emptied() {
    let sandbox = sandbox();
    let old = start(&sandbox, &reference(BOTH));
    let new = start(&sandbox, &overwriting(BOTH));
    std::fs::write(guard(&sandbox), "").unwrap();
    old.signal(Signal::SIGSEGV);
    old.subject.wait_empty(sandbox.deadline()).unwrap();
    assert_owns(&sandbox.pidfile(), new.pid);
}

#[test]
fn a_successor_that_crashes_is_restarted_and_owns_again() {
    let sandbox = sandbox();
    let old = start(&sandbox, &reference(BOTH));
    let new = start(&sandbox, &overwriting(BOTH));
    new.signal(Signal::SIGSEGV);
    new.subject.wait_gone(new.pid, sandbox.deadline()).unwrap();
    let again = own_pid(&sandbox, &new.subject);
    assert_ne!(again, new.pid);
    is_refused(&sandbox, &reference(BOTH), again);
    old.stop(&sandbox);
    assert_owns(&sandbox.pidfile(), again);
}
