//! What a process holds open.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, Metadata};
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::unistd::Pid;

use super::bytes::{field, fields, number, number_in_base};
use super::observed::{Stop, settle};
use super::proc_dir::{ATTEMPTS, ProcDir};
use super::shown::Shown;
use super::stat::Stat;
use super::{Device, Inode, Lock, ObserveError, Observed};

/// The open descriptors of one process, by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptors {
    pid: Pid,
    list: Vec<Descriptor>,
}

/// One open descriptor, after [proc_pid_fd(5)] and [proc_pid_fdinfo(5)].
///
/// [proc_pid_fd(5)]: https://man7.org/linux/man-pages/man5/proc_pid_fd.5.html
/// [proc_pid_fdinfo(5)]: https://man7.org/linux/man-pages/man5/proc_pid_fdinfo.5.html
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Descriptor {
    /// Its number.
    pub fd: RawFd,
    /// What it leads to.
    pub target: Target,
    /// Flags of the open file description and `O_CLOEXEC`.
    pub flags: OFlag,
    /// What may be done with it.
    pub access: Access,
    /// Whether `execve` closes it.
    pub close_on_exec: bool,
    /// The offset for reads and writes, in bytes.
    pub pos: u64,
    /// The locks held through it: of its open file description, and POSIX locks of the process
    /// taken through that.
    pub locks: Vec<Lock>,
    /// Which file it is, as `stat` tells it; `None` if the file system refuses to say.
    pub inode: Option<Inode>,
}

/// What a descriptor leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// `/dev/null`, known by its device number whatever it is called.
    Null,
    /// A terminal.
    Tty(PathBuf),
    /// A regular file.
    File {
        /// Its name, as seen by the process, without the kernel's mark for deleted files.
        path: PathBuf,
        /// Whether that name no longer leads to it.
        deleted: bool,
    },
    /// A directory.
    Directory(PathBuf),
    /// A named pipe.
    Fifo(PathBuf),
    /// Any other device.
    Device(PathBuf),
    /// A pipe without a name, by its inode number: equal for both ends.
    Pipe(u64),
    /// A socket, by its inode number.
    Socket(u64),
    /// A kernel object that is no file, by its kind: `eventfd`, `inotify`, `memfd:NAME` and others.
    Anon(String),
    /// A file of any kind, with a path that the kernel cannot tell: it is longer than a page, 4096 bytes.
    TooLong,
    /// Anything else, as the kernel writes it.
    Other(PathBuf),
}

/// What may be done with a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Both.
    ReadWrite,
    /// Neither: opened with `O_PATH`.
    Path,
}

impl Descriptors {
    /// Takes a snapshot of the descriptors of the process `pid`. A zombie has none.
    ///
    /// A descriptor that is closed meanwhile is left out. What this very call opens in the
    /// calling process is left out, too.
    ///
    /// # Errors
    ///
    /// [`ObserveError::is_denied`] for another user's process, unless the caller has `CAP_SYS_PTRACE`.
    pub fn of(pid: Pid) -> Result<Observed<Self>, ObserveError> {
        settle(ProcDir::open(pid).and_then(|dir| dir.steadily(Self::read)))
    }

    /// These descriptors of the process `pid`, as a test of a predicate makes them: of values that were kept, and
    /// perhaps changed. Of several with one number the first stays.
    pub fn from_parts(pid: Pid, descriptors: impl IntoIterator<Item = Descriptor>) -> Self {
        let mut list: Vec<Descriptor> = descriptors.into_iter().collect();
        list.sort_by_key(|descriptor| descriptor.fd);
        list.dedup_by_key(|descriptor| descriptor.fd);
        Self { pid, list }
    }

    pub(super) fn read(dir: &ProcDir) -> Result<Self, Stop> {
        let (mut list, mut missed) = (Vec::new(), None);
        // What this very call opens is listed each time and never found.
        let passes = if dir.pid() == Pid::this() { 1 } else { ATTEMPTS };
        for _ in 0..passes {
            let (thread, mut numbers) = table(dir)?;
            numbers.retain(|fd| missed.as_ref().is_none_or(|missed: &Vec<RawFd>| missed.contains(fd)));
            let mut missing = Vec::new();
            for fd in numbers {
                match Descriptor::read(dir, &thread, fd) {
                    Err(Stop::Gone) if !dir.has_ended() => missing.push(fd),
                    descriptor => list.push(descriptor?),
                }
            }
            if missing.is_empty() {
                break;
            }
            // Closed, and then no longer listed; or the thread with which they were found has ended.
            missed = Some(missing);
        }
        list.sort_unstable_by_key(|descriptor: &Descriptor| descriptor.fd);
        Ok(Self { pid: dir.pid(), list })
    }

