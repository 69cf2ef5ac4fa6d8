//! Descriptors that nobody in the process may own: dup3(2), `F_GETFD` of fcntl(2).

use nix::errno::Errno;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};

/// The descriptors above 2 that came from whoever executed this program: those without close-on-exec, which
/// they could not have survived the exec with.
pub(crate) fn inherited() -> io::Result<Vec<RawFd>> {
    let names = fs::read_dir("/proc/self/fd")?.map(|entry| entry.map(|entry| entry.file_name()));
    let names = names.collect::<io::Result<Vec<_>>>()?;
    let numbers = names.iter().filter_map(|name| name.to_str()?.parse().ok());
    Ok(numbers.filter(|&fd| fd > 2 && survives_exec(fd)).collect())
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
