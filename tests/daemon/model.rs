//! What Open vSwitch's own tests of its daemons promise (`tests/daemon.at`).

use daemonproof::fixture::StartOptions;
use daemonproof::observe::Pidfile;
use nix::sys::signal::Signal;
use rstest::rstest;

use crate::support::{
    Mode, NEVER, PUBLISHED_PROTOCOL, REFERENCE, Running, helper, killed_by, process, run, sandbox,
};

#[test]
fn in_the_foreground_the_started_process_is_the_daemon() {
    let running = Running::start(helper(REFERENCE), Mode::Foreground);
    assert_eq!(running.daemon, running.subject.pid());
    assert_eq!(running.pidfile().locker_pid(), Some(running.daemon));
    running.kill(running.daemon, Signal::SIGTERM);
    assert_eq!(killed_by(running.end()), Some(Signal::SIGTERM));
    assert!(running.pidfile().is_missing());
}

#[rstest]
fn a_crash_brings_a_new_pid_under_the_same_monitor(
    #[values(Mode::Monitored, Mode::DetachedMonitored)] mode: Mode,
) {
    let running = Running::start(helper(REFERENCE).arg(NEVER), mode);
    assert_eq!(running.top == running.subject.pid(), mode == Mode::Monitored);
    assert_ne!(running.monitor().ppid, running.subject.pid(), "the monitor is not the starter's child");
    let second = running.crash(running.daemon);
    assert_eq!(process(second).ppid, running.top);
    assert_eq!(process(second).comm, "reference");
    assert_eq!(running.pidfile().locker_pid(), Some(second));
    assert!(!running.is_alive(running.daemon));
    running.kill(second, Signal::SIGTERM);
    assert_eq!(running.end().code(), Some(0));
    assert!(running.pidfile().is_missing());
}

#[rstest]
fn the_pidfile_is_complete_when_the_command_returns(
    #[values(Mode::Detached, Mode::DetachedMonitored)] mode: Mode,
) {
    let sandbox = sandbox();
    let outcome = run(&sandbox, mode.apply(helper(REFERENCE)), StartOptions::new());
    let pidfile = Pidfile::at(sandbox.pidfile());
    let daemon = pidfile.pid().unwrap();
    assert_eq!(std::fs::read_to_string(sandbox.pidfile()).unwrap(), format!("{daemon}\n"));
    assert_eq!(pidfile.locker_pid(), Some(daemon));
    assert_eq!(pidfile.file.unwrap().mode, 0o644);
    assert_eq!(process(daemon).comm, "reference");
    assert!(outcome.subject.live_pids().unwrap().contains(&daemon));
    assert_eq!(sandbox.litter().unwrap(), [".daemon.pid.lock", "daemon.pid", "log"]);
    assert!(outcome.status.success() && outcome.stderr.is_empty(), "{}", outcome.stderr);
}

#[rstest]
fn sigterm_ends_all_and_removes_the_pidfile(#[values(Mode::Detached, Mode::DetachedMonitored)] mode: Mode) {
    let running = Running::start(helper(REFERENCE), mode);
    running.kill(running.daemon, Signal::SIGTERM);
    let status = running.end();
    match mode.is_monitored() {
        true => assert_eq!(status.code(), Some(0)),
        false => assert_eq!(killed_by(status), Some(Signal::SIGTERM)),
    }
    assert!(running.pidfile().is_missing());
}

#[rstest]
fn a_startup_error_reaches_whoever_started_it(
    #[values(Mode::Foreground, Mode::Monitored, Mode::Detached, Mode::DetachedMonitored)] mode: Mode,
) {
    let sandbox = sandbox();
    let outcome = run(&sandbox, mode.apply(helper(REFERENCE).arg("--fail=3")), StartOptions::new());
    assert_eq!(outcome.status.code(), Some(3));
    assert_eq!(outcome.stderr, "reference: failed to initialise, as it was told\n");
    assert_eq!(outcome.subject.live_pids().unwrap(), []);
    assert!(!sandbox.pidfile().exists(), "{:?}", sandbox.litter());
}

#[rstest]
fn a_second_start_is_refused(
    #[values(Mode::Foreground, Mode::Monitored, Mode::Detached, Mode::DetachedMonitored)] mode: Mode,
    #[values(Mode::Detached, Mode::DetachedMonitored)] first: Mode,
) {
    let running = Running::start(helper(REFERENCE), first);
    let second = run(&running.sandbox, mode.apply(helper(REFERENCE)), StartOptions::new().instance(2));
    let (pidfile, daemon) = (running.sandbox.pidfile(), running.daemon);
    let message = format!("reference: {}: already running as pid {daemon}, aborting\n", pidfile.display());
    assert_eq!((second.status.code(), second.stderr), (Some(1), message));
    assert_eq!(second.subject.live_pids().unwrap(), []);
    assert_eq!(running.pidfile().locker_pid(), Some(daemon));
    assert_eq!(running.pidfile().pid(), Some(daemon));
}

#[rstest]
fn an_overwritten_daemon_lives_on_and_leaves_the_pidfile_to_its_successor(
    #[values(Mode::Detached, Mode::DetachedMonitored)] mode: Mode,
) {
    let first = Running::start(helper(REFERENCE), mode);
    let overwriting = helper(REFERENCE).arg("--overwrite-pidfile");
    let second = Running::start_in(&first.sandbox, overwriting, mode, StartOptions::new().instance(2));
    assert_ne!(second.daemon, first.daemon);
    assert!(first.is_alive(first.daemon));
    first.kill(first.daemon, Signal::SIGTERM);
    first.end();
    assert_eq!(second.pidfile().pid(), Some(second.daemon));
    assert_eq!(second.pidfile().locker_pid(), Some(second.daemon));
    let third = run(&first.sandbox, mode.apply(helper(REFERENCE)), StartOptions::new().instance(3));
    assert!(third.stderr.contains(&format!("already running as pid {}", second.daemon)), "{}", third.stderr);
}

#[test]
fn the_published_protocol_keeps_these_promises_while_nobody_contends() {
    let running = Running::start(helper(PUBLISHED_PROTOCOL), Mode::DetachedMonitored);
    assert_eq!(running.pidfile().locker_pid(), Some(running.daemon));
    let second = run(&running.sandbox, helper(PUBLISHED_PROTOCOL), StartOptions::new().instance(2));
    let refusal = format!("already running as pid {}, aborting", running.daemon);
    assert!(second.status.code() == Some(1) && second.stderr.contains(&refusal), "{}", second.stderr);
    running.kill(running.top, Signal::SIGTERM);
    assert_eq!(running.end().code(), Some(0));
    assert!(running.pidfile().is_missing());
}
