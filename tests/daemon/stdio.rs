//! The standard descriptors, and all others that a daemon inherits.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use daemonproof::fixture::StartOptions;
use daemonproof::observe::Target;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use rstest::rstest;

use crate::support::{
    AT_ONCE, CRASH, Mode, REFERENCE, Running, SLOW_START, after_shell, descriptors, helper, is_at, lines_of,
    run, sandbox, target,
};

/// Daemon and monitor, or the daemon twice.
fn all(running: &Running) -> [Pid; 2] {
    [running.daemon, running.top]
}

#[rstest]
fn they_lead_to_the_null_device(#[values(Mode::Detached, Mode::DetachedMonitored)] mode: Mode) {
    let running = Running::start(helper(REFERENCE), mode);
    for pid in all(&running) {
        assert_eq!([0, 1, 2].map(|fd| target(pid, fd)), [const { Some(Target::Null) }; 3]);
    }
}

#[rstest]
fn in_the_foreground_they_are_left_alone(#[values(Mode::Foreground, Mode::Monitored)] mode: Mode) {
    let running = Running::start(helper(REFERENCE), mode);
    let [stdout, stderr] = running.subject.stdio_paths();
    for pid in all(&running) {
        assert!(is_at(pid, 1, &stdout) && is_at(pid, 2, &stderr), "{}", descriptors(pid));
    }
}

#[rstest]
fn a_saved_one_stays_and_the_others_do_not(
    #[values(1, 2)] saved: i32,
    #[values(Mode::Detached, Mode::DetachedMonitored)] mode: Mode,
) {
    let running = Running::start(helper(REFERENCE).arg(format!("--save-fd={saved}")), mode);
    let paths = running.subject.stdio_paths();
    for pid in all(&running) {
        assert!(is_at(pid, saved, &paths[saved as usize - 1]), "{}", descriptors(pid));
        assert_eq!([0, 3 - saved].map(|fd| target(pid, fd)), [const { Some(Target::Null) }; 2]);
    }
}

#[test]
fn a_saved_input_stays() {
    let sandbox = sandbox();
    fs::write(sandbox.outdir().join("input"), "").unwrap();
    let input = sandbox.outdir().join("input");
    let command = after_shell(
        &format!("exec <{}", input.display()),
        helper(REFERENCE).args(["--save-fd=0", "--detach"]),
    );
    let outcome = run(&sandbox, command, StartOptions::new());
    let daemon = outcome.subject.live_pids().unwrap()[0];
    assert!(is_at(daemon, 0, &input), "{}", descriptors(daemon));
    assert_eq!(target(daemon, 1), Some(Target::Null));
}

#[rstest]
fn output_goes_to_files_also_the_monitors(#[values(Mode::Detached, Mode::DetachedMonitored)] mode: Mode) {
    let sandbox = sandbox();
    let [out, err] = ["stdout", "stderr"].map(|name| sandbox.rundir().join(name));
    fs::write(&out, "before\n").unwrap();
    let command = helper(REFERENCE).args(["--stdout={rundir}/stdout", "--stderr={rundir}/stderr", AT_ONCE]);
    let running = Running::start_in(&sandbox, command, mode, StartOptions::new());
    for pid in all(&running) {
        assert!(is_at(pid, 1, &out) && is_at(pid, 2, &err), "{}", descriptors(pid));
        assert_eq!(target(pid, 0), Some(Target::Null));
    }
    assert_eq!(lines_of(&out), ["before"], "it is appended to");
}

#[test]
fn a_restarted_daemon_writes_to_the_file_from_its_beginning() {
    let command = helper(CRASH).args(["--when=before-ready", "--skip=1", "--after=1h", AT_ONCE]);
    let command = command.args(["--count-file={rundir}/count", "--stderr={rundir}/stderr"]);
    let running = Running::start(command, Mode::DetachedMonitored);
    let second = running.crash(running.daemon);
    assert!(is_at(second, 2, &running.sandbox.rundir().join("stderr")), "{}", descriptors(second));
}

