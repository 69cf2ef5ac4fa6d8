//! The only unsafe code of the crate: what nix has no safe call for, one family of system calls a
//! file.

#![allow(unsafe_code)]

pub(crate) mod exit;
pub(crate) mod fds;
pub(crate) mod fork;
#[cfg(feature = "harness")]
pub(crate) mod getlk;
pub(crate) mod hooks;
pub(crate) mod lock;
#[cfg(feature = "harness")]
pub(crate) mod private_fds;
pub(crate) mod signal;
pub(crate) mod title;
