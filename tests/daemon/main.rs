//! The daemonization library, seen from outside: through the helper binaries, as an operator sees it.
//!
//! Mirrors `src/daemon`; `model` holds what Open vSwitch promises of its own daemons.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, clippy::unwrap_used)]

mod cleanup;
mod detach;
mod leaks;
mod model;
mod monitor;
mod notify;
mod restart;
mod startup;
mod stdio;
mod support;
mod title;
