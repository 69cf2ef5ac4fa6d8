//! Ending a process without running anything that it inherited.

/// Ends the process at once with `status`, running no exit handler and flushing nothing.
///
/// The parents that stay behind after a fork end this way: the exit handlers and the buffers that they
/// inherited belong to the daemon, which will run and flush them itself. See `_exit(2)`.
pub(crate) fn exit_immediately(status: i32) -> ! {
    // SAFETY: `_exit` has no preconditions and does not return.
    unsafe { libc::_exit(status) }
}
