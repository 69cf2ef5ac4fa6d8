//! A complete daemonization library for Linux: detach, startup notification, locked pidfile, monitor.
//!
//! # Example
//!
//! ```no_run
//! use daemonproof::daemon::{DaemonOptions, Pidfile};
//! use std::net::TcpListener;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Returns in the daemon only. The foreground process waits for the outcome and exits with it.
//! let startup = DaemonOptions::new("mydaemon")
//!     .detach(true)
//!     .monitor(true)
//!     .pidfile(Pidfile::default())
//!     .start()?;
//! // An error here reaches the operator's shell, as exit status and message.
//! let listener = TcpListener::bind("127.0.0.1:7654")?;
//! // The foreground command exits 0 now.
//! startup.complete()?;
//! # drop(listener);
//! # Ok(())
//! # }
//! ```
//!
//! # Design
//!
//! The behaviour is that of Open vSwitch's `lib/daemon-unix.c`, which has proved itself for long, without
//! the holes of its pidfile protocol: see `docs/pidfile-protocol.md` for the protocol used here.
//!
//! The order of events in [`DaemonOptions::start`] is fixed: check everything that can be checked, switch
//! the user, fork and start a new session (`detach`), become owner of the pidfile, fork (`monitor`), publish
//! the pidfile. Then the program initialises; then [`Startup::complete`] notifies whoever waits, moves to
//! `/` and lets go of the standard descriptors.
//!
//! What a process shows to the world: the monitor's title is `PROGRAM: monitoring pid N (healthy)` and its
//! command name `monitor`; daemons keep the program's own.

mod cleanup;
mod detach;
mod error;
mod guard;
mod monitor;
mod notify;
mod options;
mod pidfile;
mod restart;
mod startup;
mod stdio;
mod title;
mod user;

#[cfg(feature = "clap")]
mod args;

#[cfg(feature = "clap")]
pub use args::DaemonArgs;
pub use error::Error;
pub use options::DaemonOptions;
pub use pidfile::{Pidfile, PidfileError, PidfileProblem, read_pidfile};
pub use restart::{Backoff, RestartOn, RestartPolicy};
pub use startup::Startup;
pub use stdio::StandardFd;
