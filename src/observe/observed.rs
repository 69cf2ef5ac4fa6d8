//! Answers that may be missing for a good reason.

use std::fmt;

use super::ObserveError;

/// A snapshot of something that may be gone by the time one looks, or half-way through looking.
///
/// ```
/// use daemonproof::observe::{Observed, Process};
/// use nix::unistd::Pid;
///
/// // No process has this number: the kernel's limit is 2^22.
/// assert!(Process::of(Pid::from_raw(i32::MAX))?.is_gone());
/// # Ok::<(), daemonproof::observe::ObserveError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Observed<T> {
    /// It was there.
    Present(T),
    /// It did not exist, or ceased to while it was being read.
    Gone,
}

impl<T> Observed<T> {
    /// The snapshot, or `None` if it was gone.
    pub fn present(self) -> Option<T> {
        match self {
            Self::Present(value) => Some(value),
            Self::Gone => None,
        }
    }

    /// Borrows the snapshot.
    pub fn as_ref(&self) -> Observed<&T> {
        match self {
            Self::Present(value) => Observed::Present(value),
            Self::Gone => Observed::Gone,
        }
    }

    /// Applies `f` to the snapshot.
    pub(crate) fn map<U>(self, f: impl FnOnce(T) -> U) -> Observed<U> {
        match self {
            Self::Present(value) => Observed::Present(f(value)),
            Self::Gone => Observed::Gone,
        }
    }

    /// Whether there was nothing to see.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Gone)
    }
}

impl<T: fmt::Display> fmt::Display for Observed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Present(value) => value.fmt(f),
            Self::Gone => f.write_str("gone"),
        }
    }
}

/// One fact of a snapshot which the kernel shows to some observers only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact<T> {
    /// What it is.
    Known(T),
    /// Hidden from this user, as another user's working directory is.
    Denied,
    /// There is none: a zombie has no working directory, a kernel thread no executable.
    Absent,
    /// A path that the kernel cannot tell: with all directories it is longer than a page, 4096 bytes.
    TooLong,
}

impl<T> Fact<T> {
    /// The fact, if it could be seen.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Denied | Self::Absent | Self::TooLong => None,
        }
    }
}

/// Why reading about a process stopped early. `?` carries it to [`settle`].
#[derive(Debug)]
pub(super) enum Stop {
    Gone,
    Failed(ObserveError),
}

/// Tells the value [`Observed::Gone`] from an error, once all has been read.
pub(super) fn settle<T>(outcome: Result<T, Stop>) -> Result<Observed<T>, ObserveError> {
    match outcome {
        Ok(value) => Ok(Observed::Present(value)),
        Err(Stop::Gone) => Ok(Observed::Gone),
        Err(Stop::Failed(error)) => Err(error),
    }
}
