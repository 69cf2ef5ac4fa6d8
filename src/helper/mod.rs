//! The helper binaries: purpose-built daemons, callable from any executable.
//!
//! The executables in `harness-bins/` and `daemonproof helper NAME` both end up in [`main`], and so does every executable
//! that the crate is linked into, a test for instance, if it is started under the name [`ARG0`].

mod behaviour;
mod by_hand;
mod by_hand_fork;
mod crash;
mod defective;
mod embedded;
mod hang;
mod logger;
mod names;
mod published_protocol;
mod reference;
mod slow_start;

pub use defective::Defect;
pub use embedded::{ARG0, executable};
pub use names::{NAMES, main, summary};
