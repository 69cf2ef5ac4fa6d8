//! Children to look at, which end with the test.

use crate::skipped::skipped;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, Uid, setfsuid};
use tempfile::TempDir;

/// The user that is nobody, and owns nothing.
const NOBODY: u32 = 65534;

/// What an idle shell does: says that it is there, and waits. It speaks through a subshell, because a
/// shell that redirects its own output keeps the old one at another descriptor for a moment.
pub(crate) const IDLE: &str = "(echo ready >&2); read x";

/// A shell that lives until its standard input ends: when it is dropped, or when this process dies.
pub(crate) struct Idle(Child);

impl Idle {
    pub(crate) fn start() -> Self {
        Self::spawn(&mut Self::shell(IDLE))
    }

    /// Such a shell, with this standard output.
    pub(crate) fn with_stdout(stdout: impl Into<Stdio>) -> Self {
        Self::spawn(Self::shell(IDLE).stdout(stdout))
    }

    /// A shell that runs `script`, to be spawned.
    pub(crate) fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    /// Starts it and waits for its first line on standard error: when `Command::spawn` returns, the
    /// kernel has not set up the new program in all parts.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the child starts");
        let errors = child.stderr.as_mut().expect("standard error is a pipe");
        let mut line = String::new();
        BufReader::new(errors).read_line(&mut line).expect("the child writes a line");
        assert_eq!(line, "ready\n");
        Self(child)
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.0.id() as i32)
    }

    /// Lets it end and waits until it has, but leaves it unreaped.
    pub(crate) fn become_zombie(&mut self) {
        drop(self.0.stdin.take());
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        waitid(Id::Pid(self.pid()), flags).expect("the child ends");
    }

    /// Lets it end and reaps it.
    pub(crate) fn end(self) -> Pid {
        self.pid()
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Set, to the name of a test, in the process that runs it alone.
const ALONE: &str = "OBSERVE_TEST_ALONE";

/// Runs the body of the test `name` in a process of its own. Elsewhere other tests start children,
/// which have copies of all descriptors until they execute their program, or look at files.
pub(crate) fn alone(name: &str, body: impl FnOnce()) {
    if is_alone(name) {
        return body();
    }
    assert_passed(command_alone(name).stdin(Stdio::null()));
}

/// A command that runs the test `name` of this program only, which finds itself alone.
pub(crate) fn command_alone(name: &str) -> Command {
    let this = std::env::current_exe().expect("this program has a name");
    alone_by(name, Command::new(this))
}

/// Whether this process was started for the test `name` alone.
pub(crate) fn is_alone(name: &str) -> bool {
    std::env::var_os(ALONE).is_some_and(|alone| alone == name)
}

/// The same by `command`, which executes this program with the arguments that it is given.
pub(crate) fn alone_by(name: &str, mut command: Command) -> Command {
    command.args(["--exact", name, "--test-threads=1", "--nocapture"]).env(ALONE, name);
    command
}

/// Runs what runs a test alone.
#[track_caller]
pub(crate) fn assert_passed(command: &mut Command) {
    let output = command.output().expect("this program can be run");
    let [stdout, stderr] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success() && stdout.contains("1 passed"), "{stdout}{stderr}");
}

/// A command that runs `script` as root among mounts of its own, and then this program, by `exec $THEN "$@"`.
///
/// The program is its standard input, so that a user who may not enter its directory can execute it.
pub(crate) fn mounted(script: &str, then: &str) -> Command {
    let this = File::open("/proc/self/exe").expect("this program can be read");
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c"]).arg(format!("{script} && exec {then} \"$@\"")).arg("sh").stdin(this);
    command
}

/// Whether root, and root here, may do what `script` does among mounts of its own; says that `name` is skipped if not.
pub(crate) fn may_mount(name: &str, script: &str) -> bool {
    let tried = Command::new("unshare").args(["-m", "sh", "-c", script]).stdin(Stdio::null()).output();
    let may = Uid::effective().is_root() && tried.as_ref().is_ok_and(|output| output.status.success());
    if !may {
        skipped(name, &format!("`{script}` among own mounts is not permitted: {tried:?}"));
    }
    may
}

pub(crate) fn sandbox() -> TempDir {
    tempfile::tempdir().expect("a directory can be made")
}

/// A new file, open for reading and writing.
pub(crate) fn new_file(path: impl AsRef<Path>) -> File {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).open(path).expect("a file can be made")
}

/// A new file in a new directory.
pub(crate) fn sandbox_file() -> (TempDir, PathBuf, File) {
    let dir = sandbox();
    let path = dir.path().join("f");
    let file = new_file(&path);
    (dir, path, file)
}

/// Takes a POSIX (`F_SETLK`) lock on `length` bytes from `start`; none means all that follow.
pub(crate) fn posix(file: impl AsFd, kind: libc::c_int, start: i64, length: i64) {
    let lock = range(kind, start, length);
    fcntl(file, FcntlArg::F_SETLK(&lock)).expect("the lock is free");
}

/// Takes an OFD lock in the same way.
pub(crate) fn ofd(file: impl AsFd, kind: libc::c_int, start: i64, length: i64) {
    let lock = range(kind, start, length);
    fcntl(file, FcntlArg::F_OFD_SETLK(&lock)).expect("the lock is free");
}

fn range(kind: libc::c_int, l_start: i64, l_len: i64) -> libc::flock {
    libc::flock { l_type: kind as i16, l_whence: libc::SEEK_SET as i16, l_start, l_len, l_pid: 0 }
}

/// Runs `look` as an ordinary user in its eyes of files, also when the tests run as root.
pub(crate) fn as_nobody<T: Send>(look: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let as_other = || {
            // Of this thread alone; with the user go the capabilities that override permissions.
            if Uid::effective().is_root() {
                setfsuid(Uid::from_raw(NOBODY));
            }
            look()
        };
        scope.spawn(as_other).join().expect("the look does not panic")
    })
}

/// The number of an open file.
pub(crate) fn fd_of(file: &File) -> i32 {
    file.as_raw_fd()
}
