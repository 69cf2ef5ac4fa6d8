//! Which deaths lead to a restart, how soon, and when it is enough.

use std::time::Duration;

use daemonproof::fixture::{CommandLine, FixtureError, StartOptions};
use nix::sys::signal::Signal;
use nix::unistd::{Pid, SysconfVar, sysconf};
use rstest::rstest;

use crate::support::{
    AT_ONCE, CRASH, Mode, NEVER, REFERENCE, Running, count, helper, lines_of, process, run, sandbox,
};

/// Dies once it is ready, the first `times` times.
fn crash(how: &str, times: u32) -> CommandLine {
    helper(CRASH).arg(how).arg(format!("--times={times}")).arg("--count-file={rundir}/count")
}

/// Whether a daemon that dies like this, with this restart policy, is started again.
fn is_restarted(how: &str, policy: &str) -> bool {
    let sandbox = sandbox();
    let command = Mode::Monitored.apply(crash(how, 1).args([policy, NEVER]));
    let subject = sandbox.start(&command, StartOptions::new()).unwrap();
    let settled = || {
        let ended = subject.exit_of(subject.pid());
        assert!(ended.is_none_or(|status| status.code() == Some(0)), "{ended:?}");
        Ok::<_, FixtureError>(match count(&sandbox) {
            2.. => Some(true),
            _ => ended.map(|_| false),
        })
    };
    let restarted = subject.wait_until("a restart, or the end", sandbox.deadline(), settled).unwrap();
    let log = lines_of(&sandbox.rundir().join("log"));
    let last = if restarted { ", restarting" } else { ", exiting" };
    assert!(log.len() == 1 && log[0].ends_with(last), "{log:?}");
    restarted
}

#[rstest]
fn error_signals_restart(
    #[values("ABRT", "ALRM", "BUS", "FPE", "ILL", "PIPE", "SEGV", "XCPU", "XFSZ")] signal: &str,
) {
    assert!(is_restarted(&format!("--signal={signal}"), "--restart-on=error-signals"));
}

#[rstest]
fn any_other_death_ends_the_monitor_with_0(
    #[values(
        "--signal=TERM",
        "--signal=INT",
        "--signal=HUP",
        "--signal=KILL",
        "--signal=QUIT",
        "--signal=USR1",
        "--signal=SYS",
        "--exit=0",
        "--exit=1",
        "--exit=255"
    )]
    how: &str,
) {
    assert!(!is_restarted(how, "--restart-on=error-signals"));
}

#[rstest]
#[case("--exit=3", true)]
#[case("--signal=KILL", true)]
#[case("--signal=SEGV", true)]
#[case("--exit=0", false)]
#[case("--signal=TERM", false)]
#[case("--signal=INT", false)]
#[case("--signal=HUP", false)]
fn on_failure_what_nobody_asked_for_restarts(#[case] how: &str, #[case] restarted: bool) {
    assert_eq!(is_restarted(how, "--restart-on=failure"), restarted);
}

#[rstest]
fn always_means_always(#[values("--exit=0", "--exit=3", "--signal=TERM", "--signal=KILL")] how: &str) {
    assert!(is_restarted(how, "--restart-on=always"));
}

#[test]
fn a_daemon_that_exits_and_is_always_restarted_keeps_its_pidfile_from_others() {
    let command = helper(REFERENCE).args(["--then=exit=0", "--restart-on=always", NEVER]);
    let running = Running::start(command, Mode::DetachedMonitored);
    running.kill(running.daemon, Signal::SIGUSR1);
    let second = running.next_daemon(running.daemon);
    running.kill(second, Signal::SIGKILL);
    running.wait_for_log("waiting until");
    let other = run(&running.sandbox, helper(REFERENCE), StartOptions::new().instance(2));
    assert!(other.stderr.contains("already running"), "{}", other.stderr);
}

/// When the process was started, after the machine was.
fn birth(pid: Pid) -> Duration {
    let ticks_per_second = sysconf(SysconfVar::CLK_TCK).unwrap().unwrap();
    Duration::from_secs_f64(process(pid).start_time_ticks as f64 / ticks_per_second as f64)
}

#[test]
fn the_first_restart_comes_at_once_and_the_next_after_the_interval() {
    let interval = Duration::from_millis(200);
    let running = Running::start(helper(REFERENCE).arg("--restart-interval=200ms"), Mode::DetachedMonitored);
    let mut daemon = running.daemon;
    let first = birth(daemon);
    for _ in 0..3 {
        daemon = running.crash(daemon);
    }
    // The first restart is no earlier than the first birth, and births are told to a clock tick.
    let rounding = Duration::from_millis(20);
    assert!(birth(daemon) + rounding >= first + 2 * interval, "{:?}", birth(daemon) - first);
}

#[test]
fn the_log_tells_each_step() {
    let running = Running::start(helper(REFERENCE).arg(NEVER), Mode::DetachedMonitored);
    let first = running.daemon;
    let second = running.crash(first);
    running.kill(second, Signal::SIGABRT);
    running.wait_for_log("waiting until 3600 seconds since last restart");
    let log = running.log();
    let said = |n: usize, start: String, end: &str| log[n].starts_with(&start) && log[n].ends_with(end);
    let start = format!("ERROR 1 crashes: pid {first} died, killed (Segmentation fault)");
    assert!(said(0, start, ", restarting"), "{log:?}");
    let start = format!("WARN 2 crashes: pid {second} died, killed (Aborted)");
    assert!(said(1, start, ", waiting until 3600 seconds since last restart"), "{log:?}");
}

#[test]
fn the_log_says_how_it_ended() {
    let running = Running::start(helper(REFERENCE).arg(AT_ONCE), Mode::Monitored);
    let second = running.crash(running.daemon);
    running.kill(second, Signal::SIGTERM);
    assert_eq!(running.end().code(), Some(0));
    let last = format!("INFO pid {second} died, killed (Terminated), exiting");
    assert_eq!(running.log().last(), Some(&last));
}

#[test]
fn it_gives_up_after_so_many_crashes_in_a_row() {
    let sandbox = sandbox();
    let command = crash("--signal=KILL", 1000).args(["--restart-on=failure", "--give-up-after=3"]);
    let command = Mode::Monitored.apply(command.arg("--restart-interval=500ms"));
    let outcome = run(&sandbox, command, StartOptions::new());
    assert_eq!(outcome.status.code(), Some(1));
    assert_eq!(count(&sandbox), 3);
    let log = lines_of(&sandbox.rundir().join("log"));
    assert!(log.last().unwrap().ends_with("giving up after 3 crashes in a row"), "{log:?}");
    assert!(!sandbox.pidfile().exists());
}

#[test]
fn the_throttle_doubles_up_to_its_limit_while_it_keeps_crashing() {
    let sandbox = sandbox();
    let command = crash("--signal=KILL", 1000).args(["--restart-on=failure", "--give-up-after=4"]);
    let command = command.args(["--restart-interval=300ms", "--backoff-limit=700ms"]);
    run(&sandbox, Mode::Monitored.apply(command), StartOptions::new());
    let waits = lines_of(&sandbox.rundir().join("log")).into_iter().filter_map(|line| {
        let (_, wait) = line.split_once(", waiting until ")?;
        Some(wait.strip_suffix(" seconds since last restart")?.to_owned())
    });
    assert_eq!(waits.collect::<Vec<_>>(), ["0.6", "0.7"]);
}