    /// The process they belong to.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// The descriptor `fd`, if it is open.
    pub fn get(&self, fd: RawFd) -> Option<&Descriptor> {
        let index = self.list.binary_search_by_key(&fd, |descriptor| descriptor.fd).ok()?;
        self.list.get(index)
    }

    /// All of them, by number.
    pub fn iter(&self) -> std::slice::Iter<'_, Descriptor> {
        self.list.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// The numbers of the descriptors, and where in `dir` they are found: with the first thread, or, if that has ended before
/// the others, with one of those.
fn table(dir: &ProcDir) -> Result<(String, Vec<RawFd>), Stop> {
    for _ in 0..ATTEMPTS {
        let first = String::new();
        let (stat, numbers) = match listed(dir, &first)? {
            Listed::Whole(numbers) => return Ok((first, numbers)),
            Listed::Ending(stat, numbers) => (stat, numbers),
        };
        if stat.threads <= 1 {
            return match numbers {
                // Nobody but root may look into a zombie, but it is known to have none.
                Err(Stop::Failed(error)) if error.is_denied() && stat.state.is_zombie() => {
                    Ok((first, Vec::new()))
                }
                numbers => Ok((first, numbers?)),
            };
        }
        for thread in dir.numbers("task")?.into_iter().filter(|&thread| thread != dir.pid().as_raw()) {
            let thread = format!("task/{thread}/");
            match listed(dir, &thread) {
                Ok(Listed::Whole(numbers)) => return Ok((thread, numbers)),
                Ok(Listed::Ending(..)) => {}
                Err(Stop::Gone) if !dir.has_ended() => {}
                Err(stop) => return Err(stop),
            }
        }
    }
    // Another thread each time.
    Err(Stop::Gone)
}

enum Listed {
    Whole(Vec<RawFd>),
    /// Perhaps not all of them, because the thread is ending, or none, because it has ended.
    Ending(Stat, Result<Vec<RawFd>, Stop>),
}

/// What a thread lists.
fn listed(dir: &ProcDir, thread: &str) -> Result<Listed, Stop> {
    let name = format!("{thread}fd");
    let mut numbers = dir.numbers(&name);
    for _ in 0..ATTEMPTS {
        let stat = dir.stat_of(thread)?;
        if stat.exiting {
            return Ok(Listed::Ending(stat, numbers));
        }
        // If the thread that listed them was ending and another has taken its place since, that lists more.
        let before = std::mem::replace(&mut numbers, dir.numbers(&name));
        if before.is_err() || numbers.as_ref().ok() == before.as_ref().ok() {
            break;
        }
    }
    numbers.map(Listed::Whole)
}

impl<'a> IntoIterator for &'a Descriptors {
    type Item = &'a Descriptor;
    type IntoIter = std::slice::Iter<'a, Descriptor>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Descriptor {
    fn read(dir: &ProcDir, thread: &str, fd: RawFd) -> Result<Self, Stop> {
        // The link first: reading it opens nothing, so that in the calling process the number of a
        // descriptor just closed is not taken by the very file that is opened to describe it.
        let link = dir.link_unless_too_long(&format!("{thread}fd/{fd}"))?;
        let metadata = dir.metadata(&format!("{thread}fd/{fd}")).ok();
        let name = format!("{thread}fdinfo/{fd}");
        let info = Info::parse(&dir.read(&name)?).map_err(|field| dir.syntax(&name, field))?;
        let target = link.map_or(Target::TooLong, |link| Target::new(&link, metadata.as_ref()));
        Ok(Self {
            fd,
            target,
            flags: info.flags,
            access: Access::of(info.flags),
            close_on_exec: info.flags.contains(OFlag::O_CLOEXEC),
            pos: info.pos,
            locks: info.locks,
            inode: metadata.as_ref().map(Inode::of),
        })
    }
}

/// `/proc/PID/fdinfo/FD`.
#[derive(Debug, PartialEq, Eq)]
struct Info {
    pos: u64,
    flags: OFlag,
    locks: Vec<Lock>,
}

impl Info {
    fn parse(text: &[u8]) -> Result<Self, &'static str> {
        let flags = field(text, "flags").and_then(|value| number_in_base(8, value)).ok_or("flags")?;
        // A negative position is one of /dev/mem and its like, beyond 2^63.
        let pos: i64 = field(text, "pos").and_then(number).ok_or("pos")?;
        Ok(Self {
            pos: pos.cast_unsigned(),
            flags: OFlag::from_bits_retain(i32::try_from(flags).map_err(|_| "flags")?),
            locks: fields(text, "lock").filter_map(Lock::parse).collect(),
        })
    }
}

