//! The only unsafe code of the crate: what nix has no safe call for, one family of system calls a
//! file.

#![allow(unsafe_code)]

#[cfg(feature = "harness")]
pub(crate) mod bell;
#[cfg(feature = "harness")]
pub(crate) mod children;
#[cfg(feature = "harness")]
pub(crate) mod embedded;
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
pub(crate) mod nest;
#[cfg(feature = "harness")]
pub(crate) mod pidfd;
#[cfg(feature = "harness")]
pub(crate) mod private_fds;
#[cfg(feature = "harness")]
pub(crate) mod program;
#[cfg(feature = "harness")]
pub(crate) mod ptrace;
#[cfg(feature = "harness")]
mod raw;
#[cfg(feature = "harness")]
pub(crate) mod reaper;
#[cfg(feature = "harness")]
pub(crate) mod seccomp;
pub(crate) mod signal;
#[cfg(feature = "harness")]
mod stack;
#[cfg(feature = "harness")]
pub(crate) mod timers;
pub(crate) mod title;
pub(crate) mod wait;
