//! The only unsafe code of the crate: what nix has no safe call for, one family of system calls a file.

#![allow(unsafe_code)]

#[cfg(feature = "harness")]
pub(crate) mod children;
#[cfg(feature = "harness")]
pub(crate) mod launch;
#[cfg(feature = "harness")]
pub(crate) mod pidfd;
#[cfg(feature = "harness")]
pub(crate) mod reaper;
