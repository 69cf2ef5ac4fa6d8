//! `/proc/PID`, held open.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::observed::{Fact, Stop};
use super::stat::Stat;
use super::{ObserveError, bytes};

/// How often to read what has no sense. Each time means that the process executed a program just then.
pub(super) const ATTEMPTS: u32 = 16;

/// How often to read what is denied for a moment only, letting others run in between.
const DENIED_ATTEMPTS: u32 = 128;

/// How long one that is about to end may be denied: on a loaded machine it may wait for a processor in the middle of that.
const ENDING: Duration = Duration::from_secs(2);

/// More than most files of `/proc` have.
const SHORT: usize = 4096;

/// The content of a file that has no size to be asked for. `fs::read` asks, and then begins with 32 bytes.
pub(crate) fn read_short(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    let mut text = Vec::with_capacity(SHORT);
    File::open(path)?.take(u64::MAX).read_to_end(&mut text)?;
    Ok(text)
}

/// The directory of one process.
///
/// It is held open, so that all is read from the process that had the number at first, and a second
/// process that gets the number meanwhile is never mistaken for it: the kernel answers `ENOENT`
/// instead.
#[derive(Debug)]
pub(super) struct ProcDir {
    pid: Pid,
    dir: File,
}

impl ProcDir {
    pub(super) fn open(pid: Pid) -> Result<Self, Stop> {
        if pid.as_raw() <= 0 {
            return Err(Stop::Gone);
        }
        let path = PathBuf::from(format!("/proc/{pid}"));
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
        match OpenOptions::new().read(true).custom_flags(flags.bits()).open(&path) {
            // With `hidepid=2` it can be opened like this, but neither `stat` nor anything in it is to be had.
            Ok(dir) if dir.metadata().is_err_and(|error| is_gone(&error)) => Err(Self::absent(pid)),
            Ok(dir) => Ok(Self { pid, dir }),
            Err(error) if is_gone(&error) => Err(Self::absent(pid)),
            Err(error) => Err(Stop::Failed(ObserveError::new(&path, error))),
        }
    }

    /// Reads about the process in several steps, again if it seems to have ended and has not.
    ///
    /// When a thread other than the first executes a program, it takes over the number of the process. What was begun
    /// to be read of the first is then empty, or not there.
    pub(super) fn steadily<T>(&self, read: impl Fn(&Self) -> Result<T, Stop>) -> Result<T, Stop> {
        for _ in 1..ATTEMPTS {
            match self.unless_denied_for_now(|| read(self)) {
                Err(Stop::Gone | Stop::Failed(ObserveError::Syntax { .. })) if !self.has_ended() => {}
                outcome => return outcome,
            }
        }
        read(self)
    }

    /// Reads again what is denied although the process is one that this user may signal.
    ///
    /// While it executes a program, and while it ends, the kernel shows it to nobody but root for a moment. A process
    /// that has asked for that, or a set-user-ID program, is denied for good.
    fn unless_denied_for_now<T>(&self, read: impl Fn() -> Result<T, Stop>) -> Result<T, Stop> {
        let began = Instant::now();
        let mut attempts = 1;
        while attempts < DENIED_ATTEMPTS || began.elapsed() < ENDING && self.is_ending() {
            match read() {
                Err(Stop::Failed(error))
                    if error.is_denied() && kill(self.pid, None) != Err(Errno::EPERM) =>
                {
                    attempts += 1;
                    std::thread::yield_now();
                }
                outcome => return outcome,
            }
        }
        // It may be a zombie by now, of which more is known.
        read()
    }

    /// Whether it has given up its memory and is not dead yet: that is a moment, however long it has to wait for a processor.
    fn is_ending(&self) -> bool {
        let has_no_memory = self.read("statm").is_ok_and(|sizes| sizes.starts_with(b"0 "));
        has_no_memory && self.stat().is_ok_and(|stat| !stat.state.is_zombie())
    }

