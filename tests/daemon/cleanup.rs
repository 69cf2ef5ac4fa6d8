//! The pidfile goes with its daemon, and with nobody else.

use std::fs;
use std::process::ExitStatus;

use daemonproof::fixture::StartOptions;
use daemonproof::observe::PidfileContent;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use rstest::rstest;

use crate::support::{AT_ONCE, Mode, REFERENCE, Running, helper, killed_by, process};

/// The end of a daemon that is told how, by `SIGUSR1`.
fn end_of(mode: Mode, how: &str) -> (Running, ExitStatus) {
    let running = Running::start(helper(REFERENCE).arg(format!("--then={how}")), mode);
    assert_eq!(running.pidfile().pid(), Some(running.daemon));
    running.kill(running.daemon, Signal::SIGUSR1);
    let status = running.end();
    (running, status)
}

#[rstest]
fn it_is_removed_on_a_signal_which_the_status_tells(
    #[values(Mode::Foreground, Mode::Detached)] mode: Mode,
    #[values(Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGALRM)] signal: Signal,
) {
    let running = Running::start(helper(REFERENCE), mode);
    assert_eq!(running.pidfile().pid(), Some(running.daemon));
    running.kill(running.daemon, signal);
    assert_eq!(killed_by(running.end()), Some(signal));
    assert!(running.pidfile().is_missing());
}

#[rstest]
fn it_is_removed_on_return_from_main_and_on_exit(
    #[values(("return", 0), ("exit=0", 0), ("exit=5", 5))] (how, status): (&str, i32),
    #[values(Mode::Foreground, Mode::Detached)] mode: Mode,
) {
    let (running, ended) = end_of(mode, how);
    assert_eq!(ended.code(), Some(status));
    assert!(running.pidfile().is_missing());
}

#[rstest]
fn it_is_removed_when_a_monitored_daemon_ends_for_good(#[values("return", "exit=5")] how: &str) {
    let (running, ended) = end_of(Mode::DetachedMonitored, how);
    assert_eq!(ended.code(), Some(0));
    assert!(running.pidfile().is_missing());
}

#[test]
fn the_monitor_removes_what_a_killed_daemon_left() {
    let running = Running::start(helper(REFERENCE), Mode::DetachedMonitored);
    running.kill(running.daemon, Signal::SIGKILL);
    running.end();
    assert!(running.pidfile().is_missing());
}

#[rstest]
fn what_an_abort_or_sigkill_leaves_does_not_stop_the_next_start(
    #[values(Signal::SIGUSR1, Signal::SIGKILL)] signal: Signal,
) {
    let running = Running::start(helper(REFERENCE).arg("--then=abort"), Mode::Detached);
    running.kill(running.daemon, signal);
    let expected = if signal == Signal::SIGUSR1 { Signal::SIGABRT } else { signal };
    assert_eq!(killed_by(running.end()), Some(expected));
    assert!(matches!(running.pidfile().content, PidfileContent::Pid { pid, .. } if pid == running.daemon));
    assert_eq!(running.pidfile().locker, None);
    let options = StartOptions::new().instance(2);
    let next = Running::start_in(&running.sandbox, helper(REFERENCE), Mode::Detached, options);
    assert_eq!(next.pidfile().locker_pid(), Some(next.daemon));
}

#[rstest]
fn a_forked_child_that_exits_leaves_it_alone(
    #[values(Mode::Foreground, Mode::Detached, Mode::DetachedMonitored)] mode: Mode,
) {
    // The child has ended before the daemon is ready.
    let running = Running::start(helper(REFERENCE).arg("--fork=exits"), mode);
    assert_eq!(running.pidfile().pid(), Some(running.daemon));
    assert_eq!(running.pidfile().locker_pid(), Some(running.daemon));
}

#[rstest]
fn a_forked_child_that_is_killed_leaves_it_alone(
    #[values(Signal::SIGTERM, Signal::SIGHUP, Signal::SIGALRM)] signal: Signal,
) {
    let running = Running::start(helper(REFERENCE).arg("--fork=stays"), Mode::Detached);
    let live = running.subject.live_pids().unwrap();
    let worker = *live.iter().find(|&&pid| pid != running.daemon).unwrap();
    running.kill(worker, signal);
    running.subject.wait_gone(worker, running.sandbox.deadline()).unwrap();
    assert_eq!(running.pidfile().pid(), Some(running.daemon));
    assert_eq!(running.pidfile().locker_pid(), Some(running.daemon));
}

#[rstest]
fn a_file_that_took_its_place_is_left_alone(
    #[values(Mode::Foreground, Mode::Detached, Mode::DetachedMonitored)] mode: Mode,
    #[values(true, false)] names_the_daemon: bool,
) {
    let running = Running::start(helper(REFERENCE), mode);
    // A monitor removes whatever names its dead daemon.
    let content = if names_the_daemon && !mode.is_monitored() { running.daemon.as_raw() } else { 1 };
    let other = running.sandbox.rundir().join("other");
    fs::write(&other, format!("{content}\n")).unwrap();
    fs::rename(&other, running.sandbox.pidfile()).unwrap();
    running.kill(running.daemon, Signal::SIGTERM);
    running.end();
    assert_eq!(running.pidfile().pid(), Some(Pid::from_raw(content)));
}

#[rstest]
fn a_worker_that_outlives_its_daemon_does_not_stop_the_next_start(
    #[values(Mode::Detached, Mode::DetachedMonitored)] mode: Mode,
) {
    let running = Running::start(helper(REFERENCE).arg("--fork=stays"), mode);
    let live = running.subject.live_pids().unwrap();
    let worker = *live.iter().find(|&&pid| process(pid).ppid == running.daemon).unwrap();
    running.kill(running.daemon, Signal::SIGKILL);
    running.subject.wait_exit_of(running.top, running.sandbox.deadline()).unwrap();
    assert!(running.is_alive(worker));
    let options = StartOptions::new().instance(2);
    let next = Running::start_in(&running.sandbox, helper(REFERENCE), mode, options);
    running.kill(worker, Signal::SIGTERM);
    running.subject.wait_empty(running.sandbox.deadline()).unwrap();
    assert_eq!(next.pidfile().locker_pid(), Some(next.daemon));
}

#[test]
fn a_worker_of_a_crashed_daemon_does_not_stop_its_restart() {
    let running = Running::start(helper(REFERENCE).args(["--fork=stays", AT_ONCE]), Mode::DetachedMonitored);
    let second = running.crash(running.daemon);
    assert_eq!(running.pidfile().locker_pid(), Some(second));
    let third = running.crash(second);
    assert_eq!(process(third).ppid, running.top);
}
