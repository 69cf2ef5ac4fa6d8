//! The helper binaries: purpose-built daemons, callable from any executable.
//!
//! The executables in `harness-bins/` and `daemonproof helper NAME` both end up in [`main`].

mod behaviour;
mod by_hand;
mod by_hand_fork;
mod crash;
mod defective;
mod hang;
mod logger;
mod names;
mod published_protocol;
mod reference;
mod slow_start;

pub use defective::Defect;
pub use names::{NAMES, main, summary};
