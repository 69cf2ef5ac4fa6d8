//! Asking who holds a lock, without taking one: `F_GETLK` and `F_OFD_GETLK`.

use std::mem;
use std::os::fd::BorrowedFd;

use nix::fcntl::{FcntlArg, fcntl};
use nix::unistd::Pid;

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
    let mut lock = whole_file(libc::F_RDLCK);
    fcntl(file, FcntlArg::F_GETLK(&mut lock))?;
    Ok((lock.l_type != libc::F_UNLCK as libc::c_short).then_some(lock.l_pid))
}

/// Whether this process may hold POSIX locks on `file`, and so would lose them with any descriptor of it that it closes.
///
/// The kernel tells of one lock only. It is the only one there is if it is a write lock on everything.
pub(crate) fn may_be_locked_here(file: BorrowedFd<'_>) -> bool {
    let mut lock = whole_file(libc::F_WRLCK);
    // As if an open file description asked, which the locks of its own process keep out, too.
    if fcntl(file, FcntlArg::F_OFD_GETLK(&mut lock)).is_err() {
        return true;
    }
    let is_everything = lock.l_start == 0 && lock.l_len == 0;
    match i32::from(lock.l_type) {
        libc::F_UNLCK => false,
        libc::F_WRLCK if is_everything => lock.l_pid == Pid::this().as_raw(),
        _ => true,
    }
}

fn whole_file(kind: libc::c_int) -> libc::flock {
    // SAFETY: `flock` is a plain C struct of integers, for which all bits zero is a value.
    let mut lock: libc::flock = unsafe { mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock
}
