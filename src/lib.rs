//! A daemonization library for Linux, and a harness that verifies any daemon.

#[cfg(feature = "harness")]
pub mod check;
#[cfg(feature = "harness")]
pub mod cli;
pub mod daemon;
#[cfg(feature = "harness")]
pub mod fixture;
#[cfg(feature = "harness")]
pub mod helper;
#[cfg(feature = "harness")]
pub mod observe;
#[cfg(feature = "harness")]
mod report;
mod sys;