    /// Why `/proc` has, or shows, no such directory.
    fn absent(pid: Pid) -> Stop {
        let answer = kill(pid, None);
        match mounted() {
            _ if answer == Err(Errno::ESRCH) => Stop::Gone,
            Err(error) => Stop::Failed(error),
            Ok(()) if answer == Err(Errno::EPERM) => Stop::Failed(ObserveError::Hidden { pid }),
            Ok(()) => Stop::Gone,
        }
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// The whole content of a file.
    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>, Stop> {
        read_short(self.path(name)).map_err(|error| self.stop(name, error))
    }

    /// What a link says, without asking whether it exists where it points.
    pub(super) fn link(&self, name: &str) -> Result<PathBuf, Stop> {
        fs::read_link(self.path(name)).map_err(|error| self.stop(name, error))
    }

    /// The same, or `None` if that, with all directories, is longer than a page: then the kernel cannot say it.
    pub(super) fn link_unless_too_long(&self, name: &str) -> Result<Option<PathBuf>, Stop> {
        match self.link(name) {
            Err(Stop::Failed(ObserveError::Io { source, .. }))
                if source.raw_os_error() == Some(Errno::ENAMETOOLONG as i32) =>
            {
                Ok(None)
            }
            link => link.map(Some),
        }
    }

    /// A link that may be hidden, or missing although the process is there.
    pub(super) fn link_fact(&self, name: &str) -> Result<Fact<PathBuf>, Stop> {
        match self.unless_denied_for_now(|| self.link_unless_too_long(name)) {
            Ok(path) => Ok(path.map_or(Fact::TooLong, Fact::Known)),
            Err(Stop::Failed(error)) if error.is_denied() => Ok(Fact::Denied),
            Err(Stop::Gone) if !self.has_ended() => Ok(Fact::Absent),
            Err(stop) => Err(stop),
        }
    }

    /// What a link leads to, without opening it.
    pub(super) fn metadata(&self, name: &str) -> io::Result<Metadata> {
        fs::metadata(self.path(name))
    }

    /// The numbers that are names in a directory, ascending.
    pub(super) fn numbers(&self, name: &str) -> Result<Vec<i32>, Stop> {
        let entries = fs::read_dir(self.path(name)).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = entries.map_err(|error| self.stop(name, error))?;
        let number = |entry: &fs::DirEntry| bytes::number(entry.file_name().as_encoded_bytes());
        // The descriptor of this very directory is no fact about a process that observes itself.
        let own = (self.pid == Pid::this()).then_some(self.dir.as_raw_fd());
        let mut numbers: Vec<i32> = entries.iter().filter_map(number).filter(|&fd| Some(fd) != own).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Whether the process has been reaped. A zombie has not.
    pub(super) fn has_ended(&self) -> bool {
        self.metadata("stat").is_err_and(|error| is_gone(&error))
    }

    /// The name for messages.
    pub(super) fn name(&self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.pid.to_string()).join(name)
    }

    /// `/proc/PID/stat`, understood.
    pub(super) fn stat(&self) -> Result<Stat, Stop> {
        self.stat_of("")
    }

    /// The same of `task/TID/`, one thread.
    pub(super) fn stat_of(&self, thread: &str) -> Result<Stat, Stop> {
        let name = format!("{thread}stat");
        let stat = Stat::parse(&self.read(&name)?).map_err(|field| self.syntax(&name, field))?;
        if stat.is_void() { Err(Stop::Gone) } else { Ok(stat) }
    }

    /// Why a file lacks `field`: of a process that is being removed the kernel shows empty files.
    pub(super) fn syntax(&self, name: &str, field: &'static str) -> Stop {
        if self.has_ended() {
            return Stop::Gone;
        }
        Stop::Failed(ObserveError::Syntax { path: self.name(name), field })
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{name}", self.dir.as_raw_fd()))
    }

    fn stop(&self, name: &str, error: io::Error) -> Stop {
        // Of a process that has just ended the kernel may say EACCES, too: it has no user to
        // compare with.
        if is_gone(&error) || self.has_ended() {
            Stop::Gone
        } else {
            Stop::Failed(ObserveError::new(&self.name(name), error))
        }
    }
}

/// Fails if there is no `/proc`, and so no answer either.
pub(super) fn mounted() -> Result<(), ObserveError> {
    let this = Path::new("/proc/self/stat");
    this.metadata().map(drop).map_err(|error| ObserveError::new(this, error))
}

/// Whether the kernel says that the process (or its descriptor) is no more.
pub(super) fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error().map(Errno::from_raw), Some(Errno::ENOENT | Errno::ESRCH))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_process_that_ends_between_two_reads_is_gone() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let dir = ProcDir::open(Pid::from_raw(child.id() as i32)).unwrap();
        assert!(dir.read("stat").is_ok());
        assert!(dir.link_fact("exe").unwrap().known().is_some());
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(matches!(dir.read("status"), Err(Stop::Gone)));
        assert!(matches!(dir.link("exe"), Err(Stop::Gone)));
        assert!(matches!(dir.link_fact("exe"), Err(Stop::Gone)));
        assert!(matches!(dir.numbers("fd"), Err(Stop::Gone)));
    }

    #[test]
    fn no_process_has_such_a_number() {
        for pid in [0, -1, i32::MIN, i32::MAX] {
            assert!(matches!(ProcDir::open(Pid::from_raw(pid)), Err(Stop::Gone)), "{pid}");
        }
    }

    #[test]
    fn a_message_names_the_process_and_the_file() {
        let dir = ProcDir::open(Pid::this()).unwrap();
        let Err(Stop::Failed(error)) = dir.read("fd") else { panic!("a directory was read") };
        assert!(
            error.to_string().starts_with(&format!("failed to read /proc/{}/fd: ", Pid::this())),
            "{error}"
        );
    }
}
