//! One owner at a time, known to all.

use std::fs;
use std::path::Path;

use daemonproof::fixture::{CommandLine, StartOptions};
use daemonproof::observe::{LockKind, locks_on};
use nix::sys::signal::Signal;
use rstest::rstest;

use crate::support::{
    BOTH, DETACHED, FOREGROUND, MODES, MONITORED, REFERENCE, SLOW_START, assert_clean, assert_missing,
    assert_owns, command, facts, fails, guard, is_refused, own_pid, owner, reference, sandbox, spawn, start,
    start_with, wait_for_text,
};

#[rstest]
fn a_second_start_is_refused_whatever_the_modes(
    #[values(FOREGROUND, DETACHED, MONITORED, BOTH)] first: &[&str],
) {
    let sandbox = sandbox();
    let running = start(&sandbox, &reference(first));
    for second in MODES {
        is_refused(&sandbox, &reference(second), running.pid);
        assert!(running.is_alive());
        assert_owns(&sandbox.pidfile(), running.pid);
    }
    running.stop(&sandbox);
    assert_clean(&sandbox);
    start(&sandbox, &reference(first)).stop(&sandbox);
}

#[rstest]
fn the_pidfile_is_0644_and_the_guard_0600_whatever_the_umask(
    #[values(FOREGROUND, BOTH)] mode: &[&str],
    #[values(0o000, 0o022, 0o077, 0o777)] umask: u32,
) {
    let sandbox = sandbox();
    for _ in 0..2 {
        let running = start_with(&sandbox, &reference(mode), StartOptions::new().umask(umask));
        assert_owns(&sandbox.pidfile(), running.pid);
        let mode = |path: &Path| facts(path).unwrap().1;
        assert_eq!(mode(&sandbox.pidfile()), 0o100_644);
        assert_eq!(mode(&guard(&sandbox)), 0o100_600);
        assert_eq!(sandbox.litter().unwrap(), [".daemon.pid.lock", "daemon.pid"]);
        running.stop(&sandbox);
        assert_eq!(sandbox.litter().unwrap(), [".daemon.pid.lock"]);
    }
}

#[test]
fn the_guard_is_locked_by_monitor_and_daemon_alike() {
    let sandbox = sandbox();
    let running = start(&sandbox, &reference(BOTH));
    for pid in [running.pid, running.monitor()] {
        let locks = locks_on(guard(&sandbox), &[pid]).unwrap();
        assert!(
            locks.iter().any(|held| held.lock.kind == LockKind::Ofd && held.lock.is_write()),
            "{locks:?}"
        );
    }
}

#[test]
fn a_start_is_refused_while_the_owner_is_still_starting() {
    let sandbox = sandbox();
    let slow = spawn(&sandbox, &command(SLOW_START, &["--detach", "--monitor", "--delay=1h"]));
    let pid = own_pid(&sandbox, &slow);
    for mode in MODES {
        is_refused(&sandbox, &reference(mode), pid);
    }
    assert!(slow.exit_of(slow.pid()).is_none());
    slow.signal(pid, Signal::SIGTERM).unwrap();
    slow.wait_empty(sandbox.deadline()).unwrap();
    assert_clean(&sandbox);
}

#[test]
fn a_start_is_refused_while_the_monitor_waits_and_names_the_monitor() {
    let sandbox = sandbox();
    let log = sandbox.outdir().join("log");
    let with_log = reference(BOTH).arg(format!("--log-file={}", log.display()));
    let running = start(&sandbox, &with_log.arg("--restart-interval=1h"));
    let monitor = running.monitor();
    running.signal(Signal::SIGSEGV);
    running.subject.wait_gone(running.pid, sandbox.deadline()).unwrap();
    let second = own_pid(&sandbox, &running.subject);
    assert_ne!(second, running.pid);
    running.subject.signal(second, Signal::SIGSEGV).unwrap();
    wait_for_text(&sandbox, &running.subject, &log, "waiting until 3600 seconds since last restart");
    let stale = facts(&sandbox.pidfile());
    for mode in MODES {
        is_refused(&sandbox, &reference(mode), monitor);
    }
    assert_eq!(facts(&sandbox.pidfile()), stale);
    running.subject.signal(monitor, Signal::SIGTERM).unwrap();
    running.subject.wait_empty(sandbox.deadline()).unwrap();
    assert_clean(&sandbox);
}

#[rstest]
#[case(Signal::SIGTERM, true)]
#[case(Signal::SIGINT, true)]
#[case(Signal::SIGHUP, true)]
#[case(Signal::SIGALRM, true)]
#[case(Signal::SIGKILL, false)]
#[case(Signal::SIGQUIT, false)]
fn a_signal_that_can_be_handled_removes_the_pidfile(#[case] signal: Signal, #[case] removed: bool) {
    let sandbox = sandbox();
    let running = start(&sandbox, &reference(DETACHED));
    running.end_by(&sandbox, signal);
    assert_eq!(!sandbox.pidfile().exists(), removed);
    start(&sandbox, &reference(DETACHED)).stop(&sandbox);
    assert_clean(&sandbox);
}

#[rstest]
fn a_start_that_fails_leaves_no_pidfile(#[values(FOREGROUND, DETACHED, MONITORED, BOTH)] mode: &[&str]) {
    let sandbox = sandbox();
    let said = fails(&sandbox, &reference(mode).arg("--fail=1"));
    assert!(said.contains("failed to initialise"), "{said}");
    assert_clean(&sandbox);
    start(&sandbox, &reference(mode)).stop(&sandbox);
}

#[test]
fn pidfiles_of_other_names_do_not_disturb_each_other() {
    let sandbox = sandbox();
    let named = |name: &str| CommandLine::new(REFERENCE).arg(format!("--pidfile={{rundir}}/{name}"));
    let (first, second) = (named("a"), named("a.lock"));
    let subjects = [first, second].map(|command| {
        let subject = sandbox.start(&command.arg("--detach"), StartOptions::new()).unwrap();
        assert!(subject.wait_exit(sandbox.deadline()).unwrap().success());
        subject
    });
    for (subject, name) in subjects.iter().zip(["a", "a.lock"]) {
        let path = sandbox.rundir().join(name);
        let pid = owner(&path).unwrap();
        assert_owns(&path, pid);
        subject.signal(pid, Signal::SIGTERM).unwrap();
        subject.wait_empty(sandbox.deadline()).unwrap();
        assert_missing(&path);
    }
    assert!(fs::read_dir(sandbox.rundir()).unwrap().count() == 2, "only the guards are left");
}
