//! The only unsafe code of the crate: what nix has no safe call for, one family of system calls a file.

#![allow(unsafe_code)]
