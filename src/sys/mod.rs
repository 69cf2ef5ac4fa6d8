//! The only unsafe code of the crate: what nix has no safe call for, one family of system calls a
//! file.

#![allow(unsafe_code)]

#[cfg(feature = "harness")]
pub(crate) mod getlk;
#[cfg(feature = "harness")]
pub(crate) mod private_fds;
