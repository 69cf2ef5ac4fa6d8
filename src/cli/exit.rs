//! How the command ends.

use crate::report::Verdict;
use std::io;
use std::process::ExitCode;

/// The exit statuses of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Status {
    Holds = 0,
    Violated = 1,
    Usage = 2,
    Inconclusive = 3,
}

/// Why there is nothing to report.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// What was typed cannot be done.
    #[error("{0}")]
    Usage(String),
    /// What was typed is right, but the answer cannot be had.
    #[error("{0}")]
    Inconclusive(String),
    /// The report could not be written.
    #[error("failed to write {to}: {error}")]
    Output { to: String, error: io::Error },
}

impl Failure {
    pub(super) fn status(&self) -> Status {
        match self {
            Self::Usage(_) => Status::Usage,
            Self::Inconclusive(_) | Self::Output { .. } => Status::Inconclusive,
        }
    }
}

impl From<Verdict> for Status {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Holds => Self::Holds,
            Verdict::Violated => Self::Violated,
            Verdict::Inconclusive => Self::Inconclusive,
        }
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status as u8)
    }
}
