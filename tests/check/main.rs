//! The catalogue, judged itself: correct daemons keep all of it, and each defect breaks what it breaks.

#![cfg(feature = "harness")]
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, clippy::unwrap_used)]

mod clock;
mod debian;
mod declared;
mod defects;
mod explored;
mod odd;
mod peers;
mod reference;
mod restarts;
mod sources;
mod strangers;
mod support;
