use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};
use std::thread;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, Uid, setfsuid};
use tempfile::TempDir;

/// The user that is nobody, and owns nothing.
const NOBODY: u32 = 65534;

/// Held by those who start a child, which has copies of all descriptors until it executes its program.
static SPAWNING: RwLock<()> = RwLock::new(());

/// Keeps other tests from starting children, where a copy of a locked descriptor would matter.
pub(crate) fn no_spawning() -> RwLockWriteGuard<'static, ()> {
    SPAWNING.write().unwrap_or_else(PoisonError::into_inner)
}

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
        let mut child = spawn(command.stdin(Stdio::piped()).stderr(Stdio::piped()));
        let errors = child.stderr.as_mut().expect("standard error is a pipe");
        let mut line = String::new();
        BufReader::new(errors)
            .read_line(&mut line)
            .expect("the child writes a line");
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

fn spawn(command: &mut Command) -> Child {
    let _spawning = SPAWNING.read().unwrap_or_else(PoisonError::into_inner);
    command.spawn().expect("the child starts")
}

/// Runs a command to its end, and says whether that was a good one.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let status = spawn(command.stdin(Stdio::null()).stdout(Stdio::null())).wait();
    status.is_ok_and(|status| status.success())
}

impl Drop for Idle {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

pub(crate) fn sandbox() -> TempDir {
    tempfile::tempdir().expect("a directory can be made")
}

/// A new file, open for reading and writing.
pub(crate) fn new_file(path: impl AsRef<Path>) -> File {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)
        .expect("a file can be made")
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
    libc::flock {
        l_type: kind as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start,
        l_len,
        l_pid: 0,
    }
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
        scope
            .spawn(as_other)
            .join()
            .expect("the look does not panic")
    })
}

/// The number of an open file.
pub(crate) fn fd_of(file: &File) -> i32 {
    file.as_raw_fd()
}
