//! Processes as predicates take them.

use std::ffi::OsString;
use std::fmt;

use nix::unistd::Pid;

/// A process that a predicate speaks of: its number, and what people call it.
///
/// Made from a [`Pid`], or from a reference to a daemon under test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedProcess {
    /// Its number.
    pub pid: Pid,
    /// Its program, if that is known.
    pub name: Option<OsString>,
}

impl From<Pid> for NamedProcess {
    fn from(pid: Pid) -> Self {
        Self { pid, name: None }
    }
}

/// `pid 812 (ovsdb-server)`
impl fmt::Display for NamedProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {}", self.pid)?;
        self.name.as_ref().map_or(Ok(()), |name| write!(f, " ({})", name.display()))
    }
}
