//! Unmodified programs under ptrace(2), stopped before each system call that somebody asked for.
//!
//! **Architecture Invariant:** a running task cannot be read and a stopped one not be waited for: `Stopped` and
//! `Running` turn into one another, and neither can be copied.

mod calls;
mod cores;
mod error;
mod task;
mod tracer;

pub(crate) use crate::sys::nest::Program;
pub(crate) use calls::{TRACED, name_of};
pub use error::TraceError;
pub(crate) use task::{End, Running, Stop, Stopped};
pub(crate) use tracer::{Report, Stuck, Tracer};
