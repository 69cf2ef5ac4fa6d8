//! Claims about descriptors.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use daemonproof::observe::{Descriptors, Inode, View};
use daemonproof::prelude::*;
use nix::fcntl::OFlag;
use nix::unistd::{Pid, pipe2};

use crate::support::{Prepared, fails, holds, is_unknown, sandbox, sh, zombie_and_parent};

/// Has the standard streams of a daemon, and then says so by a file. Another process makes that: a shell that redirects
/// has more descriptors for a moment.
const QUIET: &str = "echo ready; exec >/dev/null 2>&1; touch {rundir}/quiet; sleep 1000 & wait";

fn pipe() -> (OwnedFd, OwnedFd) {
    pipe2(OFlag::O_CLOEXEC).unwrap()
}

/// A process with standard streams at `/dev/null` and the descriptors that it inherits.
fn holding(inherited: impl IntoIterator<Item = OwnedFd>) -> Prepared {
    let options = inherited.into_iter().fold(StartOptions::new(), StartOptions::inherit);
    let ready = Prepared::start(sandbox(), &sh(QUIET), options);
    let quiet = || Ok::<_, FixtureError>(ready.sandbox.rundir().join("quiet").exists().then_some(()));
    ready.subject.wait_until("it to be quiet", ready.sandbox.deadline(), quiet).unwrap();
    ready
}

#[test]
fn standard_streams_lead_where_the_script_said() {
    let script = "exec 3>&1 >{rundir}/out 2>{rundir}/log; echo ready >&3; sleep 1000 & wait";
    let shell = Prepared::sh(script);
    let (view, log) = (shell.view(), shell.sandbox.rundir().join("log"));
    let stdout = shell.sandbox.rundir().join("out");
    holds(&view, stdin_is("/dev/null").and(stdout_is(&stdout)).and(stderr_is(&log)));
    fails(&view, stdin_is(&log));
    fails(&view, stdout_is("/dev/null"));
    fails(&view, stderr_is(&stdout));
    fails(&view, stdio_is_null());
    holds(&holding([]).view(), stdio_is_null());
    // A new file of that name is another file.
    std::fs::remove_file(&log).unwrap();
    fails(&shell.view(), stderr_is(&log));
    fails(&shell.view(), no_fd_of(&log));
}

#[test]
fn closed_streams_are_nowhere() {
    let script =
        "import os, signal\nprint('ready', flush=True)\nfor fd in range(3): os.close(fd)\nsignal.pause()";
    let process = Prepared::python(script);
    let closed = || Ok::<_, FixtureError>(at_most_fds(0).eval(&process.view()).then_some(()));
    process.subject.wait_until("it to close them", process.sandbox.deadline(), closed).unwrap();
    let said = fails(&process.view(), stdio_is_null());
    assert_eq!(said.matches("closed").count(), 3, "{said}");
    fails(&process.view(), stdin_is("/dev/null"));
    holds(&process.view(), no_other_fds_than([]).and(close_on_exec()));
}

#[test]
fn what_was_inherited_is_named() {
    let ((reader, _writer), (socket, _peer)) = (pipe(), UnixStream::pair().unwrap());
    let file = File::open("/etc/passwd").unwrap();
    let inode = Inode::of(&File::from(reader.try_clone().unwrap()).metadata().unwrap());
    let numbers = [0, 1, 2, reader.as_raw_fd(), socket.as_raw_fd(), file.as_raw_fd()];
    let leaky = holding([reader, socket.into(), file.into()]);
    let leaky = leaky.view();
    holds(&leaky, no_other_fds_than(numbers).and(at_most_fds(6)));
    fails(&leaky, no_other_fds_than([0, 1, 2]));
    fails(&leaky, at_most_fds(5));
    fails(&leaky, close_on_exec());
    fails(&leaky, no_pipe());
    fails(&leaky, no_socket());
    fails(&leaky, no_fd_of("/etc/passwd"));
    fails(&leaky, no_fd_of_inode(inode));
    let tidy = holding([]);
    let tidy = tidy.view();
    holds(&tidy, no_other_fds_than([0, 1, 2]).and(at_most_fds(3)).and(close_on_exec()));
    holds(&tidy, no_pipe().and(no_socket()).and(no_fd_of("/etc/passwd")).and(no_fd_of_inode(inode)));
    fails(&tidy, no_fd_of("/dev/null"));
}

#[test]
fn close_on_exec_is_told_from_its_absence() {
    let script = |inheritable: &str| {
        format!(
            "import os, signal\nfd = os.open('/', os.O_RDONLY)\nos.set_inheritable(fd, {inheritable})\n\
             print('ready', flush=True)\nsignal.pause()"
        )
    };
    holds(&Prepared::python(&script("False")).view(), close_on_exec());
    fails(&Prepared::python(&script("True")).view(), close_on_exec());
}

#[test]
fn a_leak_is_what_there_is_more_of() {
    let descriptors = |ready: &Prepared| Descriptors::of(ready.pid()).unwrap().present().unwrap();
    let ((first, _first_end), (second, _second_end), (third, _third_end)) = (pipe(), pipe(), pipe());
    let numbers = (second.as_raw_fd(), third.as_raw_fd());
    let (none, one, two) = (holding([]), holding([first]), holding([second, third]));
    let baseline = descriptors(&one);
    // Another pipe under another number is no more than before, and fewer are no leak.
    holds(&one.view(), no_leaks_against(&baseline));
    holds(&none.view(), no_leaks_against(&baseline));
    let said = fails(&two.view(), no_leaks_against(&baseline));
    assert_eq!(said.matches("pipe").count(), 1, "{said}");
    assert!(said.contains(&format!("{} r", numbers.1.max(numbers.0))), "{said}");
    let log = File::open("/etc/passwd").unwrap();
    fails(&holding([log.into()]).view(), no_leaks_against(&baseline));
    fails(&one.view(), no_leaks_against(&descriptors(&none)));
}

#[test]
fn a_daemon_that_leaks_is_told_from_one_that_does_not() {
    let (reader, _writer) = pipe();
    // Its own pipe may be open for another moment, that of the test may not.
    let inode = Inode::of(&File::from(reader.try_clone().unwrap()).metadata().unwrap());
    let start = |defect: &str| {
        let sandbox = sandbox();
        let command = sandbox.daemon(env!("CARGO_BIN_EXE_defective")).args(["--defect", defect]);
        let command = command.detach("--detach").pidfile("--pidfile={pidfile}");
        command.options(|options| options.inherit(reader.try_clone().unwrap())).start()
    };
    start("none").assert(no_fd_of_inode(inode).and(stdio_is_null()));
    start("leaks-descriptor").try_assert(no_fd_of_inode(inode)).unwrap_err();
    start("keeps-stdio").try_assert(stdio_is_null()).unwrap_err();
}

#[test]
fn a_zombie_does_not_pass_for_tidy() {
    let (zombie, _parent) = zombie_and_parent();
    for claim in [close_on_exec(), no_pipe(), at_most_fds(3), no_other_fds_than([0, 1, 2])] {
        is_unknown(&View::of(zombie), claim);
    }
    fails(&View::of(Pid::this()), at_most_fds(1));
}
