//! Claims about what a process does with signals, and about core dumps.

use std::fmt;

use nix::sys::signal::Signal;

use super::subject::of_process;
use super::{Claim, Finding};
use crate::observe::View;

/// Its main thread blocks `signal`.
pub fn blocks(signal: Signal) -> Claim<View> {
    of_process(format!("it blocks {signal}"), move |process| {
        let blocked = process.signals.blocked;
        Finding::new(blocked.contains(signal)).with("blocked", blocked)
    })
}

/// Its main thread blocks no signal.
pub fn blocks_nothing() -> Claim<View> {
    of_process("it blocks no signal", |process| {
        let blocked = process.signals.blocked;
        Finding::new(blocked.is_empty()).with("blocked", blocked)
    })
}

/// It ignores `signal`.
pub fn ignores(signal: Signal) -> Claim<View> {
    of_process(format!("it ignores {signal}"), move |process| {
        let ignored = process.signals.ignored;
        Finding::new(ignored.contains(signal)).with("ignored", ignored)
    })
}

/// It handles `signal` by a function of its own. What waits by signalfd(2) or sigwait(3) [`blocks`] it instead.
pub fn catches(signal: Signal) -> Claim<View> {
    of_process(format!("it catches {signal}"), move |process| {
        let caught = process.signals.caught;
        Finding::new(caught.contains(signal)).with("caught", caught)
    })
}

/// It neither ignores nor catches `signal`.
pub fn default_action(signal: Signal) -> Claim<View> {
    of_process(format!("{signal} has its default action"), move |process| {
        let signals = process.signals;
        Finding::new(!signals.ignored.contains(signal) && !signals.caught.contains(signal))
            .with("ignored", signals.ignored)
            .with("caught", signals.caught)
    })
}

/// The largest core dump that it leaves has `bytes`: its soft limit. 0 for none at all, `None` for no limit.
///
/// ```
/// use daemonproof::predicate::core_limit;
///
/// assert_eq!(core_limit(0).to_string(), "its core dumps are limited to 0 bytes");
/// assert_eq!(core_limit(None).to_string(), "its core dumps are unlimited");
/// ```
pub fn core_limit(bytes: impl Into<Option<u64>>) -> Claim<View> {
    let bytes = bytes.into();
    let text = bytes.map_or("its core dumps are unlimited".to_owned(), |bytes| {
        format!("its core dumps are limited to {bytes} bytes")
    });
    of_process(text, move |process| {
        let limit = process.core_limit;
        Finding::new(limit.soft == bytes)
            .with("soft limit", Bytes(limit.soft))
            .with("hard limit", Bytes(limit.hard))
    })
}

struct Bytes(Option<u64>);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(bytes) => write!(f, "{bytes} bytes"),
            None => f.write_str("unlimited"),
        }
    }
}
