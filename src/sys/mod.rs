//! The only unsafe code of the crate: what nix has no safe call for, one family of system calls a
//! file.

#![allow(unsafe_code)]

#[cfg(not(target_pointer_width = "64"))]
compile_error!("daemonproof needs 64-bit Linux: on others, locks and timers have other structures");

#[cfg(feature = "harness")]
pub(crate) mod children;
pub(crate) mod exit;
pub(crate) mod fds;
pub(crate) mod fork;
#[cfg(feature = "harness")]
pub(crate) mod getlk;
pub(crate) mod hooks;
#[cfg(feature = "harness")]
pub(crate) mod launch;
pub(crate) mod lock;
#[cfg(feature = "harness")]
pub(crate) mod pidfd;
#[cfg(feature = "harness")]
pub(crate) mod private_fds;
#[cfg(feature = "harness")]
pub(crate) mod reaper;
pub(crate) mod signal;
pub(crate) mod title;
pub(crate) mod wait;
