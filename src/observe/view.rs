//! One look at a process, read as far as it is asked about.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;
use std::path::PathBuf;

use nix::unistd::Pid;

use super::fds::Target;
use super::observed::settle;
use super::proc_dir::ProcDir;
use super::stat::Stat;
use super::{Descriptors, Fact, ObserveError, Observed, Process};

/// One look at one process: its facts and its descriptors.
///
/// Each of the two is read when it is first asked for and never again, so that a test of a process's session does not
/// pay for reading a thousand descriptors. Predicates ask for less where less will do.
///
/// ```
/// use daemonproof::observe::View;
/// use nix::unistd::Pid;
///
/// let view = View::of(Pid::this());
/// let process = view.process().as_ref().expect("this process may be looked at");
/// assert!(!process.is_gone());
/// ```
#[derive(Debug)]
pub struct View {
    pid: Pid,
    /// Held, so that whatever is read when is of the same process.
    dir: OnceCell<Option<ProcDir>>,
    stat: OnceCell<Option<Stat>>,
    cwd: OnceCell<Option<Fact<PathBuf>>>,
    streams: OnceCell<Option<[Target; 3]>>,
    process: OnceCell<Result<Observed<Process>, ObserveError>>,
    descriptors: OnceCell<Result<Observed<Descriptors>, ObserveError>>,
}

impl View {
    /// A look at the process `pid`, which need not exist.
    pub fn of(pid: Pid) -> Self {
        Self {
            pid,
            dir: OnceCell::new(),
            stat: OnceCell::new(),
            cwd: OnceCell::new(),
            streams: OnceCell::new(),
            process: OnceCell::new(),
            descriptors: OnceCell::new(),
        }
    }

    /// A look that saw this, as a test of a predicate makes it: of values that were kept, and perhaps changed.
    pub fn from_parts(pid: Pid, process: Observed<Process>, descriptors: Observed<Descriptors>) -> Self {
        Self {
            process: OnceCell::from(Ok(process)),
            descriptors: OnceCell::from(Ok(descriptors)),
            ..Self::of(pid)
        }
    }

    /// The process that is looked at.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Its facts, see [`Process::of`].
    pub fn process(&self) -> &Result<Observed<Process>, ObserveError> {
        self.process.get_or_init(|| match self.dir() {
            Some(dir) => settle(dir.steadily(Process::read)),
            None => Process::of(self.pid),
        })
    }

    /// Its descriptors, see [`Descriptors::of`].
    pub fn descriptors(&self) -> &Result<Observed<Descriptors>, ObserveError> {
        self.descriptors.get_or_init(|| match self.dir() {
            Some(dir) => settle(dir.steadily(Descriptors::read)),
            None => Descriptors::of(self.pid),
        })
    }

    /// The facts of its `stat`, which is one read. What is not quickly told is left to [`process`](Self::process).
    pub(crate) fn stat(&self) -> Result<Observed<Cow<'_, Stat>>, &ObserveError> {
        let quick = || self.unread(&self.process)?.stat().ok();
        match self.stat.get_or_init(quick) {
            Some(stat) => Ok(Observed::Present(Cow::Borrowed(stat))),
            None => self
                .process()
                .as_ref()
                .map(|process| process.as_ref().map(|process| Cow::Owned(process.into()))),
        }
    }

    /// Its working directory, in the same way.
    pub(crate) fn cwd(&self) -> Result<Observed<&Fact<PathBuf>>, &ObserveError> {
        let quick = || self.unread(&self.process)?.link("cwd").ok().map(Fact::Known);
        match self.cwd.get_or_init(quick) {
            Some(cwd) => Ok(Observed::Present(cwd)),
            None => self.process().as_ref().map(|process| process.as_ref().map(|process| &process.cwd)),
        }
    }

    /// What its standard streams lead to, if that is quickly told; otherwise [`descriptors`](Self::descriptors) may tell.
    pub(crate) fn standard_streams(&self) -> Option<&[Target; 3]> {
        let quick = || {
            let dir = self.unread(&self.descriptors)?;
            let target = |fd| Target::read(dir, &format!("fd/{fd}"));
            Some([target(0)?, target(1)?, target(2)?])
        };
        self.streams.get_or_init(quick).as_ref()
    }

    /// Where to read, unless all was read already.
    fn unread<T>(&self, all: &OnceCell<T>) -> Option<&ProcDir> {
        if all.get().is_some() { None } else { self.dir() }
    }

    fn dir(&self) -> Option<&ProcDir> {
        self.dir.get_or_init(|| ProcDir::open(self.pid).ok()).as_ref()
    }
}

/// The facts, and then the descriptors, each line indented.
impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.process() {
            Ok(Observed::Present(process)) => write!(f, "{process}")?,
            Ok(Observed::Gone) => return write!(f, "{} is gone", self.pid),
            Err(error) => write!(f, "{} {error}", self.pid)?,
        }
        match self.descriptors() {
            Ok(Observed::Present(descriptors)) => write!(f, "\n{descriptors}"),
            Ok(Observed::Gone) => f.write_str("\nand has ended since"),
            Err(error) => write!(f, "\n{error}"),
        }
    }
}
