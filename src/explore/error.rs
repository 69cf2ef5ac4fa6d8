//! Why a race could not be explored.

use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::Pid;

use super::judge::INVARIANTS;
use super::search::Failure;
use super::strategy::Divergence;
use crate::fixture::FixtureError;
use crate::trace::{Stuck, TraceError};

/// Why the interleavings of a program could not be explored, or not all of them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExploreError {
    /// Tracing is not possible, or failed.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The sandbox or the command is not right.
    #[error(transparent)]
    Fixture(#[from] FixtureError),
    /// A program could not be executed.
    #[error("failed to execute {}: the program ended before it began", path.display())]
    Execute {
        /// The executable.
        path: PathBuf,
    },
    /// A file could not be read or prepared.
    #[error("failed to {what} {}: {error}", path.display())]
    File {
        /// What was to be done.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        error: io::Error,
    },
    /// A process could not be asked.
    #[error("failed to follow process {pid}: {}", errno.desc())]
    Process {
        /// Its number.
        pid: i32,
        /// What the system said.
        errno: Errno,
    },
    /// A task does something that cannot be followed.
    #[error("{task} uses {what}, which the explorer cannot follow")]
    Unsupported {
        /// The task.
        task: String,
        /// What it does.
        what: &'static str,
    },
    /// A task neither goes on nor ends.
    #[error("{task} {what}")]
    Stuck {
        /// The task.
        task: String,
        /// What it does instead.
        what: &'static str,
    },
    /// A program connects to another, and sockets were not followed. The search begins anew with them.
    #[error("a program connects to another one")]
    Connects,
    /// One execution has too many operations.
    #[error("one execution has more than {limit} operations: the program does not come to rest")]
    TooManyOperations {
        /// How many there may be.
        limit: usize,
    },
    /// One execution has too many processes.
    #[error("one execution has more than {limit} processes: the program forks without end")]
    TooManyProcesses {
        /// How many there may be.
        limit: usize,
    },
    /// The daemon, up and alone, does not end when it is told to.
    #[error(
        "the daemon does not end by SIGTERM when it is up and alone; perhaps at its next tick, but here no timeout passes"
    )]
    NeverDown,
    /// There is no such program.
    #[error("failed to find {}: it is not in PATH", program.display())]
    NotFound {
        /// What was looked for.
        program: std::ffi::OsString,
    },
    /// A command that no program can be given.
    #[error("{}: it contains a null byte", text.display())]
    NullByte {
        /// The argument.
        text: std::ffi::OsString,
    },
    /// There is no invariant of this name.
    #[error("no invariant {name:?}; there are {}, and those that were added", INVARIANTS.join(", "))]
    NoInvariant {
        /// What was asked for.
        name: String,
    },
    /// A schedule could not be saved.
    #[error(transparent)]
    Schedule(#[from] super::schedule::ScheduleError),
    /// A command that no schedule could hold.
    #[error("{} is not UTF-8, and could not be saved in a schedule", text.display())]
    NotUtf8 {
        /// The argument.
        text: std::ffi::OsString,
    },
    /// One contender alone does not come up.
    #[error("the program does not come up even when it is alone: {reason}")]
    NeverUp {
        /// What it did instead.
        reason: String,
    },
    /// A start that is disturbed did not go as it went undisturbed.
    #[error("the program is not deterministic: operation {operation} was {expected}, and now is {found}")]
    Unrepeated {
        /// Which operation, counted from 1.
        operation: usize,
        /// What it was, without numbers, and whose.
        expected: String,
        /// What it is now.
        found: String,
    },
    /// An execution did not repeat an earlier one.
    #[error("the program is not deterministic: {0}")]
    Diverged(Divergence),
}

impl ExploreError {
    pub(crate) fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| ExploreError::File { what, path, error }
    }

    pub(crate) fn process(pid: Pid) -> impl FnOnce(Errno) -> Self {
        move |errno| ExploreError::Process { pid: pid.as_raw(), errno }
    }

    pub(crate) fn stuck(task: &str, stuck: Stuck) -> Self {
        let what = match stuck {
            Stuck::Spinning => "computes without end and without a system call",
            Stuck::Asleep => "sleeps in a system call that the explorer does not know",
        };
        ExploreError::Stuck { task: task.to_owned(), what }
    }

    /// Whether a limit was reached or the program cannot be followed, so that nothing is known about the rest.
    pub fn is_limit(&self) -> bool {
        matches!(
            self,
            ExploreError::Stuck { .. }
                | ExploreError::Unsupported { .. }
                | ExploreError::TooManyOperations { .. }
                | ExploreError::TooManyProcesses { .. }
                | ExploreError::Diverged(_)
                | ExploreError::Unrepeated { .. }
        )
    }
}

impl<E: Into<ExploreError>> From<Failure<E>> for ExploreError {
    fn from(failure: Failure<E>) -> Self {
        match failure {
            Failure::System(error) => error.into(),
            Failure::Diverged(divergence) => ExploreError::Diverged(divergence),
        }
    }
}
