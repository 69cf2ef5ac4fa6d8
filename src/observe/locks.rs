//! Who locks a file.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::Pid;

use super::bytes::{field, lines, number, words};
use super::look::{look_at, open_path};
use super::proc_dir::{mounted, read_short};
use super::{Descriptors, Device, Inode, ObserveError, Observed};
use crate::sys::getlk::write_locker;

/// A lock, as a line of [proc_locks(5)] or of [`/proc/PID/fdinfo/FD`][fdinfo] shows it.
///
/// [proc_locks(5)]: https://man7.org/linux/man-pages/man5/proc_locks.5.html
/// [fdinfo]: https://man7.org/linux/man-pages/man5/proc_pid_fdinfo.5.html
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Lock {
    /// By which call it was taken, and so who shares it and when it is dropped.
    pub kind: LockKind,
    /// Whether others may hold it as well.
    pub mode: LockMode,
    /// Who took it; not always who holds it now, see [`LockKind`].
    pub locker: Locker,
    /// Which bytes.
    pub range: LockRange,
    /// Which file. The device is that of the file system; on btrfs and overlayfs `stat` tells
    /// another one.
    pub inode: Option<Inode>,
}

/// The kinds of locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LockKind {
    /// `fcntl(F_SETLK)`: belongs to one process (one descriptor table). Not inherited by children;
    /// dropped when the process closes any descriptor of the file.
    Posix,
    /// `flock`: belongs to the open file description, which children inherit; dropped when the last
    /// of them closes it. The pid is that of the process that took it, which may have ended since.
    Flock,
    /// `fcntl(F_OFD_SETLK)`: as `Flock`, but with ranges and without any pid.
    Ofd,
    /// `fcntl(F_SETLEASE)`, or a delegation by a file server.
    Lease,
}

/// What a lock excludes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockMode {
    /// Writers only; several may hold it.
    Read,
    /// Everyone else.
    Write,
    /// Nobody: a lease that is being given up.
    Unlocked,
}

/// Who took a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Locker {
    /// This process.
    Process(Pid),
    /// A process in a PID namespace that cannot be seen from here. The kernel calls it pid 0.
    OtherNamespace,
    /// An open file description, however many processes share it. The kernel calls it pid -1.
    FileDescription,
}

/// The bytes that a lock covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LockRange {
    /// The first one.
    pub start: u64,
    /// The last one; `None` for all that follow, however long the file becomes.
    pub end: Option<u64>,
}

/// A lock and a descriptor through which a process holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldLock {
    /// The process.
    pub pid: Pid,
    /// Its descriptor.
    pub fd: RawFd,
    /// The lock.
    pub lock: Lock,
}

/// All locks on one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockState {
    /// Those that are held. Locks that differ in nothing, as of two who share one, are listed once.
    pub held: Vec<Lock>,
    /// Those that are waited for.
    pub awaited: Vec<Lock>,
}

impl Lock {
    /// The process that took the lock, if the kernel names one.
    pub fn pid(&self) -> Option<Pid> {
        self.locker.pid()
    }

    /// Whether it excludes everyone else.
    pub fn is_write(&self) -> bool {
        self.mode == LockMode::Write
    }

    /// Parses a line such as `1: POSIX  ADVISORY  WRITE 812 fe:00:1234 0 EOF`.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        parse_line(line).filter(|&(_, awaited)| !awaited).map(|(lock, _)| lock)
    }
}

/// A lock, and whether it is only waited for, which an arrow before the kind says.
fn parse_line(line: &[u8]) -> Option<(Lock, bool)> {
    let mut words = words(line).skip(1).peekable();
    let awaited = words.next_if(|word| word == b"->").is_some();
    let kind = match words.next()? {
        b"POSIX" | b"ACCESS" => LockKind::Posix,
        b"FLOCK" => LockKind::Flock,
        b"OFDLCK" => LockKind::Ofd,
        b"LEASE" | b"DELEG" => LockKind::Lease,
        _ => return None,
    };
    let mode = match words.nth(1)? {
        b"READ" => LockMode::Read,
        b"WRITE" => LockMode::Write,
        b"UNLCK" => LockMode::Unlocked,
        _ => return None,
    };
    let locker = Locker::from_raw(number(words.next()?)?);
    let inode = match words.next()? {
        b"<none>:0" => None,
        word => Some(Inode::parse(word)?),
    };
    let start = number(words.next()?)?;
    let end = match words.next()? {
        b"EOF" => None,
        word => Some(number(word)?),
    };
    let range = LockRange { start, end };
    Some((Lock { kind, mode, locker, range, inode }, awaited))
}

