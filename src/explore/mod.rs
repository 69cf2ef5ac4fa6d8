//! The explorer: the interleavings of several starts of a daemon, and the schedules that it saves.

pub mod request;
pub mod schedule;
