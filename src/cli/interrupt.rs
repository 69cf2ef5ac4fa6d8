//! A request to end that leaves time to report what was found so far.

use super::guard::REQUESTS;
use nix::sys::signal::SigSet;
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::ops::ControlFlow;

/// The signals that ask this process to end, from now on held back: not even a second one ends the report.
///
/// Whatever this thread starts has them blocked too, unless it is started with a mask of its own.
pub(super) struct Interrupt(SignalFd);

impl Interrupt {
    pub(super) fn watch() -> nix::Result<Self> {
        let requests: SigSet = REQUESTS.into_iter().collect();
        requests.thread_block()?;
        SignalFd::with_flags(&requests, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).map(Self)
    }

    /// Breaks off once one of them was sent.
    pub(super) fn flow(&self) -> ControlFlow<()> {
        match self.0.read_signal() {
            Ok(Some(_)) => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::{Signal, raise};

    #[test]
    fn a_request_breaks_off() {
        let interrupt = Interrupt::watch().unwrap();
        assert_eq!(interrupt.flow(), ControlFlow::Continue(()));
        // That is to this thread only.
        raise(Signal::SIGINT).unwrap();
        assert_eq!(interrupt.flow(), ControlFlow::Break(()));
        assert_eq!(interrupt.flow(), ControlFlow::Continue(()));
    }
}
