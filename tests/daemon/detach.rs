//! What a detached daemon leaves behind, and what it keeps.

use daemonproof::fixture::StartOptions;
use daemonproof::observe::Fact;
use nix::sys::signal::Signal;
use rstest::rstest;

use crate::support::{AT_ONCE, CRASH, Mode, REFERENCE, Running, helper, process, run, sandbox};

#[rstest]
fn it_has_a_session_of_its_own_and_no_terminal(
    #[values(Mode::Detached, Mode::DetachedMonitored)] mode: Mode,
) {
    let running = Running::start(helper(REFERENCE), mode);
    let (top, daemon) = (running.monitor(), process(running.daemon));
    assert!(top.is_session_leader(), "{top}");
    assert_eq!((daemon.sid, daemon.pgid), (running.top, running.top));
    assert_ne!(top.ppid, running.subject.pid());
    assert!(!top.has_controlling_terminal());
}

#[test]
fn monitoring_alone_makes_no_session() {
    let running = Running::start(helper(REFERENCE), Mode::Monitored);
    assert!(!running.monitor().is_session_leader());
    assert_eq!(process(running.daemon).sid, running.monitor().sid);
}

#[rstest]
#[case(Mode::Detached, &[], Some("/"))]
#[case(Mode::DetachedMonitored, &[], Some("/"))]
#[case(Mode::Detached, &["--no-chdir"], None)]
#[case(Mode::DetachedMonitored, &["--no-chdir"], None)]
#[case(Mode::Foreground, &[], None)]
#[case(Mode::Monitored, &[], None)]
fn it_moves_to_the_root_directory_unless_told_not_to(
    #[case] mode: Mode,
    #[case] arguments: &[&str],
    #[case] moved: Option<&str>,
) {
    let sandbox = sandbox();
    let options = StartOptions::new().cwd(sandbox.outdir());
    let command = helper(REFERENCE).args(arguments.iter().copied());
    let running = Running::start_in(&sandbox, command, mode, options);
    let expected = moved.map_or_else(|| sandbox.outdir(), Into::into);
    assert_eq!(process(running.daemon).cwd, Fact::Known(expected));
}

#[rstest]
#[case(&[], 0o027)]
#[case(&["--umask=077"], 0o077)]
#[case(&["--umask=0"], 0)]
fn the_umask_is_what_it_was_unless_given(
    #[case] arguments: &[&str],
    #[case] expected: u32,
    #[values(Mode::Foreground, Mode::Monitored, Mode::Detached, Mode::DetachedMonitored)] mode: Mode,
) {
    let command = helper(REFERENCE).args(arguments.iter().copied());
    let running = Running::start_in(&sandbox(), command, mode, StartOptions::new().umask(0o027));
    assert_eq!(process(running.daemon).umask, Some(expected));
    assert_eq!(running.pidfile().file.unwrap().mode, 0o644, "whatever the umask");
}

#[rstest]
fn it_ends_on_sigterm_although_its_starter_ignored_or_blocked_it(
    #[values(true, false)] ignored: bool,
    #[values(Mode::Detached, Mode::DetachedMonitored)] mode: Mode,
    #[values(true, false)] to_the_monitor: bool,
) {
    let options = StartOptions::new();
    let options = if ignored { options.ignore(Signal::SIGTERM) } else { options.block(Signal::SIGTERM) };
    let running = Running::start_in(&sandbox(), helper(REFERENCE), mode, options);
    let signals = process(running.daemon).signals;
    assert!(!signals.blocked.contains(Signal::SIGTERM) && !signals.ignored.contains(Signal::SIGTERM));
    running.kill(if to_the_monitor { running.top } else { running.daemon }, Signal::SIGTERM);
    running.end();
    assert!(running.pidfile().is_missing());
}

#[rstest]
fn start_and_restart_work_although_the_starter_ignored_or_blocked_sigchld(
    #[values(true, false)] ignored: bool,
    #[values(Mode::Monitored, Mode::DetachedMonitored)] mode: Mode,
) {
    let options = StartOptions::new();
    let options = if ignored { options.ignore(Signal::SIGCHLD) } else { options.block(Signal::SIGCHLD) };
    let running = Running::start_in(&sandbox(), helper(REFERENCE).arg(AT_ONCE), mode, options);
    let second = running.crash(running.daemon);
    assert_eq!(process(second).ppid, running.top);
    running.kill(second, Signal::SIGTERM);
    assert_eq!(running.end().code(), Some(0));
}

#[rstest]
fn a_failed_start_is_told_although_the_starter_ignored_or_blocked_sigchld(
    #[values(true, false)] ignored: bool,
    #[values(Mode::Monitored, Mode::Detached, Mode::DetachedMonitored)] mode: Mode,
) {
    let options = StartOptions::new();
    let options = if ignored { options.ignore(Signal::SIGCHLD) } else { options.block(Signal::SIGCHLD) };
    let command = mode.apply(helper(CRASH).args(["--exit=7", "--when=before-ready"]));
    assert_eq!(run(&sandbox(), command, options).status.code(), Some(7));
}

/// nohup(1) has its child ignore SIGHUP: in the foreground that is the starter's wish.
#[test]
fn in_the_foreground_an_ignored_signal_stays_ignored() {
    let options = StartOptions::new().ignore(Signal::SIGHUP);
    let running = Running::start_in(&sandbox(), helper(REFERENCE), Mode::Foreground, options);
    assert!(process(running.daemon).signals.ignored.contains(Signal::SIGHUP));
}