impl Locker {
    fn from_raw(pid: i32) -> Self {
        match pid {
            0 => Self::OtherNamespace,
            1.. => Self::Process(Pid::from_raw(pid)),
            _ => Self::FileDescription,
        }
    }

    /// The process, if the kernel names one.
    pub fn pid(self) -> Option<Pid> {
        match self {
            Self::Process(pid) => Some(pid),
            Self::OtherNamespace | Self::FileDescription => None,
        }
    }
}

impl LockState {
    /// Adds the locks on `inode` in the text of `/proc/locks`, unless they are known.
    fn add(&mut self, text: &[u8], inode: Inode) {
        for (lock, awaited) in lines(text).filter_map(parse_line) {
            let list = if awaited { &mut self.awaited } else { &mut self.held };
            if lock.inode == Some(inode) && !list.contains(&lock) {
                list.push(lock);
            }
        }
    }

    /// Whether anyone holds any lock on the file.
    pub fn is_locked(&self) -> bool {
        !self.held.is_empty()
    }

    /// Whether anyone holds a lock that excludes all others.
    pub fn is_write_locked(&self) -> bool {
        self.held.iter().any(Lock::is_write)
    }
}

/// Who holds a POSIX or OFD write lock on any byte of the file at `path`, asked by `F_GETLK`
/// ([fcntl(2)]).
///
/// It asks for a read lock, which only a write lock can refuse: those who merely read the file
/// under a lock are not reported. `None` also if there is no such file. A file that is not regular
/// cannot be locked in this way, and is not opened.
///
/// The locks of this process are not disturbed, although closing a file commonly drops the POSIX
/// locks that the process holds on it: if it may hold some, the file is opened by a thread with a
/// descriptor table of its own, and one descriptor of it stays open in that of the process. For the
/// same reason the answer may be this very process. What remains is to not lock a file in one thread
/// at the very moment when another looks at it.
///
/// # Errors
///
/// The file cannot be opened for reading, or `/proc` is not mounted.
///
/// [fcntl(2)]: https://man7.org/linux/man-pages/man2/fcntl.2.html
pub fn posix_write_locker(path: impl AsRef<Path>) -> Result<Option<Locker>, ObserveError> {
    let path = path.as_ref();
    let answer = look_at(path, |opened| match opened?.file {
        Some(file) => Ok(posix_write_locker_of(&file?)?),
        None => Ok(None),
    });
    match answer.and_then(|answer| answer) {
        // Without `/proc` what is there cannot be opened by its descriptor.
        Err(error) if error.kind() == io::ErrorKind::NotFound => mounted().map(|()| None),
        answer => answer.map_err(|error| ObserveError::new(path, error)),
    }
}

/// As [`posix_write_locker`], for an open file. POSIX locks of the calling process itself are not
/// reported.
///
/// # Errors
///
/// `EBADF` if the descriptor was opened with `O_PATH`.
pub fn posix_write_locker_of(file: impl AsFd) -> nix::Result<Option<Locker>> {
    Ok(write_locker(file.as_fd())?.map(Locker::from_raw))
}

/// Which of the processes `pids` hold a lock on the file at `path`, and through which descriptors,
/// by their `/proc/PID/fdinfo`.
///
/// A POSIX lock shows with its owner only, and only at descriptors of the open file description by
/// which it was taken; an flock or OFD lock shows with every process that shares the description.
/// No file, or processes that are gone: no locks.
///
/// # Errors
///
/// The path cannot be followed, or the descriptors of a process are hidden from this user.
pub fn locks_on(path: impl AsRef<Path>, pids: &[Pid]) -> Result<Vec<HeldLock>, ObserveError> {
    let path = path.as_ref();
    let inode = match fs::metadata(path) {
        Ok(metadata) => Inode::of(&metadata),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(ObserveError::new(path, error)),
    };
    let mut held = Vec::new();
    for &pid in pids {
        let Observed::Present(descriptors) = Descriptors::of(pid)? else {
            continue;
        };
        for descriptor in descriptors.iter().filter(|descriptor| descriptor.inode == Some(inode)) {
            held.extend(descriptor.locks.iter().map(|&lock| HeldLock { pid, fd: descriptor.fd, lock }));
        }
    }
    Ok(held)
}

