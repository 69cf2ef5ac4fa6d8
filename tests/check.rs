//! The catalogue, judged itself: correct daemons pass all of it, and each defect fails what it breaks.

#![cfg(feature = "harness")]

#[path = "check/support.rs"]
mod support;

#[path = "check/defects.rs"]
mod defects;

#[path = "check/peers.rs"]
mod peers;

#[path = "check/strangers.rs"]
mod strangers;

#[path = "check/reference.rs"]
mod reference;
