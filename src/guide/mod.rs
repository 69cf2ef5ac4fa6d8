//! Testing a daemon: probe.

pub mod cookbook;