/// All locks of any kind on the file at `path`, by `/proc/locks`; none if there is no such file.
///
/// The file is not opened, so nothing is disturbed: no POSIX lock of this process is dropped, no
/// lease broken, no fifo woken.
///
/// The kernel leaves out locks of processes in PID namespaces that cannot be seen from here
/// ([`posix_write_locker`] reports those), and names as the holder of an flock the process that
/// took it, even if only a child of it still holds it ([`locks_on`] tells who does).
///
/// # Errors
///
/// The path cannot be followed, or `/proc` is not mounted.
pub fn lock_state(path: impl AsRef<Path>) -> Result<LockState, ObserveError> {
    let path = path.as_ref();
    let inode = match open_path(path).and_then(|file| inode_in_lock_lines(&file)) {
        Ok(inode) => inode,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return mounted().map(|()| LockState::default());
        }
        Err(error) => return Err(ObserveError::new(path, error)),
    };
    let locks = Path::new("/proc/locks");
    let mut state = LockState::default();
    for _ in 0..READS_OF_LONG_LIST {
        let (text, pieces) = read_list(locks).map_err(|error| ObserveError::new(locks, error))?;
        state.add(&text, inode);
        if pieces <= 1 {
            break;
        }
    }
    Ok(state)
}

/// How often `/proc/locks` is read if it comes in several pieces, so that what one reading skips is
/// likely in another. A lock that is given up meanwhile may then still be reported.
const READS_OF_LONG_LIST: usize = 16;

/// Reads a list of the kernel in as few pieces as it allows: by pages of about 60 locks.
///
/// A piece is exact, but each begins with the entry whose number is next, so if earlier ones have
/// gone, others are skipped. `fs::read` begins with 32 bytes, and so would often skip some.
fn read_list(path: &Path) -> io::Result<(Vec<u8>, usize)> {
    const MOST_BYTES: usize = 16 * 1024;
    let mut file = fs::File::open(path)?;
    let (mut text, mut pieces) = (Vec::new(), 0);
    loop {
        let start = text.len();
        text.resize(start + MOST_BYTES, 0);
        let length = file.read(&mut text[start..])?;
        text.truncate(start + length);
        if length == 0 {
            return Ok((text, pieces));
        }
        pieces += 1;
    }
}

/// The identity by which `/proc/locks` calls an open file. Its device is the file system's, as
/// `/proc/self/mountinfo` tells it; btrfs and overlayfs tell another one to `stat`.
fn inode_in_lock_lines(file: &fs::File) -> io::Result<Inode> {
    let metadata = file.metadata()?;
    let info = read_short(format!("/proc/thread-self/fdinfo/{}", file.as_raw_fd()))?;
    let (mounts, _) = read_list(Path::new("/proc/thread-self/mountinfo"))?;
    let device = field(&info, "mnt_id").and_then(|id| device_of_mount(&mounts, id));
    Ok(Inode {
        device: device.unwrap_or(Device::from_dev_t(metadata.dev())),
        number: field(&info, "ino").and_then(number).unwrap_or(metadata.ino()),
    })
}

/// The third column, `MAJOR:MINOR`, of the line that begins with `id`.
fn device_of_mount(mounts: &[u8], id: &[u8]) -> Option<Device> {
    let line = lines(mounts).find(|line| words(line).next() == Some(id))?;
    let mut parts = words(line).nth(2)?.split(|&byte| byte == b':').map(number);
    Some(Device { major: parts.next()??, minor: parts.next()?? })
}

impl fmt::Display for LockKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Posix => "POSIX",
            Self::Flock => "flock",
            Self::Ofd => "OFD",
            Self::Lease => "lease",
        })
    }
}

impl fmt::Display for LockMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Unlocked => "ending",
        })
    }
}

impl fmt::Display for Locker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(pid) => write!(f, "pid {pid}"),
            Self::OtherNamespace => f.write_str("a process in another PID namespace"),
            Self::FileDescription => f.write_str("an open file description"),
        }
    }
}

/// `POSIX write lock of pid 812`, and the bytes unless they are the whole file.
impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} lock of {}", self.kind, self.mode, self.locker)?;
        match self.range {
            LockRange { start: 0, end: None } => Ok(()),
            LockRange { start, end: None } => write!(f, " on bytes {start} to the end"),
            LockRange { start, end: Some(end) } => write!(f, " on bytes {start} to {end}"),
        }
    }
}

impl fmt::Display for HeldLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {} holds by fd {} a {}", self.pid, self.fd, self.lock)
    }
}

