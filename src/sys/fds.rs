//! Descriptors that nobody in the process may own: dup3(2), fstat(2), `F_GETFD` of fcntl(2).

use nix::errno::Errno;
#[cfg(feature = "harness")]
use nix::sys::stat::fstat;
use std::fs;
use std::io;
#[cfg(feature = "harness")]
use std::os::fd::BorrowedFd;
use std::os::fd::{AsFd, AsRawFd, RawFd};

/// The descriptors above 2 that came from whoever executed this program: those without close-on-exec, which
/// they could not have survived the exec with.
pub(crate) fn inherited() -> io::Result<Vec<RawFd>> {
    Ok(open()?.into_iter().filter(|&fd| fd > 2 && survives_exec(fd)).collect())
}

/// The descriptors of the calling thread's table, one of which, that of the list itself, is not open any more.
fn open() -> io::Result<Vec<RawFd>> {
    let names = fs::read_dir("/proc/thread-self/fd")?.map(|entry| entry.map(|entry| entry.file_name()));
    let names = names.collect::<io::Result<Vec<_>>>()?;
    Ok(names.iter().filter_map(|name| name.to_str()?.parse().ok()).collect())
}

/// Each of them with the device and the number of the file that it leads to.
#[cfg(feature = "harness")]
pub(crate) fn own_inodes() -> io::Result<impl Iterator<Item = (RawFd, (libc::dev_t, libc::ino_t))>> {
    let inode = |fd| {
        // SAFETY: fstat only asks; of a number that is not open any more it answers EBADF.
        let file = fstat(unsafe { BorrowedFd::borrow_raw(fd) }).ok()?;
        Some((fd, (file.st_dev, file.st_ino)))
    };
    Ok(open()?.into_iter().filter_map(inode))
}

fn survives_exec(fd: RawFd) -> bool {
    // SAFETY: F_GETFD only asks; of a number that is not open it answers EBADF.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
    flags >= 0 && flags & libc::FD_CLOEXEC == 0
}

/// Makes the open descriptor `fd` lead to what `target` leads to, with close-on-exec.
///
/// Whoever owns `fd` goes on owning it: it is open all the time, so this is no hidden close.
pub(crate) fn redirect(fd: RawFd, target: impl AsFd) -> Result<(), Errno> {
    // SAFETY: dup3 takes any two numbers; `fd` stays open, as a descriptor of another file.
    let result = unsafe { libc::dup3(target.as_fd().as_raw_fd(), fd, libc::O_CLOEXEC) };
    Errno::result(result).map(drop)
}
