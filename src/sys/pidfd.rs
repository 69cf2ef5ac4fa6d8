//! Process descriptors: a process named by a descriptor, which no later process can inherit as it can a number.

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::unistd::Pid;

/// Opens a descriptor, close-on-exec, that becomes readable when the process ends; pidfd_open(2).
pub(crate) fn open(pid: Pid) -> nix::Result<OwnedFd> {
    // SAFETY: pidfd_open takes two integers and touches no memory of ours.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) })?;
    // SAFETY: the call succeeded, so `fd` is a new descriptor (they fit an int) that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// Signals the process that `pidfd` was opened on, or fails with `ESRCH`; never a later owner of its number.
/// pidfd_send_signal(2).
pub(crate) fn send_signal(pidfd: impl AsFd, signal: Signal) -> nix::Result<()> {
    let fd = pidfd.as_fd().as_raw_fd();
    let no_info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: a null siginfo asks for what kill(2) would send; the descriptor is borrowed for the call.
    let sent = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            fd,
            signal as libc::c_int,
            no_info,
            0,
        )
    };
    Errno::result(sent).map(drop)
}
