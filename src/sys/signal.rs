//! Signal dispositions: `sigaction(2)`.

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use std::mem::MaybeUninit;

/// What a process does with a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disposition {
    /// The default action.
    Default,
    /// Ignored.
    Ignored,
    /// A handler of the program's own.
    Handler,
}

/// The calling process's disposition for `signal`.
pub(crate) fn disposition(signal: Signal) -> Result<Disposition, Errno> {
    Ok(match action(signal)? {
        libc::SIG_DFL => Disposition::Default,
        libc::SIG_IGN => Disposition::Ignored,
        _ => Disposition::Handler,
    })
}

/// Whether `handler` is what the calling process does with `signal`. Async-signal-safe.
pub(crate) fn is_action(signal: Signal, handler: extern "C" fn(libc::c_int)) -> bool {
    action(signal) == Ok(handler as libc::sighandler_t)
}

fn action(signal: Signal) -> Result<libc::sighandler_t, Errno> {
    let mut current = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: a null new action only queries; `current` is valid for the write of one sigaction.
    let result = unsafe { libc::sigaction(signal as i32, std::ptr::null(), current.as_mut_ptr()) };
    Errno::result(result)?;
    // SAFETY: sigaction succeeded and has filled `current`.
    Ok(unsafe { current.assume_init() }.sa_sigaction)
}

/// Gives `signal` its default action.
pub(crate) fn set_default(signal: Signal) -> Result<(), Errno> {
    set(signal, SigHandler::SigDfl)
}

/// Makes the process ignore `signal`.
pub(crate) fn set_ignored(signal: Signal) -> Result<(), Errno> {
    set(signal, SigHandler::SigIgn)
}

fn set(signal: Signal, handler: SigHandler) -> Result<(), Errno> {
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: SIG_DFL and SIG_IGN run no code of ours.
    unsafe { sigaction(signal, &action) }.map(drop)
}
