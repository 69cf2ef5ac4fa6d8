//! A daemonization library for Linux, and a harness that verifies any daemon.

#[cfg(feature = "harness")]
pub mod check;
pub mod daemon;
#[cfg(feature = "harness")]
pub mod fixture;
#[cfg(feature = "harness")]
pub mod helper;
#[cfg(feature = "harness")]
pub mod observe;
mod sys;
