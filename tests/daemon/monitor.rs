//! The monitor: what it does when its daemon dies, and when it is told something itself.

use std::fs;

use daemonproof::fixture::{CommandLine, StartOptions};
use daemonproof::observe::{Pidfile, PidfileContent};
use nix::sys::signal::Signal;
use rstest::rstest;

use crate::support::{
    AT_ONCE, CRASH, HANG, Mode, NEVER, REFERENCE, Running, after_shell, helper, process, run, sandbox,
};

/// A daemon that starts once, and dies before it is ready in all starts after that.
fn failing_restarts() -> CommandLine {
    helper(CRASH).args(["--when=before-ready", "--skip=1", "--count-file={rundir}/count"])
}

#[rstest]
fn a_signal_to_the_monitor_is_forwarded_and_both_end(
    #[values(Mode::Monitored, Mode::DetachedMonitored)] mode: Mode,
    #[values((Signal::SIGTERM, "Terminated"), (Signal::SIGINT, "Interrupt"), (Signal::SIGQUIT, "Quit"))]
    (signal, said): (Signal, &str),
) {
    let running = Running::start(helper(REFERENCE), mode);
    running.kill(running.top, signal);
    assert_eq!(running.end().code(), Some(0));
    let log = running.log().join("\n");
    assert!(log.starts_with(&format!("INFO pid {} died, killed ({said})", running.daemon)), "{log}");
    assert!(log.ends_with(", exiting"), "{log}");
    assert!(running.pidfile().is_missing());
}

#[test]
fn a_forwarded_signal_that_the_daemon_handles_ends_it_as_it_likes() {
    let running = Running::start(helper(REFERENCE).arg("--then=exit=5"), Mode::DetachedMonitored);
    running.kill(running.top, Signal::SIGUSR1);
    assert_eq!(running.end().code(), Some(0));
    assert_eq!(running.log(), [format!("INFO pid {} died, exit status 5, exiting", running.daemon)]);
}

#[test]
fn sigterm_during_the_throttle_ends_the_monitor_and_starts_nothing() {
    let running = Running::start(helper(REFERENCE).arg(NEVER), Mode::DetachedMonitored);
    let second = running.crash(running.daemon);
    running.kill(second, Signal::SIGSEGV);
    running.wait_for_log("waiting until 3600 seconds since last restart");
    assert!(matches!(running.pidfile().content, PidfileContent::Pid { pid, .. } if pid == second));
    assert_eq!(running.pidfile().locker_pid(), None, "stale: its daemon was killed");
    assert_eq!(running.subject.live_pids().unwrap(), [running.top]);
    running.kill(running.top, Signal::SIGTERM);
    assert_eq!(running.end().code(), Some(0));
    assert!(running.pidfile().is_missing());
    assert_eq!(running.log().last().unwrap(), "INFO told to stop, exiting");
}

#[test]
fn the_pidfile_stays_owned_during_the_throttle() {
    let running = Running::start(helper(REFERENCE).arg(NEVER), Mode::DetachedMonitored);
    let second = running.crash(running.daemon);
    running.kill(second, Signal::SIGSEGV);
    running.wait_for_log("waiting until");
    let other = run(&running.sandbox, helper(REFERENCE).arg("--detach"), StartOptions::new().instance(2));
    assert_eq!(other.status.code(), Some(1));
    assert!(other.stderr.contains("already running"), "{}", other.stderr);
}

#[test]
fn sighup_is_forwarded_without_ending_a_detached_monitor() {
    let command = helper(HANG).args(["--when=after-ready", "--restart-on=failure", AT_ONCE]);
    let running = Running::start(command, Mode::DetachedMonitored);
    for signal in [Signal::SIGHUP, Signal::SIGUSR1] {
        running.kill(running.top, signal);
        let pending = || Ok(process(running.daemon).signals.pending.contains(signal).then_some(()));
        running.wait_for("the forwarded signal", pending);
    }
    running.kill(running.daemon, Signal::SIGKILL);
    assert_eq!(process(running.next_daemon(running.daemon)).ppid, running.top);
}

#[test]
fn a_monitor_that_is_told_to_end_does_so_even_if_it_always_restarts() {
    let command = helper(REFERENCE).args(["--restart-on=always", AT_ONCE]);
    let running = Running::start(command, Mode::DetachedMonitored);
    running.kill(running.top, Signal::SIGTERM);
    assert_eq!(running.end().code(), Some(0));
    assert!(running.pidfile().is_missing());
}

#[test]
fn sighup_from_a_terminal_ends_monitor_and_daemon() {
    let running = Running::start(helper(REFERENCE), Mode::Monitored);
    running.kill(running.top, Signal::SIGHUP);
    assert_eq!(running.end().code(), Some(0));
    assert!(running.pidfile().is_missing());
}

