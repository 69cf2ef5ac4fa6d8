//! One traced task, stopped or running.

use nix::errno::Errno;
use nix::unistd::Pid;

use super::TraceError;
use crate::sys::ptrace::{self, Registers, Resume};

/// A task that stands still: it can be looked at and changed.
#[derive(Debug)]
pub(crate) struct Stopped {
    pid: Pid,
}

/// A task that runs: it can be waited for.
#[derive(Debug)]
#[must_use = "a running task must be waited for"]
pub(crate) struct Running {
    pid: Pid,
}

/// Why a task has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Before a system call that is traced.
    Call,
    /// Before a call of another architecture, which has numbers of its own.
    ForeignCall,
    /// After the system call that it was resumed into.
    CallDone,
    /// It made a child, or a thread, which is traced too.
    Forked(Pid),
    /// As [`Stop::Forked`], and it stands still until the child has executed or ended.
    Vforked(Pid),
    /// The child of its vfork(2) has executed or ended.
    VforkDone,
    /// It has executed a program; the number that it had before, if it was not the first thread.
    Executed(Pid),
    /// It is about to end, with this status as wait(2) encodes it, and still has everything.
    Exiting(i32),
    /// A signal is about to be delivered.
    Signal(i32),
    /// Stopped by a signal, with its whole process.
    Group(i32),
    /// New, and about to run for the first time.
    Born,
}

/// How a task has ended, as wait(2) tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Exited(i32),
    Killed(i32),
}

impl End {
    pub(crate) fn of_status(status: i32) -> End {
        match libc::WIFSIGNALED(status) {
            true => End::Killed(libc::WTERMSIG(status)),
            false => End::Exited(libc::WEXITSTATUS(status)),
        }
    }
}

impl Stopped {
    /// For the tracer only: the task must be known to stand still.
    pub(super) fn new(pid: Pid) -> Self {
        Stopped { pid }
    }

    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    pub(crate) fn registers(&self) -> Result<Registers, TraceError> {
        Registers::of(self.pid).map_err(self.failed("read the registers"))
    }

    pub(crate) fn set_registers(&self, registers: Registers) -> Result<(), TraceError> {
        registers.set(self.pid).map_err(self.failed("set the registers"))
    }

    /// At most `length` bytes; fewer, or none, where nothing is mapped.
    pub(crate) fn bytes(&self, address: u64, length: usize) -> Vec<u8> {
        ptrace::read(self.pid, address, length).unwrap_or_default()
    }

    /// A text that ends with a null byte, as system calls take it; `None` if it is not readable.
    pub(crate) fn text(&self, address: u64) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        while text.len() <= PATH_MAX {
            let at = address + text.len() as u64;
            let piece = ptrace::read(self.pid, at, PAGE - at as usize % PAGE).ok()?;
            match piece.iter().position(|&byte| byte == 0) {
                Some(end) => {
                    text.extend_from_slice(&piece[..end]);
                    return Some(text);
                }
                None if piece.is_empty() => return None,
                None => text.extend(piece),
            }
        }
        None
    }

    /// The integer at `address`.
    pub(crate) fn word(&self, address: u64) -> Option<u32> {
        Some(u32::from_ne_bytes(self.bytes(address, 4).try_into().ok()?))
    }

    /// The long integer at `address`.
    pub(crate) fn long(&self, address: u64) -> Option<u64> {
        Some(u64::from_ne_bytes(self.bytes(address, 8).try_into().ok()?))
    }

    pub(crate) fn write(&self, address: u64, bytes: &[u8]) -> Result<(), TraceError> {
        ptrace::write(self.pid, address, bytes).map_err(self.failed("write to the memory"))
    }

    /// Lets it go on, with a signal delivered if it is not 0. A task that was killed meanwhile goes on to its end.
    pub(crate) fn resume(self, how: Resume, signal: i32) -> Result<Running, TraceError> {
        match ptrace::resume(self.pid, how, signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(Running { pid: self.pid }),
            Err(errno) => Err(self.failed("resume the execution")(errno)),
        }
    }

    /// Lets it stand still, with its whole process, until somebody sends that SIGCONT.
    pub(crate) fn stay(self) -> Result<Running, TraceError> {
        self.resume(Resume::NotYet, 0)
    }

    fn failed(&self, what: &'static str) -> impl Fn(Errno) -> TraceError {
        let pid = self.pid.as_raw();
        move |errno| TraceError::Request { what, pid, errno }
    }
}

const PAGE: usize = 4096;
const PATH_MAX: usize = 4096;

impl Running {
    /// For the tracer only.
    pub(super) fn new(pid: Pid) -> Self {
        Running { pid }
    }

    /// Has it stop soon; the call that it sleeps in ends.
    pub(crate) fn interrupt(&self) {
        // One that has just ended reports that.
        ptrace::interrupt(self.pid).ok();
    }

    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }
}
