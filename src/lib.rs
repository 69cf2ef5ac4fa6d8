//! A daemonization library for Linux that keeps its promises, and a harness that verifies any daemon.
//!
//! A program that becomes a daemon is easy to write and hard to get right: the pidfile races, the parent that
//! exits 0 before the child failed, the standard error that keeps an SSH session open, the supervisor that
//! restarts in a tight loop. This crate has two halves against that.
//!
//! * [`daemon`] turns your process into a daemon: detach, startup notification, locked pidfile, monitor with
//!   throttled restart.
//! * The harness looks at any daemon from outside, yours or an unmodified binary written in any language. Tests begin
//!   with the [`guide`], and the [cookbook](guide::cookbook) has the questions that authors of daemons ask.
//!   [`check`] judges a daemon promise by promise, as the command `daemonproof check` does; [`fixture`] starts it,
//!   finds it however it detached, waits for it and ends it; [`observe`] tells what its processes are, hold and lock,
//!   and [`predicate`] has claims about that; [`helper`] has purpose-built daemons that crash, hang, start slowly or are
//!   wrong in one thing.
//!
//! # A daemon
//!
//! ```no_run
//! use daemonproof::daemon::{DaemonOptions, Pidfile};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let startup = DaemonOptions::new("mydaemon").detach(true).pidfile(Pidfile::default()).start()?;
//! let listener = std::net::TcpListener::bind("127.0.0.1:7654")?;
//! startup.complete()?;
//! # drop(listener);
//! # Ok(())
//! # }
//! ```
//!
//! # A test of a daemon
//!
//! ```
//! # #[cfg(feature = "harness")] {
//! use daemonproof::prelude::*;
//!
//! let sandbox = Sandbox::new().unwrap();
//! // Yours is sandbox.daemon(env!("CARGO_BIN_EXE_mydaemon")).
//! let daemon = sandbox.helper("reference").detach("--detach").pidfile("--pidfile={pidfile}").start();
//! daemon.assert(session_leader().and(cwd("/")).and(stdio_is_null()));
//! daemon.pidfile().assert(names(&daemon).and(locked_by(&daemon)).and(mode(0o644)));
//! daemon.stop().assert().success();
//! sandbox.pidfile().assert(missing());
//! # }
//! ```
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | none (`default-features = false`) | [`daemon`], with few dependencies |
//! | `clap` | [`daemon::DaemonArgs`]: its options as flags |
//! | `harness` (default) | everything else; begin with the [`guide`] |

// The links lead to what is not there.
#![cfg_attr(not(feature = "harness"), allow(rustdoc::broken_intra_doc_links))]

#[cfg(feature = "harness")]
pub mod check;
#[cfg(feature = "harness")]
pub mod cli;
pub mod daemon;
#[cfg(feature = "harness")]
pub mod explore;
#[cfg(feature = "harness")]
pub mod fixture;
#[cfg(feature = "harness")]
pub mod guide;
#[cfg(feature = "harness")]
pub mod helper;
#[cfg(feature = "harness")]
pub mod observe;
#[cfg(feature = "harness")]
pub mod predicate;
#[cfg(feature = "harness")]
mod report;
mod sys;
#[cfg(feature = "harness")]
pub mod trace;

/// What a test of a daemon needs, for `use daemonproof::prelude::*`. The [`guide`] shows how.
///
/// ```
/// use daemonproof::prelude::*;
/// # use rstest::fixture as rstest;
///
/// #[rstest]
/// fn it_is_known_by_its_pidfile(sandbox: Sandbox) {
///     // In a test of yours: sandbox.daemon(env!("CARGO_BIN_EXE_mydaemon")).
///     let daemon = sandbox.helper("reference").pidfile("--pidfile={pidfile}").start();
///     daemon.assert(alive()).pidfile().assert(names(&daemon));
///     // Dropped, it ends, with everything that it started.
/// }
/// # it_is_known_by_its_pidfile::default();
/// ```
#[cfg(feature = "harness")]
pub mod prelude {
    pub use nix::sys::signal::Signal;
    pub use nix::unistd::{Gid, Pid, Uid};
    pub use predicates;
    pub use predicates::prelude::{Predicate, PredicateBooleanExt, predicate};

    pub use crate::check::{Driving, Outcome, Profile, Verdict, catalogue, judge};
    pub use crate::explore::sweep::{Blow, Sweep};
    pub use crate::explore::{Exploration, Race, RaceVerdict, Scenario};
    pub use crate::fixture::fixtures::{reference_daemon, sandbox};
    pub use crate::fixture::{
        AssertionError, CommandLine, Daemon, DaemonCommand, Deadline, Finished, FixtureError, Keep,
        NotifySocket, Ready, Sandbox, SandboxFile, StartOptions, Subject, Waiter, always_for, eventually,
        never,
    };
    pub use crate::observe;
    pub use crate::observe::{Cause, History, LockKind, Role};
    pub use crate::predicate::*;
}
