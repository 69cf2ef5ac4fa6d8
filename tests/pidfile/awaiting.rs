//! While somebody is within the few system calls that change names, the others wait for it, but not for ever.
//! These tests take longer than those beside them, and are run in the order of their names: so it begins with an a.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;

use daemonproof::fixture::{CommandLine, FixtureError, Sandbox, Subject};
use daemonproof::observe::{Process, Signals, lock_state};
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc::{self, F_UNLCK, F_WRLCK};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::support::{
    BOTH, DETACHED, FOREGROUND, HANG, MODES, MONITORED, REFERENCE, assert_clean, assert_owns, command, fails,
    guard, own_pid, reference, sandbox, spawn, start,
};

/// Changes the lock on the guard's first byte, as somebody does who is stopped at a bad moment.
pub(crate) fn mutex(guard: &File, kind: libc::c_int) {
    let lock = libc::flock { l_type: kind as i16, l_whence: 0, l_start: 0, l_len: 1, l_pid: 0 };
    // A daemon that has just published its pidfile holds it for a few system calls more.
    fcntl(guard.as_fd(), FcntlArg::F_OFD_SETLKW(&lock)).unwrap();
}

pub(crate) fn open_guard(sandbox: &Sandbox) -> File {
    File::options().read(true).write(true).create(true).truncate(false).open(guard(sandbox)).unwrap()
}

fn somebody_waits(sandbox: &Sandbox) -> Result<Option<()>, FixtureError> {
    Ok((!lock_state(guard(sandbox)).unwrap().awaited.is_empty()).then_some(()))
}

#[test]
fn a_start_and_an_end_wait_for_whoever_changes_names() {
    for mode in MODES {
        let sandbox = sandbox();
        let file = open_guard(&sandbox);
        mutex(&file, F_WRLCK);
        let subject = spawn(&sandbox, &reference(mode));
        subject.wait_until("the start to wait", sandbox.deadline(), || somebody_waits(&sandbox)).unwrap();
        assert!(!sandbox.pidfile().exists());
        mutex(&file, F_UNLCK);
        let pid = own_pid(&sandbox, &subject);
        if mode.contains(&"--detach") {
            assert!(subject.wait_exit(sandbox.deadline()).unwrap().success());
        }
        mutex(&file, F_WRLCK);
        subject.signal(pid, Signal::SIGTERM).unwrap();
        subject.wait_until("the end to wait", sandbox.deadline(), || somebody_waits(&sandbox)).unwrap();
        assert_owns(&sandbox.pidfile(), pid);
        mutex(&file, F_UNLCK);
        subject.wait_empty(sandbox.deadline()).unwrap();
        assert_clean(&sandbox);
    }
}

#[test]
fn a_start_gives_up_in_the_end_and_names_the_guard() {
    let sandbox = sandbox();
    let file = open_guard(&sandbox);
    mutex(&file, F_WRLCK);
    let said = fails(&sandbox, &reference(BOTH));
    let text = format!("failed to lock {}: held for more than 10 seconds", guard(&sandbox).display());
    assert!(said.contains(&text), "{said}");
    assert_clean(&sandbox);
}

#[test]
fn an_end_gives_up_waiting_and_leaves_a_stale_pidfile() {
    let sandbox = sandbox();
    let running = start(&sandbox, &reference(DETACHED));
    let file = open_guard(&sandbox);
    mutex(&file, F_WRLCK);
    running.stop(&sandbox);
    mutex(&file, F_UNLCK);
    assert!(sandbox.pidfile().exists());
    start(&sandbox, &reference(DETACHED)).stop(&sandbox);
    assert_clean(&sandbox);
}

