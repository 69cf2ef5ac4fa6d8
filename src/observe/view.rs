//! One look at a process, read as far as it is asked about.

use std::cell::OnceCell;
use std::fmt;

use nix::unistd::Pid;

use super::{Descriptors, ObserveError, Observed, Process};

/// One look at one process: its facts and its descriptors.
///
/// Each of the two is read when it is first asked for and never again, so that a test of a process's session does not
/// pay for reading a thousand descriptors, and a failure prints exactly what was judged.
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
    process: OnceCell<Result<Observed<Process>, ObserveError>>,
    descriptors: OnceCell<Result<Observed<Descriptors>, ObserveError>>,
}

impl View {
    /// A look at the process `pid`, which need not exist.
    pub fn of(pid: Pid) -> Self {
        Self { pid, process: OnceCell::new(), descriptors: OnceCell::new() }
    }

    /// A look that saw this, as a test of a predicate makes it: of values that were kept, and perhaps changed.
    pub fn from_parts(pid: Pid, process: Observed<Process>, descriptors: Observed<Descriptors>) -> Self {
        Self { pid, process: OnceCell::from(Ok(process)), descriptors: OnceCell::from(Ok(descriptors)) }
    }

    /// The process that is looked at.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Its facts, see [`Process::of`].
    pub fn process(&self) -> &Result<Observed<Process>, ObserveError> {
        self.process.get_or_init(|| Process::of(self.pid))
    }

    /// Its descriptors, see [`Descriptors::of`].
    pub fn descriptors(&self) -> &Result<Observed<Descriptors>, ObserveError> {
        self.descriptors.get_or_init(|| Descriptors::of(self.pid))
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
