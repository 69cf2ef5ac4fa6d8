//! The explorer, on real processes.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, missing_docs)]

mod nothing_left;
mod odd;
#[path = "../check/peers.rs"]
mod peers;
mod programs;
mod protocols;
mod replay;
mod support;
mod sweeps;
mod together;
