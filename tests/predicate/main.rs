//! `predicate` against real processes, files and locks, and what a failed one says.
//!
//! Mirrors `src/predicate`. Each claim is shown to hold and not to hold.

#![allow(clippy::panic, clippy::unwrap_used)]

mod combining;
mod credentials;
mod descriptors;
mod diagnostics;
mod history;
mod lock;
mod output;
mod parts;
mod pidfile;
mod process;
mod signals;
mod support;
mod tree;
