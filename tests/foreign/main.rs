//! Daemons that are not written in Rust, tested with the fixtures as their authors would.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../check/peers.rs"]
mod peers;
mod python;
mod redis;
