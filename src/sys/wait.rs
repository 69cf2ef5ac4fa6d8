//! How a child ended: `waitpid(2)`. nix's own has no value for a death by a real-time signal.

use nix::errno::Errno;
use nix::unistd::Pid;

/// The status of a child that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// By `exit`, with this status.
    Exited(i32),
    /// By the signal of this number.
    Signaled {
        /// The signal.
        signal: i32,
        /// Whether the kernel wrote a core file.
        core_dumped: bool,
    },
}

/// How the child `pid` ended, if it has. Never waits.
pub(crate) fn reap(pid: Pid) -> Result<Option<Ended>, Errno> {
    let mut status = 0;
    // SAFETY: `status` is valid for the write of one int.
    let result = unsafe { libc::waitpid(pid.as_raw(), &mut status, libc::WNOHANG) };
    Ok(match Errno::result(result)? {
        0 => None,
        _ if libc::WIFEXITED(status) => Some(Ended::Exited(libc::WEXITSTATUS(status))),
        _ if libc::WIFSIGNALED(status) => {
            Some(Ended::Signaled { signal: libc::WTERMSIG(status), core_dumped: libc::WCOREDUMP(status) })
        }
        _ => None,
    })
}

/// Waits for the child `pid` to end, of whichever kind it is. At once if it is not, or no longer, a child.
#[cfg(feature = "harness")]
pub(crate) fn bury(pid: Pid) {
    loop {
        // SAFETY: a null status is allowed.
        let waited = unsafe { libc::waitpid(pid.as_raw(), std::ptr::null_mut(), libc::__WALL) };
        if Errno::result(waited) != Err(Errno::EINTR) {
            return;
        }
    }
}