#[test]
fn a_daemon_that_was_ready_once_is_retried_and_judged_by_its_own_status() {
    let command = failing_restarts().args(["--times=2", "--exit=5", AT_ONCE]);
    let running = Running::start(command, Mode::DetachedMonitored);
    running.kill(running.daemon, Signal::SIGKILL);
    // By default SIGKILL is no reason to restart.
    running.end();

    let command = failing_restarts().args(["--times=2", "--exit=5", AT_ONCE]);
    let running = Running::start(command, Mode::DetachedMonitored);
    running.kill(running.daemon, Signal::SIGSEGV);
    running.wait_for_log("3 crashes");
    let log = running.log();
    let said = |n: usize, text: &str| {
        log[n].starts_with(&format!("ERROR {} crashes: pid ", n + 1)) && log[n].contains(text)
    };
    assert!(said(0, " died, killed (Segmentation fault)"), "{log:?}");
    assert!(said(1, " died, exit status 5, restarting"), "{log:?}");
    assert!(said(2, " died, exit status 5, restarting"), "{log:?}");
    let last = running.next_daemon(running.daemon);
    assert_eq!(process(last).ppid, running.top);
}

#[rstest]
fn the_pidfile_stays_owned_after_a_restart_that_failed(
    #[values("--exit=5", "--exit=0", "--signal=KILL")] how: &str,
) {
    let running = Running::start(failing_restarts().args([how, NEVER]), Mode::DetachedMonitored);
    running.kill(running.daemon, Signal::SIGSEGV);
    running.wait_for_log("2 crashes");
    let other = run(&running.sandbox, helper(REFERENCE).arg("--detach"), StartOptions::new().instance(2));
    assert_eq!(other.status.code(), Some(1), "two daemons would run");
    assert!(other.stderr.contains("already running"), "{}", other.stderr);
}

#[rstest]
fn sigterm_to_a_restarted_daemon_that_is_not_ready_yet_ends_all(#[values(true, false)] to_the_monitor: bool) {
    let running = Running::start(failing_restarts().args(["--after=1h", AT_ONCE]), Mode::DetachedMonitored);
    let second = running.crash(running.daemon);
    running.kill(if to_the_monitor { running.top } else { second }, Signal::SIGTERM);
    assert_eq!(running.end().code(), Some(0));
    assert!(running.pidfile().is_missing());
}

#[test]
fn the_monitor_learns_of_an_operators_new_guard_before_it_restarts() {
    let running = Running::start(helper(REFERENCE).arg(AT_ONCE), Mode::DetachedMonitored);
    fs::remove_file(running.sandbox.rundir().join(".daemon.pid.lock")).unwrap();
    let second = running.crash(running.daemon);
    let other = run(&running.sandbox, helper(REFERENCE).arg("--detach"), StartOptions::new().instance(2));
    assert!(other.stderr.contains(&format!("already running as pid {second}")), "{}", other.stderr);
}

/// Starts a second instance that takes the pidfile over.
fn overwrite(first: &Running) -> Running {
    let command = helper(REFERENCE).args(["--overwrite-pidfile", NEVER]);
    let options = StartOptions::new().instance(2);
    Running::start_in(&first.sandbox, command, Mode::DetachedMonitored, options)
}

#[test]
fn an_overwritten_monitor_restarts_nothing() {
    let first = Running::start(helper(REFERENCE).arg(AT_ONCE), Mode::DetachedMonitored);
    let second = overwrite(&first);
    first.kill(first.daemon, Signal::SIGSEGV);
    assert_eq!(first.end().code(), Some(1));
    assert!(first.log().last().unwrap().contains("taken over by another instance"), "{:?}", first.log());
    assert_eq!(second.pidfile().locker_pid(), Some(second.daemon));
}

#[test]
fn an_overwriting_instance_owns_the_pidfile_through_its_throttle() {
    let first = Running::start(helper(REFERENCE), Mode::DetachedMonitored);
    let second = overwrite(&first);
    first.kill(first.top, Signal::SIGTERM);
    first.end();
    let next = second.crash(second.daemon);
    second.kill(next, Signal::SIGSEGV);
    second.wait_for_log("waiting until");
    let third = run(&first.sandbox, helper(REFERENCE).arg("--detach"), StartOptions::new().instance(3));
    assert!(third.stderr.contains("already running"), "{}", third.stderr);
}

/// A core can be looked for only where the kernel writes it to the working directory.
fn cores_are_written_here() -> bool {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    !pattern.starts_with(['|', '/', '@'])
}

#[test]
fn the_first_core_dump_is_the_last() {
    let sandbox = sandbox();
    let command = Mode::DetachedMonitored.apply(helper(REFERENCE).args([AT_ONCE, "--no-chdir"]));
    let command = after_shell("ulimit -S -c unlimited 2>&-", command);
    let options = StartOptions::new().core_files(true).cwd(sandbox.outdir());
    let subject = run(&sandbox, command, options);
    assert!(subject.status.success(), "{}", subject.stderr);
    let first = Pidfile::at(sandbox.pidfile()).pid().unwrap();
    if !cores_are_written_here() || process(first).core_limit.soft == Some(0) {
        eprintln!("not judged: this system writes no core to the working directory");
        return;
    }
    let running = Running { sandbox, top: process(first).ppid, daemon: first, subject: subject.subject };
    let second = running.crash(first);
    let dumped = running.log()[0].contains("killed (Segmentation fault), core dumped, restarting");
    let expected = if dumped { Some(0) } else { process(running.top).core_limit.soft };
    assert_eq!(process(second).core_limit.soft, expected);
    let third = running.crash(second);
    assert!(!running.log()[1].contains("core dumped") || !dumped, "{:?}", running.log());
    assert_eq!(process(third).ppid, running.top);
}
