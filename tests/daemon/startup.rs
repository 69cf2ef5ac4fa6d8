//! How the outcome of a start reaches whoever started it.

use std::time::{Duration, Instant};

use daemonproof::fixture::{FixtureError, StartOptions};
use daemonproof::observe::Pidfile;
use nix::sys::signal::Signal;
use rstest::rstest;

use crate::support::{
    CRASH, HANG, Mode, Outcome, Running, SLOW_START, helper, killed_by, process, run, sandbox,
};

/// The start failed, nothing runs and there is no pidfile.
fn fails(program: &str, mode: Mode, arguments: &[&str]) -> Outcome {
    let sandbox = sandbox();
    let command = mode.apply(helper(program)).args(arguments.iter().copied());
    let outcome = run(&sandbox, command, StartOptions::new());
    assert!(!outcome.status.success());
    outcome.subject.wait_empty(sandbox.deadline()).unwrap();
    outcome
}

#[rstest]
fn death_by_a_signal_before_ready_is_told(
    #[values("before-pidfile", "before-ready")] when: &str,
    #[values(Mode::Monitored, Mode::Detached, Mode::DetachedMonitored)] mode: Mode,
) {
    let outcome = fails(CRASH, mode, &["--signal=KILL", "--when", when]);
    let lost = if mode.is_monitored() {
        "could not initiate process monitoring"
    } else {
        "could not detach from foreground session"
    };
    let message =
        format!("crash: fork child died before signaling startup (killed (Killed))\ncrash: {lost}\n");
    assert_eq!((outcome.status.code(), outcome.stderr), (Some(1), message));
}

/// Where cores are piped to a program no limit stops them, and the message says so.
#[test]
fn the_message_names_the_signal_as_people_know_it() {
    let outcome = fails(CRASH, Mode::Detached, &["--signal=SEGV", "--when=before-ready"]);
    let said = "crash: fork child died before signaling startup (killed (Segmentation fault)";
    assert!(outcome.stderr.starts_with(said), "{}", outcome.stderr);
}

#[rstest]
fn in_the_foreground_the_starter_sees_the_signal_itself(
    #[values("before-pidfile", "before-ready")] when: &str,
) {
    let outcome = fails(CRASH, Mode::Foreground, &["--signal=SIGKILL", "--when", when]);
    assert_eq!((killed_by(outcome.status), outcome.stderr.as_str()), (Some(Signal::SIGKILL), ""));
}

#[rstest]
fn an_exit_status_before_ready_is_passed_on(
    #[values("before-pidfile", "before-ready")] when: &str,
    #[values(1, 7, 255)] status: i32,
    #[values(Mode::Foreground, Mode::Monitored, Mode::Detached, Mode::DetachedMonitored)] mode: Mode,
) {
    let exit = format!("--exit={status}");
    let outcome = fails(CRASH, mode, &[&exit, "--when", when]);
    assert_eq!((outcome.status.code(), outcome.stderr.as_str()), (Some(status), ""));
}

#[rstest]
fn exit_0_before_ready_is_a_failure(
    #[values("before-pidfile", "before-ready")] when: &str,
    #[values(Mode::Monitored, Mode::Detached, Mode::DetachedMonitored)] mode: Mode,
) {
    let outcome = fails(CRASH, mode, &["--exit=0", "--when", when]);
    assert_eq!(outcome.status.code(), Some(1));
    let said = "crash: fork child died before signaling startup (exit status 0)\n";
    assert!(outcome.stderr.starts_with(said), "{}", outcome.stderr);
}

#[rstest]
fn a_daemon_that_hangs_is_ended_after_the_timeout(
    #[values("before-pidfile", "before-ready")] when: &str,
    #[values(Mode::Detached, Mode::DetachedMonitored)] mode: Mode,
) {
    let began = Instant::now();
    let outcome = fails(HANG, mode, &["--startup-timeout=250ms", "--when", when]);
    assert!(began.elapsed() >= Duration::from_millis(250));
    assert_eq!(outcome.status.code(), Some(1));
    let said = "did not become ready within 0.25 seconds; told it to stop\n\
                hang: could not detach from foreground session\n";
    assert!(outcome.stderr.contains(said), "{}", outcome.stderr);
}

#[rstest]
fn a_failed_start_leaves_no_pidfile(
    #[values("--exit=7", "--exit=0")] how: &str,
    #[values(Mode::Foreground, Mode::Monitored, Mode::Detached, Mode::DetachedMonitored)] mode: Mode,
) {
    let sandbox = sandbox();
    let command = mode.apply(helper(CRASH)).arg(how).arg("--when=before-ready");
    run(&sandbox, command, StartOptions::new()).subject.wait_empty(sandbox.deadline()).unwrap();
    assert_eq!(sandbox.litter().unwrap(), [".daemon.pid.lock", "log"]);
}

#[rstest]
fn the_monitor_removes_the_pidfile_of_a_first_daemon_that_was_killed(
    #[values(Mode::Monitored, Mode::DetachedMonitored)] mode: Mode,
) {
    let sandbox = sandbox();
    let command = mode.apply(helper(CRASH)).arg("--signal=KILL").arg("--when=before-ready");
    run(&sandbox, command, StartOptions::new()).subject.wait_empty(sandbox.deadline()).unwrap();
    assert_eq!(sandbox.litter().unwrap(), [".daemon.pid.lock", "log"]);
}

#[rstest]
fn the_command_returns_when_the_daemon_is_ready_and_not_before(
    #[values(Mode::Detached, Mode::DetachedMonitored)] mode: Mode,
) {
    let began = Instant::now();
    let running = Running::start(helper(SLOW_START).arg("--delay=300ms"), mode);
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert_eq!(process(running.daemon).comm, "slow-start");
    running.kill(running.top, Signal::SIGTERM);
    running.end();
}

#[rstest]
fn the_command_waits_although_there_is_a_pidfile(
    #[values(Mode::Detached, Mode::DetachedMonitored)] mode: Mode,
) {
    let sandbox = sandbox();
    let command = mode.apply(helper(HANG)).arg("--when=before-ready");
    let subject = sandbox.start(&command, StartOptions::new()).unwrap();
    let there = || Ok::<_, FixtureError>(sandbox.pidfile().exists().then_some(()));
    subject.wait_until("the pidfile", sandbox.deadline(), there).unwrap();
    assert_eq!(subject.exit_of(subject.pid()), None);
    let daemon = Pidfile::at(sandbox.pidfile()).pid().unwrap();
    subject.signal(daemon, Signal::SIGKILL).unwrap();
    assert_eq!(subject.wait_exit(sandbox.deadline()).unwrap().code(), Some(1));
}

#[rstest]
fn a_slow_failure_arrives_as_well(
    #[values(Mode::Foreground, Mode::Monitored, Mode::Detached, Mode::DetachedMonitored)] mode: Mode,
) {
    let outcome = fails(SLOW_START, mode, &["--delay=100ms", "--fail=4"]);
    let message = "slow-start: failed to initialise, as it was told\n";
    assert_eq!((outcome.status.code(), outcome.stderr.as_str()), (Some(4), message));
}

/// Whoever waited until it was ready finds the start counted.
#[test]
fn a_start_is_counted_before_it_is_ready() {
    let outcome = fails(CRASH, Mode::Detached, &["--skip=1", "--count-file={rundir}/missing/count"]);
    assert_eq!(outcome.status.code(), Some(1));
    assert!(outcome.stderr.contains("failed to count in "), "{}", outcome.stderr);
}