impl fmt::Display for LockState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.held.is_empty() && self.awaited.is_empty() {
            return f.write_str("not locked");
        }
        let held = self.held.iter().map(Lock::to_string);
        let awaited = self.awaited.iter().map(|lock| format!("waiting: {lock}"));
        f.write_str(&held.chain(awaited).collect::<Vec<_>>().join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::bytes::tests::{damaged, noise};

    const LINE: &[u8] = b"12: POSIX  ADVISORY  WRITE 812 fe:0a:10010829 0 EOF";

    #[test]
    fn every_kind_of_line_is_understood() {
        let inode = Some(Inode { device: Device { major: 0xfe, minor: 10 }, number: 10010829 });
        let whole = LockRange { start: 0, end: None };
        let pid = Locker::Process(Pid::from_raw(812));
        let cases = [
            ("1: POSIX  ADVISORY  WRITE 812 fe:0a:10010829 0 EOF", LockKind::Posix, LockMode::Write, pid),
            ("2: FLOCK  ADVISORY  READ 812 fe:0a:10010829 0 EOF", LockKind::Flock, LockMode::Read, pid),
            (
                "3: OFDLCK ADVISORY  WRITE -1 fe:0a:10010829 0 EOF",
                LockKind::Ofd,
                LockMode::Write,
                Locker::FileDescription,
            ),
            ("4: LEASE  ACTIVE    READ 812 fe:0a:10010829 0 EOF", LockKind::Lease, LockMode::Read, pid),
            ("5: LEASE  BREAKING  UNLCK 812 fe:0a:10010829 0 EOF", LockKind::Lease, LockMode::Unlocked, pid),
            ("6: DELEG  ACTIVE    READ 812 fe:0a:10010829 0 EOF", LockKind::Lease, LockMode::Read, pid),
            (
                "7: POSIX  ADVISORY  WRITE 0 fe:0a:10010829 0 EOF",
                LockKind::Posix,
                LockMode::Write,
                Locker::OtherNamespace,
            ),
        ];
        for (line, kind, mode, locker) in cases {
            assert_eq!(
                Lock::parse(line.as_bytes()),
                Some(Lock { kind, mode, locker, range: whole, inode }),
                "{line}"
            );
        }
    }

    #[test]
    fn a_lock_that_is_waited_for_is_not_held() {
        let line = b"1: -> POSIX  ADVISORY  WRITE 812 fe:0a:10010829 3 9";
        assert_eq!(Lock::parse(line), None);
        let (lock, awaited) = parse_line(line).unwrap();
        assert!(awaited);
        assert_eq!(lock.range, LockRange { start: 3, end: Some(9) });
    }

    #[test]
    fn a_lock_may_be_on_no_inode() {
        let lock = Lock::parse(b"1: FLOCK  ADVISORY  WRITE 812 <none>:0 0 EOF").unwrap();
        assert_eq!(lock.inode, None);
    }

    #[test]
    fn damage_never_panics() {
        for text in damaged(LINE).chain(noise(20_000)) {
            let _ = parse_line(&text);
            let _ = device_of_mount(&text, b"1");
        }
    }

    #[test]
    fn a_mount_is_found_by_its_number() {
        let mounts =
            b"27 1 254:0 / / rw,relatime - ext4 /dev/root rw\n270 27 0:23 / /proc rw - proc proc rw\n";
        assert_eq!(device_of_mount(mounts, b"270"), Some(Device { major: 0, minor: 23 }));
        assert_eq!(device_of_mount(mounts, b"27"), Some(Device { major: 254, minor: 0 }));
        assert_eq!(device_of_mount(mounts, b"2"), None);
    }

    #[test]
    fn a_lock_is_told_in_words() {
        let lock = Lock::parse(LINE).unwrap();
        assert_eq!(lock.to_string(), "POSIX write lock of pid 812");
        let held = HeldLock { pid: Pid::from_raw(812), fd: 5, lock };
        assert_eq!(held.to_string(), "pid 812 holds by fd 5 a POSIX write lock of pid 812");
        let part =
            Lock { range: LockRange { start: 1, end: Some(2) }, locker: Locker::OtherNamespace, ..lock };
        assert_eq!(
            part.to_string(),
            "POSIX write lock of a process in another PID namespace on bytes 1 to 2"
        );
        let state = LockState { held: vec![lock], awaited: vec![lock] };
        assert_eq!(state.to_string(), "POSIX write lock of pid 812; waiting: POSIX write lock of pid 812");
        assert_eq!(LockState::default().to_string(), "not locked");
    }
}