impl Access {
    fn of(flags: OFlag) -> Self {
        match flags & OFlag::O_ACCMODE {
            _ if flags.contains(OFlag::O_PATH) => Self::Path,
            OFlag::O_WRONLY => Self::Write,
            OFlag::O_RDWR => Self::ReadWrite,
            _ => Self::Read,
        }
    }

    /// Whether it can be read from.
    pub fn can_read(self) -> bool {
        matches!(self, Self::Read | Self::ReadWrite)
    }

    /// Whether it can be written to.
    pub fn can_write(self) -> bool {
        matches!(self, Self::Write | Self::ReadWrite)
    }
}

/// Its numbers; null(4).
const NULL: Device = Device { major: 1, minor: 3 };

fn is_null(metadata: &Metadata) -> bool {
    metadata.file_type().is_char_device() && Device::from_dev_t(metadata.rdev()) == NULL
}

const DELETED: &[u8] = b" (deleted)";

impl Target {
    /// What the link `name` leads to; none if it is not there, or cannot be followed.
    pub(super) fn read(dir: &ProcDir, name: &str) -> Option<Self> {
        let metadata = dir.metadata(name).ok()?;
        if is_null(&metadata) {
            return Some(Self::Null);
        }
        let link = dir.link_unless_too_long(name).ok()?;
        Some(link.map_or(Self::TooLong, |link| Self::new(&link, Some(&metadata))))
    }

    fn new(link: &Path, metadata: Option<&Metadata>) -> Self {
        let text = link.as_os_str().as_bytes();
        if !text.starts_with(b"/") {
            return Self::unnamed(link);
        }
        // A file of memfd_create has no name from the start, so the kernel calls it deleted.
        if let Some(name) = text.strip_suffix(DELETED).filter(|name| name.starts_with(b"/memfd:")) {
            return Self::Anon(String::from_utf8_lossy(&name[1..]).into_owned());
        }
        let path = link.to_owned();
        let Some(metadata) = metadata else {
            return Self::Other(path);
        };
        let kind = metadata.file_type();
        if kind.is_char_device() || kind.is_block_device() {
            Self::device(path, Device::from_dev_t(metadata.rdev()))
        } else if kind.is_file() {
            Self::file(link, metadata)
        } else if kind.is_dir() {
            Self::Directory(path)
        } else if kind.is_fifo() {
            Self::Fifo(path)
        } else {
            Self::Other(path)
        }
    }

    /// `pipe:[123]`, `socket:[123]`, `anon_inode:[eventfd]`, `anon_inode:inotify`.
    fn unnamed(link: &Path) -> Self {
        let text = link.as_os_str().as_bytes();
        let within = |prefix: &[u8]| text.strip_prefix(prefix)?.strip_prefix(b"[")?.strip_suffix(b"]");
        if let Some(ino) = within(b"pipe:").and_then(number) {
            Self::Pipe(ino)
        } else if let Some(ino) = within(b"socket:").and_then(number) {
            Self::Socket(ino)
        } else if let Some(kind) = within(b"anon_inode:").or(text.strip_prefix(b"anon_inode:")) {
            Self::Anon(String::from_utf8_lossy(kind).into_owned())
        } else {
            Self::Other(link.to_owned())
        }
    }

    fn device(path: PathBuf, device: Device) -> Self {
        let named_tty = path.as_os_str().as_bytes().starts_with(b"/dev/tty");
        match device {
            NULL => Self::Null,
            _ if device.is_terminal() || named_tty => Self::Tty(path),
            _ => Self::Device(path),
        }
    }

    /// The kernel marks a deleted file by a suffix, which a file may as well have in its name.
    fn file(link: &Path, metadata: &Metadata) -> Self {
        let is_name = |path: &Path| {
            fs::symlink_metadata(path).is_ok_and(|found| Inode::of(&found) == Inode::of(metadata))
        };
        match link.as_os_str().as_bytes().strip_suffix(DELETED) {
            Some(name) if !is_name(link) => {
                Self::File { path: OsStr::from_bytes(name).into(), deleted: true }
            }
            _ => Self::File { path: link.to_owned(), deleted: false },
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("/dev/null"),
            Self::File { path, deleted: true } => match unnamed_in(path) {
                Some(directory) => write!(f, "a file made without a name in {}", Shown::new(directory)),
                None => write!(f, "{} (deleted)", Shown::new(path)),
            },
            Self::File { path, .. } | Self::Tty(path) | Self::Directory(path) => Shown::new(path).fmt(f),
            Self::Fifo(path) | Self::Device(path) | Self::Other(path) => Shown::new(path).fmt(f),
            Self::TooLong => f.write_str("(too long a path)"),
            Self::Pipe(ino) => write!(f, "pipe {ino}"),
            Self::Socket(ino) => write!(f, "socket {ino}"),
            Self::Anon(kind) => Shown::new(kind).fmt(f),
        }
    }
}

