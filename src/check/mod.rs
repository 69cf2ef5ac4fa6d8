//! The catalogue: promises that any well-behaved daemon keeps, and the means to judge them.
//!
//! A [`Check`] is one named promise. A [`Driving`] says how to drive one particular daemon: its command line,
//! and which arguments detach it, monitor it and so on; it comes from the caller or from a [`Profile`].
//! [`judge`] starts the daemon as often as the checks need, and gives one [`Finding`] for each of them.
//!
//! ```no_run
//! use daemonproof::check::{Driving, Verdict, catalogue, judge};
//! use daemonproof::fixture::CommandLine;
//!
//! let command = CommandLine::new("mydaemon").arg("--pidfile={pidfile}");
//! let driving = Driving::new(command).detach("--detach");
//! let checks: Vec<_> = catalogue().collect();
//! let report = judge(&driving, &checks, |_| {})?;
//! assert_eq!(report.verdict(), Verdict::Holds);
//! # Ok::<(), daemonproof::fixture::FixtureError>(())
//! ```
//!
//! # Design
//!
//! What is peculiar to one program, its monitor's title for instance, is judged only if its profile declares
//! it. A check that does not apply is skipped with the reason, and one that cannot be judged says why: neither
//! counts as passed. Several checks look at the same run of the daemon, which happens once, when the first of
//! them asks for it.

mod catalogue;
mod checks;
mod crash;
mod detach;
mod driving;
mod exploring;
mod facts;
mod fault;
mod fds;
mod lab;
mod lock;
mod monitor;
mod outcome;
mod pidfile;
mod profile;
mod race;
mod restart;
mod run;
mod series;
mod stale;
mod startup;
mod stdio;
mod stop;

pub use catalogue::{Check, catalogue, find};
pub use driving::Driving;
pub use lab::{Progress, judge};
pub use outcome::{Finding, Outcome, Report, Verdict};
pub use profile::{Declared, Profile, ProfileError};
