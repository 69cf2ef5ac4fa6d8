//! One look at a file that processes lock, a pidfile above all.

use std::cell::OnceCell;
use std::fmt;
use std::path::{Path, PathBuf};

use nix::unistd::Pid;

use super::{
    HeldLock, LockState, ObserveError, Observed, Pidfile, PidfileContent, Process, lock_state, locks_on,
};

/// One look at a file: its content read as a pidfile, its locks, and the process that it names.
///
/// Each is read when it is first asked for and never again; see [`View`](super::View). There need be no such file.
///
/// ```
/// use daemonproof::observe::FileView;
///
/// let view = FileView::at("/nonexistent/d.pid");
/// assert!(view.pidfile().is_missing());
/// assert_eq!(view.to_string(), "/nonexistent/d.pid: missing");
/// ```
#[derive(Debug)]
pub struct FileView {
    path: PathBuf,
    pidfile: OnceCell<Pidfile>,
    locks: OnceCell<Result<LockState, ObserveError>>,
    named: OnceCell<Option<Result<Observed<Process>, ObserveError>>>,
    /// What [`held_by`](FileView::held_by) is to answer; `None` to look.
    held: Option<Vec<HeldLock>>,
}

impl FileView {
    /// A look at what is at `path`.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self { path, pidfile: OnceCell::new(), locks: OnceCell::new(), named: OnceCell::new(), held: None }
    }

    /// A look that saw this, as a test of a predicate makes it: of values that were kept, and perhaps changed.
    ///
    /// `named` is the process whose number is in the pidfile; it is left out if there is no such number. Of `held`
    /// those of one process are the answer of [`held_by`](Self::held_by).
    pub fn from_parts(
        pidfile: Pidfile,
        locks: LockState,
        named: Observed<Process>,
        held: Vec<HeldLock>,
    ) -> Self {
        let named = pidfile.pid().map(|_| Ok(named));
        Self {
            path: pidfile.path.clone(),
            pidfile: OnceCell::from(pidfile),
            locks: OnceCell::from(Ok(locks)),
            named: OnceCell::from(named),
            held: Some(held),
        }
    }

    /// The name that is looked at.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its content, mode and POSIX write lock, see [`Pidfile::at`].
    pub fn pidfile(&self) -> &Pidfile {
        self.pidfile.get_or_init(|| Pidfile::at(&self.path))
    }

    /// All locks on it, see [`lock_state`].
    pub fn locks(&self) -> &Result<LockState, ObserveError> {
        self.locks.get_or_init(|| lock_state(&self.path))
    }

    /// The process whose number is in it; `None` without such a number.
    pub fn named(&self) -> Option<&Result<Observed<Process>, ObserveError>> {
        self.named.get_or_init(|| self.pidfile().pid().map(Process::of)).as_ref()
    }

    /// The locks that the process `pid` holds on it, by its descriptors; see [`locks_on`]. Not kept.
    ///
    /// # Errors
    ///
    /// As [`locks_on`].
    pub fn held_by(&self, pid: Pid) -> Result<Vec<HeldLock>, ObserveError> {
        match &self.held {
            Some(held) => Ok(held.iter().filter(|held| held.pid == pid).copied().collect()),
            None => locks_on(&self.path, &[pid]),
        }
    }
}

/// What the pidfile says of itself, and all its locks.
impl fmt::Display for FileView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.pidfile())?;
        if self.pidfile().content == PidfileContent::Missing {
            return Ok(());
        }
        match self.locks() {
            Ok(state) => {
                state.held.iter().try_for_each(|lock| write!(f, "\n  held: {lock}"))?;
                state.awaited.iter().try_for_each(|lock| write!(f, "\n  awaited: {lock}"))
            }
            Err(error) => write!(f, "\n  {error}"),
        }
    }
}
