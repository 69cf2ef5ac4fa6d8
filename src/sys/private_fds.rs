//! Looking into a file without any effect on the POSIX locks that this process holds on it.
//!
//! POSIX locks belong to a descriptor table, and closing *any* descriptor of a file drops all of
//! the table's locks on it. A thread with a descriptor table of its own is therefore a different
//! owner: what it opens and closes drops nothing, and `F_GETLK` asked by it also reports the locks
//! of its own process.

use std::io;
use std::thread;

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::SigSet;

/// More than the few calls of a look need, in a debug build too.
const STACK_BYTES: usize = 256 * 1024;

/// Runs `look` in a thread that has no descriptor but those it opens.
///
/// `look` is a function pointer, not a closure, and `argument` must not lead to a descriptor of the
/// caller: in the thread its number would mean another file. `look` finds its descriptors in
/// `/proc/thread-self/fd` (`/proc/self/fd` is the table of the process), and must not use standard
/// input and output.
///
/// # Errors
///
/// No thread could be started, or the kernel refuses it a table of its own.
pub(crate) fn with_private_fds<A: Copy + Send, T: Send>(
    argument: A,
    look: fn(A) -> T,
) -> io::Result<T> {
    thread::scope(|scope| {
        let worker = thread::Builder::new()
            .name("observe".into())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, move || {
                // A handler that writes to a self-pipe must not run where that pipe does not exist.
                SigSet::all().thread_block()?;
                leave_shared_table()?;
                Ok(look(argument))
            })?;
        worker
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the observing thread panicked")))
    })
}

/// Gives the calling thread an empty descriptor table.
///
/// Empty, because copies would outlive `join` by a moment: a thread is joined before the kernel
/// closes its descriptors, and a pipe or flock that the caller closes next would stay open that
/// long. While this runs the kernel does copy them, as it does for each new process.
fn leave_shared_table() -> nix::Result<()> {
    // SAFETY: takes three integers and touches no memory. With CLOSE_RANGE_UNSHARE the descriptors
    // are closed in a new table of this thread alone, in which no owned descriptor exists yet.
    let done = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            0,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_UNSHARE,
        )
    };
    // Before Linux 5.9, and in sandboxes that filter the call, copies are better than nothing.
    if done == 0 {
        Ok(())
    } else {
        unshare(CloneFlags::CLONE_FILES)
    }
}
