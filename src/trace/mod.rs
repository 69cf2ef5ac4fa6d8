//! Unmodified programs under ptrace(2), stopped before each system call that somebody asked for.
//!
//! **Architecture Invariant:** a running task cannot be read and a stopped one not be waited for: `Stopped` and
//! `Running` turn into one another, and neither can be copied.

mod alarms;
mod calls;
mod clock;
mod cores;
mod error;
mod handle;
mod idle;
mod reading;
mod sleeping;
mod task;
mod timekeeper;
mod tracer;
mod vdso;

pub(crate) use crate::sys::nest::Program;
pub(crate) use calls::{TRACED, name_of};
pub use error::TraceError;
pub(crate) use handle::Quiet;
pub use handle::{Clock, Flow};
pub(crate) use task::{End, Running, Stop, Stopped};
pub(crate) use tracer::{Report, Stuck, Tracer};
