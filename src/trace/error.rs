//! What can go wrong with tracing.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use nix::errno::Errno;

/// Why a program could not be traced.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// The kernel, a container or a security module forbids it.
    #[error("not permitted to trace: {reason}")]
    Forbidden {
        /// Which setting forbids it, and what to do.
        reason: String,
    },
    /// The process in which programs are born could not be started or has died.
    #[error("failed to start programs under the tracer: {0}")]
    Nest(io::Error),
    /// A program could not be executed.
    #[error("failed to execute {}: {}", path.display(), errno.desc())]
    Execute {
        /// The executable.
        path: PathBuf,
        /// What execve(2) said.
        errno: Errno,
    },
    /// A process made a system call of another architecture, 32-bit code for instance, which cannot be followed.
    #[error("process {pid} runs code of another architecture, whose system calls cannot be followed")]
    Foreign {
        /// The process.
        pid: i32,
    },
    /// Time could not pass, because some process was never idle.
    #[error("some process was still busy after {waited:?}, and time passes only when all are idle")]
    Restless {
        /// How long that was waited for, in real time.
        waited: Duration,
    },
    /// A request about a traced task failed in a way that is not the end of the task.
    #[error("failed to {what} of traced process {pid}: {}", errno.desc())]
    Request {
        /// What was asked for.
        what: &'static str,
        /// The task.
        pid: i32,
        /// What ptrace(2) or another call said.
        errno: Errno,
    },
}

impl TraceError {
    /// Whether tracing is impossible here, whatever the program.
    pub fn is_forbidden(&self) -> bool {
        matches!(self, TraceError::Forbidden { .. })
    }

    /// What may be the reason that seizing failed with `errno`.
    pub(super) fn seizing(errno: Errno) -> Self {
        let reason = match (errno, yama()) {
            (Errno::EPERM, Some(3)) => {
                "/proc/sys/kernel/yama/ptrace_scope is 3, which forbids it to everybody until the next boot".into()
            }
            (Errno::EPERM, Some(2)) => "/proc/sys/kernel/yama/ptrace_scope is 2, which forbids it without \
                                        CAP_SYS_PTRACE: run as root, or write 1 to it"
                .into(),
            (Errno::EPERM | Errno::EACCES, _) => "ptrace(2) is refused: a container needs --cap-add=SYS_PTRACE or a \
                                                  seccomp profile that allows it, and a program that is traced \
                                                  already cannot be traced twice"
                .into(),
            (Errno::ENOSYS, _) => "this kernel or sandbox has no ptrace(2)".into(),
            _ => format!("ptrace(2) failed: {}", errno.desc()),
        };
        TraceError::Forbidden { reason }
    }
}

fn yama() -> Option<u32> {
    std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok()?.trim().parse().ok()
}