#[test]
fn messages_before_ready_reach_the_shell_although_there_are_files() {
    let sandbox = sandbox();
    let command = helper(SLOW_START).args(["--detach", "--delay=0s", "--fail=2", "--stderr={rundir}/stderr"]);
    let outcome = run(&sandbox, command, StartOptions::new());
    assert_eq!(outcome.stderr, "slow-start: failed to initialise, as it was told\n");
    assert_eq!(lines_of(&sandbox.rundir().join("stderr")), [""; 0]);
}

#[test]
fn a_file_that_cannot_be_opened_is_said_in_the_shell() {
    let sandbox = sandbox();
    let command = helper(REFERENCE).args(["--detach", "--stdout={rundir}/missing/stdout"]);
    let outcome = run(&sandbox, command, StartOptions::new());
    assert_eq!(outcome.status.code(), Some(1));
    let said = format!("failed to open {}/missing/stdout", sandbox.rundir().display());
    assert!(outcome.stderr.contains(&said), "{}", outcome.stderr);
}

#[rstest]
fn it_may_be_started_with_any_of_them_closed(
    #[values(Mode::Foreground, Mode::Monitored, Mode::Detached, Mode::DetachedMonitored)] mode: Mode,
    #[values("0", "1", "2", "01", "02", "12", "012")] closed: &str,
) {
    let redirections: String =
        closed.chars().map(|fd| if fd == '0' { " <&-".to_owned() } else { format!(" {fd}>&-") }).collect();
    let sandbox = sandbox();
    let command = after_shell(&format!("exec{redirections}"), helper(REFERENCE));
    let running = Running::start_in(&sandbox, command, mode, StartOptions::new());
    let opened = |fd: char| target(running.daemon, fd.to_digit(10).unwrap() as i32) == Some(Target::Null);
    assert!(closed.chars().all(opened), "{}", descriptors(running.daemon));
    let content = fs::read_to_string(sandbox.pidfile()).unwrap();
    assert_eq!(content, format!("{}\n", running.daemon));
    running.kill(running.top, Signal::SIGTERM);
    running.end();
    assert!(running.pidfile().is_missing());
}

#[rstest]
fn inherited_descriptors_are_let_go_of(#[values(Mode::Detached, Mode::DetachedMonitored)] mode: Mode) {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let fd = writer.as_raw_fd();
    let options = StartOptions::new().inherit(writer);
    let running = Running::start_in(&sandbox(), helper(REFERENCE), mode, options);
    for pid in all(&running) {
        assert_eq!(target(pid, fd), Some(Target::Null), "{}", descriptors(pid));
    }
    // Whoever reads from it, as ssh(1) does, sees the end while the daemon runs.
    assert_eq!(reader.read(&mut [0]).unwrap(), 0);
}

#[rstest]
fn in_the_foreground_inherited_descriptors_are_kept(#[values(Mode::Foreground, Mode::Monitored)] mode: Mode) {
    let null = File::open("/").unwrap();
    let fd = null.as_raw_fd();
    let options = StartOptions::new().inherit(null);
    let running = Running::start_in(&sandbox(), helper(REFERENCE), mode, options);
    for pid in all(&running) {
        assert_eq!(target(pid, fd), Some(Target::Directory("/".into())), "{}", descriptors(pid));
    }
}

#[rstest]
fn sockets_from_the_service_manager_are_kept(#[values(Mode::Detached, Mode::DetachedMonitored)] mode: Mode) {
    let (one, other) = UnixStream::pair().unwrap();
    let (passed, stray) = if one.as_raw_fd() < other.as_raw_fd() { (one, other) } else { (other, one) };
    let fds = [passed.as_raw_fd(), stray.as_raw_fd()];
    // All from 3 up to the passed one count as passed, those that are not open as well.
    let options =
        StartOptions::new().inherit(passed).inherit(stray).env("LISTEN_FDS", (fds[0] - 2).to_string());
    let running = Running::start_in(&sandbox(), helper(REFERENCE), mode, options);
    for pid in all(&running) {
        let [passed, stray] = fds.map(|fd| target(pid, fd));
        assert!(matches!(passed, Some(Target::Socket(_))), "{}", descriptors(pid));
        assert_eq!(stray, Some(Target::Null));
    }
}