/// The directory in which a file was made that never had a name, as by `O_TMPFILE`: the kernel calls it by its number.
fn unnamed_in(path: &Path) -> Option<&Path> {
    let number = path.file_name()?.as_encoded_bytes().strip_prefix(b"#")?;
    (!number.is_empty() && number.iter().all(u8::is_ascii_digit)).then_some(path.parent()?)
}

/// `r`, `w`, `rw`, or `path`.
impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Read => "r",
            Self::Write => "w",
            Self::ReadWrite => "rw",
            Self::Path => "path",
        })
    }
}

/// One line: number, access, target, and what else matters.
impl fmt::Display for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>3} {:<4} {}", self.fd, self.access, self.target)?;
        if self.close_on_exec {
            f.write_str(", close-on-exec")?;
        }
        self.locks.iter().try_for_each(|lock| write!(f, ", {lock}"))
    }
}

/// One descriptor a line.
impl fmt::Display for Descriptors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("no open descriptors");
        }
        for (index, descriptor) in self.iter().enumerate() {
            let line = if index == 0 { "" } else { "\n" };
            write!(f, "{line}{descriptor}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::bytes::tests::{damaged, noise};
    use crate::observe::{LockKind, LockMode, LockRange, Locker};

    const INFO: &[u8] = b"pos:\t17\nflags:\t02100002\nmnt_id:\t27\nino:\t10010829\n\
        lock:\t1: POSIX  ADVISORY  WRITE 812 fe:00:10010829 0 EOF\nlock:\t2: OFDLCK ADVISORY  READ -1 fe:00:10010829 5 11\n";

    #[test]
    fn fdinfo_tells_flags_and_locks() {
        let info = Info::parse(INFO).unwrap();
        assert_eq!(info.pos, 17);
        assert!(info.flags.contains(OFlag::O_CLOEXEC | OFlag::O_RDWR));
        assert_eq!(Access::of(info.flags), Access::ReadWrite);
        let [posix, ofd] = info.locks[..] else { panic!("{info:?}") };
        assert_eq!(
            (posix.kind, posix.mode, posix.pid()),
            (LockKind::Posix, LockMode::Write, Some(Pid::from_raw(812)))
        );
        assert_eq!(
            (ofd.kind, ofd.mode, ofd.locker),
            (LockKind::Ofd, LockMode::Read, Locker::FileDescription)
        );
        assert_eq!(ofd.range, LockRange { start: 5, end: Some(11) });
    }

    #[test]
    fn access_is_what_open_was_asked_for() {
        let access = |flags| Access::of(OFlag::from_bits_retain(flags));
        assert_eq!(access(0o100000), Access::Read);
        assert_eq!(access(0o2001), Access::Write);
        assert_eq!(access(OFlag::O_PATH.bits()), Access::Path);
        assert!(
            access(2).can_read() && access(2).can_write() && !access(0).can_write() && !access(1).can_read()
        );
    }

    #[test]
    fn objects_without_a_name_are_told_apart() {
        let target = |link: &str| Target::new(Path::new(link), None);
        let anon = |kind: &str| Target::Anon(kind.into());
        assert_eq!(target("pipe:[42]"), Target::Pipe(42));
        assert_eq!(target("socket:[42]"), Target::Socket(42));
        assert_eq!(target("anon_inode:[eventfd]"), anon("eventfd"));
        assert_eq!(target("anon_inode:inotify"), anon("inotify"));
        assert_eq!(target("/memfd:x (deleted)"), anon("memfd:x"));
        for other in ["pipe:[x]", "pipe:42", "net:[4026531840]", "", "socket:[]", "/no/stat"] {
            assert_eq!(target(other), Target::Other(other.into()));
        }
    }

    #[test]
    fn damage_never_panics() {
        assert_eq!(Info::parse(b"pos:\t0\n"), Err("flags"));
        assert_eq!(Info::parse(b"flags:\t09\npos:\t0\n"), Err("flags"));
        assert_eq!(Info::parse(b"flags:\t02\n"), Err("pos"));
        for text in damaged(INFO).chain(noise(5_000)) {
            let _ = Info::parse(&text);
            let _ = Target::new(Path::new(OsStr::from_bytes(&text)), None);
        }
    }
}
