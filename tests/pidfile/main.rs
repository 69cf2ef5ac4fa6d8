//! The pidfile's protocol from outside: who may start, who owns, what is left, whatever else happens.

#![cfg(feature = "harness")]
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::unwrap_used)]

mod awaiting;
mod contending;
mod crashing;
mod full;
mod monitored;
mod naming;
mod operator;
mod overwriting;
mod owning;
mod planted;
mod readers;
mod reading;
mod rundir;
#[path = "../observe/skipped.rs"]
mod skipped;
mod support;
mod threads;
mod user;
