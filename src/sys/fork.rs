//! `fork(2)`, safe because it is refused where it would not be.

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::Pid;
use std::fs;

/// Which side of a fork this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fork {
    /// The process that called, with the pid of the new one.
    Parent(Pid),
    /// The new process.
    Child,
}

/// Why a fork did not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ForkError {
    /// The process has this many threads (0: more than one, number unknown).
    Threads(usize),
    /// `fork(2)` failed.
    Errno(Errno),
}

/// How many threads the calling process has, from the kernel: `/proc/self/task`, or, where `/proc` is not
/// mounted, `unshare(CLONE_THREAD)`, which changes nothing and succeeds in a single-threaded process only.
/// Then "more than one" is 0.
pub(crate) fn thread_count() -> usize {
    match fs::read_dir("/proc/self/task") {
        Ok(tasks) => tasks.count(),
        Err(_) => usize::from(unshare(CloneFlags::CLONE_THREAD).is_ok()),
    }
}

/// Forks a process that has one thread.
///
/// In a process with more than one, the child could only call async-signal-safe functions, which ordinary
/// Rust code is not; so this counts the threads first and refuses.
pub(crate) fn fork() -> Result<Fork, ForkError> {
    match thread_count() {
        1 => {}
        threads => return Err(ForkError::Threads(threads)),
    }
    // SAFETY: the calling thread is the only one (nobody else could start another in between), so no lock
    // is held by a thread that the child lacks, and the child may run any code.
    match unsafe { libc::fork() } {
        -1 => Err(ForkError::Errno(Errno::last())),
        0 => Ok(Fork::Child),
        pid => Ok(Fork::Parent(Pid::from_raw(pid))),
    }
}
