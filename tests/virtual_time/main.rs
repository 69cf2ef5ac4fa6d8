//! Virtual time: unmodified programs sleep for hours within milliseconds, and see on each clock that they did.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod clocks;
mod daemons;
mod languages;
mod on_tokio;
#[path = "../check/peers.rs"]
mod peers;
mod support;
mod waits;
