//! What can go wrong when looking.

use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::Pid;
use thiserror::Error;

use super::shown::Shown;

/// A fact that could not be read. That a process or file is not there is not an error, but a value.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ObserveError {
    /// The kernel does not let this user see it.
    #[error(
        "failed to read {}: permission denied; run as the owner of the process or file, or as root",
        Shown::new(path)
    )]
    Denied {
        /// The file in `/proc`, whose name tells the process, or the file that was asked about.
        path: PathBuf,
    },
    /// The process exists, but its directory in `/proc` does not: `/proc` is mounted with
    /// `hidepid`.
    #[error("failed to observe process {pid}: it exists but is hidden in /proc; run as its owner or as root")]
    Hidden {
        /// The hidden process.
        pid: Pid,
    },
    /// Any other failure of a system call.
    #[error("failed to read {}: {source}", Shown::new(path))]
    Io {
        /// The file in `/proc`, whose name tells the process, or the file that was asked about.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file was read but does not have the form that the kernel documents.
    #[error("failed to understand {}: it has no valid `{field}`", Shown::new(path))]
    Syntax {
        /// The file in `/proc`.
        path: PathBuf,
        /// Which part of it.
        field: &'static str,
    },
}

impl ObserveError {
    pub(super) fn new(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::PermissionDenied => Self::Denied { path },
            _ => Self::Io { path, source },
        }
    }

    /// Whether more privilege would have given the answer.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Denied { .. } | Self::Hidden { .. })
    }
}
