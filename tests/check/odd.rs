//! Commands that are slow, or that come up in an unusual order: no promise is called broken for that.

use super::support::{expect, judge_all, judge_by, shell, shown};
use daemonproof::check::Verdict;
use std::time::Duration;

#[test]
fn a_daemon_that_detaches_later_than_one_waits_is_not_judged() {
    let driving = shell("exec sleep 1000 # {pidfile}").detach("").timeout(Duration::from_millis(500));
    let report = judge_all(&driving);
    expect(&report, &[]);
    assert_eq!(report.verdict(), Verdict::Inconclusive, "\n{}", shown(&report));
}

/// What runs without a pidfile may be about to find that another instance runs.
#[test]
fn without_a_pidfile_in_the_foreground_nothing_but_that_is_broken() {
    let driving = shell("exec sleep 1000 # {pidfile}").timeout(Duration::from_secs(2));
    expect(&judge_all(&driving), &["pidfile.names-daemon", "pidfile.in-foreground"]);
}

#[test]
fn a_daemon_may_prepare_for_sigterm_after_it_has_written_its_pidfile() {
    let script = "echo $$ >{pidfile}; i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done; \
                  trap 'kill $!; rm {pidfile}; exit' TERM; sleep 1000 & wait";
    expect(&judge_by("stop.pidfile-removed", &shell(script)), &[]);
}

#[test]
fn much_output_is_not_kept_in_memory_and_its_end_is_shown() {
    let script = "yes | head -c 3000000; echo the end; exit 3";
    let report = judge_by("stop.sigterm", &shell(script));
    assert!(shown(&report).contains("the end"), "{}", shown(&report).len());
}

#[test]
fn a_command_that_detaches_nothing_and_returns_0_has_promised_too_much() {
    let report = judge_all(&shell("exit 0 # {pidfile}").detach(""));
    expect(&report, &["startup.ready-on-return"]);
}

/// Written in the background mode: the command stays, as the daemon.
#[test]
fn a_daemon_that_runs_as_the_command_itself_is_not_detached() {
    let driving = shell("echo $$ >{pidfile}; exec sleep 1000").detach("").timeout(Duration::from_secs(2));
    let report = judge_by("detach.returns", &driving);
    expect(&report, &["detach.returns"]);
}

#[test]
fn a_command_that_fails_although_the_daemon_runs_has_not_returned_well() {
    let script =
        "setsid sh -c 'echo $$ >{pidfile}; exec sleep 1000' & while ! [ -s {pidfile} ]; do :; done; exit 3";
    let report = judge_by("detach.returns", &shell(script).detach(""));
    expect(&report, &["detach.returns"]);
    assert!(shown(&report).contains("exit status 3"), "{}", shown(&report));
}

#[test]
fn a_refusal_may_be_written_to_a_log() {
    let script = "exec 9>>{rundir}/lock; if flock -n 9; then echo $$ >{pidfile}; echo up >>{rundir}/log; exec sleep 1000; \
                  else echo refused >>{rundir}/log; exit 1; fi";
    expect(&judge_by("lock.refusal-message", &shell(script)), &[]);
}
