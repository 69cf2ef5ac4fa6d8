//! Code that runs when a process ends or forks: `atexit(3)`, `sigaction(2)`, `pthread_atfork(3)`.

use super::exit::exit_immediately;
use super::signal::{Disposition, disposition, is_action, set_default};
use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};
use std::sync::OnceLock;

/// How a process is ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// `exit(3)`: a return from main or `std::process::exit`.
    Exit,
    /// One of the signals given to [`install`].
    Signal(Signal),
}

/// What the signal handler does after the hook has run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// The signal's default action follows.
    Die,
    /// The process is ending already, on another thread or below this handler: let it.
    Resume,
}

/// The hooks. All must be async-signal-safe: no allocation, no lock, no panic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hooks {
    /// Runs once the process ends.
    pub(crate) ending: fn(Ending) -> After,
    /// Runs in every child that the process forks by `fork(3)`.
    pub(crate) forked: fn(),
}

static HOOKS: OnceLock<Hooks> = OnceLock::new();

/// The handler, as one address: the compiler may give a function several.
static HANDLER: extern "C" fn(libc::c_int) = on_signal;

/// Installs the hooks, and for each of `signals` whose action is the default one a handler that runs the
/// hook and then lets the default action follow. Hooks are installed once; a later call changes none.
pub(crate) fn install(hooks: Hooks, signals: &[Signal]) -> Result<(), Errno> {
    if HOOKS.set(hooks).is_ok() {
        // SAFETY: both functions are `extern "C"`, never unwind, and live as long as the process.
        unsafe {
            if libc::atexit(at_exit) != 0 {
                return Err(Errno::ENOMEM);
            }
            match libc::pthread_atfork(None, None, Some(in_child)) {
                0 => {}
                error => return Err(Errno::from_raw(error)),
            }
        }
    }
    for &signal in signals {
        if disposition(signal)? == Disposition::Default {
            let handler = SigHandler::Handler(HANDLER);
            let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::all());
            // SAFETY: `on_signal` calls only async-signal-safe functions (the contract of `Hooks`).
            unsafe { sigaction(signal, &action) }?;
        }
    }
    Ok(())
}

extern "C" fn at_exit() {
    if let Some(hooks) = HOOKS.get() {
        (hooks.ending)(Ending::Exit);
    }
}

extern "C" fn in_child() {
    if let Some(hooks) = HOOKS.get() {
        (hooks.forked)();
    }
}

/// Called for a signal. Also called by handlers that were installed later and call their predecessors, as those of
/// signal-hook and so of tokio do: the program handles the signal itself then, and nothing must happen here.
extern "C" fn on_signal(number: libc::c_int) {
    let errno = Errno::last();
    if let (Some(hooks), Ok(signal)) = (HOOKS.get(), Signal::try_from(number))
        && is_action(signal, HANDLER)
        && (hooks.ending)(Ending::Signal(signal)) == After::Die
    {
        let _ = set_default(signal);
        let _ = raise(signal);
        let mut own = SigSet::empty();
        own.add(signal);
        // The signal is blocked while its handler runs; now it arrives.
        let _ = own.thread_unblock();
        // Still here: the kernel spares the first process of a pid namespace, as in a container. It cannot
        // go on, for its ending has run. The status is the one that a shell would report.
        exit_immediately(128 + number);
    }
    errno.set();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    static ENDED: AtomicBool = AtomicBool::new(false);

    fn ending(ending: Ending) -> After {
        ENDED.store(ending != Ending::Exit, Ordering::SeqCst);
        After::Die
    }

    #[test]
    fn a_handler_that_calls_its_predecessor_does_not_end_the_process() {
        install(Hooks { ending, forked: || () }, &[]).unwrap();
        // As signal-hook does. The action is not ours: if this went on, the test would die of the signal.
        HANDLER(Signal::SIGUSR2 as libc::c_int);
        assert!(!ENDED.load(Ordering::SeqCst));
    }
}