/// Whoever takes the pidfile for the sign that a daemon in the foreground runs must not find a moment in which it does
/// not do yet what it was started for: signals `command` before it has a pidfile.
fn signalled_before_its_pidfile(sandbox: &Sandbox, command: &CommandLine, signal: Signal) -> Subject {
    let file = open_guard(sandbox);
    mutex(&file, F_WRLCK);
    let subject = spawn(sandbox, command);
    subject.wait_until("the start to wait", sandbox.deadline(), || somebody_waits(sandbox)).unwrap();
    assert!(!sandbox.pidfile().exists());
    subject.signal(subject.pid(), signal).unwrap();
    mutex(&file, F_UNLCK);
    subject
}

fn signals_of(pid: Pid) -> Signals {
    Process::of(pid).unwrap().present().unwrap_or_else(|| panic!("pid {pid} is gone")).signals
}

#[test]
fn a_daemon_that_hangs_on_sigterm_does_so_before_it_has_a_pidfile() {
    let sandbox = sandbox();
    let command = command(HANG, FOREGROUND).arg("--when=on-sigterm");
    let subject = signalled_before_its_pidfile(&sandbox, &command, Signal::SIGTERM);
    let pid = own_pid(&sandbox, &subject);
    let settled = || {
        let signals = signals_of(pid);
        let ignores = signals.ignored.contains(Signal::SIGTERM) && !signals.blocked.contains(Signal::SIGTERM);
        Ok::<_, FixtureError>(ignores.then_some(()))
    };
    subject.wait_until("SIGTERM to be ignored", sandbox.deadline(), settled).unwrap();
    subject.signal(pid, Signal::SIGTERM).unwrap();
    subject.signal(pid, Signal::SIGINT).unwrap();
    assert_eq!(subject.wait_exit(sandbox.deadline()).unwrap().signal(), Some(Signal::SIGINT as i32));
}

#[test]
fn a_daemon_that_hangs_is_deaf_before_it_has_a_pidfile() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGSEGV] {
        let sandbox = sandbox();
        let subject = signalled_before_its_pidfile(&sandbox, &command(HANG, FOREGROUND), signal);
        let pid = own_pid(&sandbox, &subject);
        assert!(signals_of(pid).pending.contains(signal), "{signal}");
    }
}

#[test]
fn a_monitored_daemon_that_hangs_is_deaf_before_it_has_a_pidfile() {
    for when in ["--when=on-sigterm", "--when=after-ready"] {
        let sandbox = sandbox();
        let file = open_guard(&sandbox);
        mutex(&file, F_WRLCK);
        let subject = spawn(&sandbox, &command(HANG, MONITORED).arg(when));
        subject.wait_until("the start to wait", sandbox.deadline(), || somebody_waits(&sandbox)).unwrap();
        // What will be the monitor; the daemon begins with what it has blocked.
        assert!(signals_of(subject.pid()).blocked.contains(Signal::SIGTERM));
        mutex(&file, F_UNLCK);
        let daemon = own_pid(&sandbox, &subject);
        assert_ne!(daemon, subject.pid());
        subject.signal(daemon, Signal::SIGTERM).unwrap();
        // It reaches the monitor, which hands it on.
        subject.signal(subject.pid(), Signal::SIGTERM).unwrap();
        let deaf = || {
            let signals = signals_of(daemon);
            let deaf = signals.ignored.contains(Signal::SIGTERM) || signals.pending.contains(Signal::SIGTERM);
            Ok::<_, FixtureError>(deaf.then_some(()))
        };
        subject.wait_until("SIGTERM to be without effect", sandbox.deadline(), deaf).unwrap();
        subject.signal(daemon, Signal::SIGKILL).unwrap();
        subject.wait_empty(sandbox.deadline()).unwrap();
    }
}

#[test]
fn a_reference_daemon_that_ends_on_request_does_so_before_it_has_a_pidfile() {
    let sandbox = sandbox();
    let command = command(REFERENCE, FOREGROUND).arg("--then=exit=3");
    let subject = signalled_before_its_pidfile(&sandbox, &command, Signal::SIGUSR1);
    assert_eq!(subject.wait_exit(sandbox.deadline()).unwrap().code(), Some(3));
    assert_clean(&sandbox);
}
