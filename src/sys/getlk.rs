//! Asking who holds a lock, without taking one: `F_GETLK`.

use std::mem;
use std::os::fd::BorrowedFd;

use nix::fcntl::{FcntlArg, fcntl};

/// The `l_pid` of a lock that keeps the caller from read-locking any byte of `file`, that is, of a
/// write lock.
///
/// A positive number is the pid that took a POSIX lock, 0 says that it lives in a PID namespace
/// that cannot be seen from here, -1 that the lock belongs to an open file description. Locks of
/// the calling process's own descriptor table never conflict with it, so they are not reported.
///
/// # Errors
///
/// What [fcntl(2)] answers, such as `EBADF` for a descriptor opened with `O_PATH`.
///
/// [fcntl(2)]: https://man7.org/linux/man-pages/man2/fcntl.2.html
pub(crate) fn write_locker(file: BorrowedFd<'_>) -> nix::Result<Option<libc::pid_t>> {
    // SAFETY: `flock` is a plain C struct of integers, for which all bits zero is a value.
    let mut lock: libc::flock = unsafe { mem::zeroed() };
    lock.l_type = libc::F_RDLCK as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    fcntl(file, FcntlArg::F_GETLK(&mut lock))?;
    Ok((lock.l_type != libc::F_UNLCK as libc::c_short).then_some(lock.l_pid))
}
