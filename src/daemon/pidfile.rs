//! The pidfile: where it is, reading it, publishing it.

use super::error::Error;
use super::guard::file_kind;
use crate::sys::lock::range;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, FcntlArg, OFlag, fcntl, open};
use nix::libc::{F_RDLCK, F_UNLCK, F_WRLCK};
use nix::sys::stat::{FileStat, Mode, fchmod, fstat, lstat, stat};
use nix::unistd::{AccessFlags, Pid, faccessat, getpid, linkat, unlink, write};
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// `NAME_MAX` and `PATH_MAX - 1` of Linux, in bytes.
const NAME_LIMIT: usize = 255;
const PATH_LIMIT: usize = 4095;
/// A pid and its newline are far shorter; whatever is longer is no pidfile of ours.
const CONTENT_LIMIT: u64 = 4096;

/// Where the pidfile is.
///
/// The default is `RUNDIR/PROGRAM.pid`. A relative name joins RUNDIR, not the working directory.
///
/// ```
/// use daemonproof::daemon::Pidfile;
/// let default = Pidfile::default();
/// let absolute = Pidfile::at("/run/mydaemon/mydaemon.pid");
/// let in_rundir = Pidfile::at("other.pid");
/// # assert_ne!(absolute, in_rundir); assert_ne!(default, in_rundir);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pidfile {
    path: Option<PathBuf>,
}

impl Pidfile {
    /// A pidfile of this name; a relative one is in RUNDIR.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: Some(path.into()) }
    }

    pub(super) fn resolve(&self, rundir: &Path, program: &OsStr) -> PathBuf {
        match &self.path {
            Some(path) => rundir.join(path),
            None => {
                let mut name = program.to_owned();
                name.push(".pid");
                rundir.join(name)
            }
        }
    }
}

/// The names that belong to one pidfile.
#[derive(Debug, Clone)]
pub(super) struct PidfilePaths {
    pub(super) pidfile: PathBuf,
    /// `.NAME.lock`, beside it. It is never removed.
    pub(super) guard: PathBuf,
    /// `.NAME.new`, beside it, for file systems without unnamed files; used inside a section only.
    temporary: PathBuf,
    folder: PathBuf,
}

impl PidfilePaths {
    /// Derives the names and checks all that can be checked before anything is done.
    pub(super) fn new(pidfile: PathBuf) -> Result<Self, Error> {
        let no_name = || Error::NoName { path: pidfile.clone() };
        let name = pidfile.file_name().ok_or_else(no_name)?;
        let bytes = pidfile.as_os_str().as_bytes();
        // `x/` and `x/.` are directories to the kernel, and a zero byte would end the name.
        if !bytes.ends_with(name.as_bytes()) || bytes.contains(&0) {
            return Err(no_name());
        }
        let beside = |ending: &str| {
            let mut other = std::ffi::OsString::from(".");
            other.push(name);
            other.push(ending);
            pidfile.with_file_name(other)
        };
        let (guard, temporary) = (beside(".lock"), beside(".new"));
        let extra = ".".len() + ".lock".len();
        for (length, limit) in
            [(name.len(), NAME_LIMIT - extra), (pidfile.as_os_str().len(), PATH_LIMIT - extra)]
        {
            if length > limit {
                return Err(Error::NameTooLong { path: pidfile, length, limit });
            }
        }
        let folder = match pidfile.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        Ok(Self { pidfile, guard, temporary, folder })
    }

    /// Checks that a pidfile can be put there, with the rights that the process has now.
    pub(super) fn check(&self) -> Result<(), Error> {
        let folder = stat(&self.folder).map_err(Error::file("find the pidfile's directory", &self.folder))?;
        if file_kind(&folder) != Some("directory") {
            let errno = Errno::ENOTDIR;
            let (action, path) = ("use the pidfile's directory", self.folder.clone());
            return Err(Error::File { action, path, errno });
        }
        let write = AccessFlags::W_OK | AccessFlags::X_OK;
        faccessat(AT_FDCWD, &self.folder, write, AtFlags::AT_EACCESS)
            .map_err(Error::file("write to the pidfile's directory", &self.folder))?;
        // The guard is looked at when it is opened.
        let not_regular = |kind| Error::NotRegular { path: self.pidfile.clone(), kind };
        match lstat(&self.pidfile) {
            Ok(status) => file_kind(&status).map_or(Ok(()), |kind| Err(not_regular(kind))),
            Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(Error::file("inspect", &self.pidfile)(errno)),
        }
    }
}

/// A pidfile that names this process and is locked by it. The lock lasts until any descriptor of the file
/// is closed in this process (fcntl(2)), so it must never be opened again.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) fd: OwnedFd,
    pub(super) device: u64,
    pub(super) inode: u64,
}

/// Makes the pidfile's name lead to a new file that names this process, in one step, lock included.
/// To be called inside a section.
pub(super) fn publish(paths: &PidfilePaths) -> Result<Published, Error> {
    let published = match publish_unnamed(paths)? {
        Some(published) => published,
        None => publish_renamed(paths)?,
    };
    remember_own(&published);
    Ok(published)
}

/// With a file that has no name until it is complete, so that no crash leaves a temporary one behind.
/// `None` where the file system has no such files.
fn publish_unnamed(paths: &PidfilePaths) -> Result<Option<Published>, Error> {
    let flags = OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC;
    let Ok(fd) = open(&paths.folder, flags, Mode::S_IRUSR | Mode::S_IWUSR) else {
        return Ok(None);
    };
    let file = fill(fd, &paths.pidfile)?;
    unlink_if_there(&paths.pidfile)?;
    // linkat(2): the way to link a file by its descriptor without CAP_DAC_READ_SEARCH.
    let by_descriptor = format!("/proc/self/fd/{}", file.fd.as_raw_fd());
    let follow = AtFlags::AT_SYMLINK_FOLLOW;
    match linkat(AT_FDCWD, by_descriptor.as_str(), AT_FDCWD, &paths.pidfile, follow) {
        Ok(()) => Ok(Some(file)),
        // No /proc, or a security module that forbids it.
        Err(_) => Ok(None),
    }
}

fn publish_renamed(paths: &PidfilePaths) -> Result<Published, Error> {
    // A crash may have left one; no process uses it now, since this one is inside the section.
    unlink_if_there(&paths.temporary)?;
    let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let fd = open(&paths.temporary, flags, Mode::S_IRUSR | Mode::S_IWUSR)
        .map_err(Error::file("create", &paths.temporary))?;
    let renamed = fill(fd, &paths.temporary).and_then(|file| {
        fs::rename(&paths.temporary, &paths.pidfile)
            .map(|()| file)
            .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))
            .map_err(Error::file("rename a new file to", &paths.pidfile))
    });
    if renamed.is_err() {
        let _ = unlink(&paths.temporary);
    }
    renamed
}

/// Locks the file for this process and writes its pid, 0644 whatever the umask. All that can fail is done here,
/// before the file gets its name.
fn fill(fd: OwnedFd, path: &Path) -> Result<Published, Error> {
    let status = fstat(&fd).map_err(Error::file("inspect", path))?;
    fchmod(&fd, Mode::from_bits_truncate(0o644)).map_err(Error::file("change the mode of", path))?;
    fcntl(&fd, FcntlArg::F_SETLK(&range(F_WRLCK, 0, 0))).map_err(Error::file("lock", path))?;
    let content = format!("{}\n", getpid());
    match write(&fd, content.as_bytes()).map_err(Error::file("write", path))? {
        written if written == content.len() => {
            Ok(Published { fd, device: status.st_dev, inode: status.st_ino })
        }
        _ => Err(Error::file("write", path)(Errno::ENOSPC)),
    }
}

fn unlink_if_there(path: &Path) -> Result<(), Error> {
    match unlink(path) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(Error::file("replace", path)(errno)),
    }
}

/// Takes back what was published, if the name still leads to it: the start has failed.
pub(super) fn withdraw(paths: &PidfilePaths, published: &Published) {
    if stat(&paths.pidfile).is_ok_and(|now| (now.st_dev, now.st_ino) == (published.device, published.inode)) {
        let _ = unlink(&paths.pidfile);
    }
}

/// Removes the pidfile that a dead daemon left. To be called inside a section.
pub(super) fn remove_stale(paths: &PidfilePaths, daemon: Pid) -> Result<(), Error> {
    match read_pidfile(&paths.pidfile) {
        Err(PidfileError { problem: PidfileProblem::Stale(pid), .. }) if pid == daemon.as_raw() => {
            unlink_if_there(&paths.pidfile)
        }
        _ => Ok(()),
    }
}

/// The process that holds a write lock on the file, 0 or less if it is out of sight. It must not be a file
/// that this process has locked.
pub(super) fn locker(path: &Path) -> Option<i32> {
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
    let fd = open(path, flags, Mode::empty()).ok()?;
    write_locker(&fd).ok().flatten()
}

fn write_locker(fd: impl AsFd) -> Result<Option<i32>, Errno> {
    // Asking for a read lock: only write locks are in its way. Anyone who may read can hold a read lock.
    let mut lock = range(F_RDLCK, 0, 0);
    fcntl(fd, FcntlArg::F_GETLK(&mut lock))?;
    Ok((i32::from(lock.l_type) != F_UNLCK).then_some(lock.l_pid))
}

/// Why a pidfile leads to no running process.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct PidfileError {
    /// The pidfile.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: PidfileProblem,
}

/// What is wrong with a pidfile.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PidfileProblem {
    /// There is none.
    Missing,
    /// It names this process, which does not hold its lock.
    Stale(i32),
    /// It could not be read, for this reason.
    Unreadable(Errno),
    /// It is no file that holds a pid; here is the beginning of what it holds.
    Malformed(Vec<u8>),
    /// A process holds its lock and has not written its pid yet.
    BeingCreated,
}

impl fmt::Display for PidfileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("no such pidfile"),
            Self::Stale(pid) => write!(f, "stale pidfile: pid {pid} does not hold its lock"),
            Self::Unreadable(errno) => write!(f, "cannot read pidfile: {}", errno.desc()),
            Self::Malformed(content) => {
                write!(f, "malformed pidfile: \"{}\"", content.escape_ascii())
            }
            Self::BeingCreated => f.write_str("pidfile is locked but has no pid yet"),
        }
    }
}

/// The pid of the process that owns the pidfile, as this process sees it.
///
/// The lock decides, not the number: a recycled pid does not make a stale pidfile live. Nothing is ever
/// deleted, and the call never blocks. It may be used on the calling process's own pidfile. A lock held from
/// another pid namespace is taken at the word of the pidfile's content.
///
/// # Errors
/// A [`PidfileError`] whose `problem` says why there is no owner to name.
///
/// ```
/// use daemonproof::daemon::{PidfileProblem, read_pidfile};
/// let error = read_pidfile("/nonexistent/daemon.pid").unwrap_err();
/// assert_eq!(error.problem, PidfileProblem::Missing);
/// ```
///
/// # References
/// `F_GETLK` in fcntl(2).
pub fn read_pidfile(path: impl AsRef<Path>) -> Result<i32, PidfileError> {
    let path = path.as_ref();
    let answer = loop {
        match read_once(path) {
            // The name led to another file afterwards: what was read is history.
            Ok(None) => {}
            Ok(Some(pid)) => break Ok(pid),
            Err(problem) => break Err(problem),
        }
    };
    answer.map_err(|problem| PidfileError { path: path.to_owned(), problem })
}

fn read_once(path: &Path) -> Result<Option<i32>, PidfileProblem> {
    let unreadable = |errno| match errno {
        Errno::ENOENT => PidfileProblem::Missing,
        errno => PidfileProblem::Unreadable(errno),
    };
    let status = stat(path).map_err(unreadable)?;
    if let Some(pid) = own_pid(&status) {
        return Ok(Some(pid));
    }
    if let Some(kind) = file_kind(&status) {
        return Err(PidfileProblem::Malformed(kind.as_bytes().to_vec()));
    }
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
    let fd = open(path, flags, Mode::empty()).map_err(unreadable)?;
    let holder = write_locker(&fd).map_err(PidfileProblem::Unreadable)?;
    let opened = fstat(&fd).map_err(PidfileProblem::Unreadable)?;
    let (mut content, file) = (Vec::new(), File::from(fd));
    (&file)
        .take(CONTENT_LIMIT)
        .read_to_end(&mut content)
        .map_err(|error| PidfileProblem::Unreadable(Errno::from_raw(error.raw_os_error().unwrap_or(0))))?;
    // Locked since the first look: then what was read may have been written by the new owner.
    if holder.is_none() && write_locker(&file).map_err(PidfileProblem::Unreadable)?.is_some() {
        return Ok(None);
    }
    let replaced = stat(path).map_or(true, |now| (now.st_dev, now.st_ino) != (opened.st_dev, opened.st_ino));
    match (holder, parse_pid(&content)) {
        (None, _) if replaced => Ok(None),
        (None, Some(pid)) => Err(PidfileProblem::Stale(pid)),
        (Some(_), None) if content.is_empty() => Err(PidfileProblem::BeingCreated),
        (_, None) => Err(PidfileProblem::Malformed(content)),
        (Some(holder), Some(pid)) => owner(holder, pid).map(Some),
    }
}

/// Which process owns a pidfile that names `pid` and is locked by `holder`.
fn owner(holder: i32, pid: i32) -> Result<i32, PidfileProblem> {
    // Out of sight, in another pid namespace (0), or an open-file-description lock (-1).
    if holder <= 0 || holder == pid {
        return Ok(pid);
    }
    // In a pid namespace below ours the process knows itself by another number.
    let status = fs::read_to_string(format!("/proc/{holder}/status")).unwrap_or_default();
    let mut numbers = status.lines().filter_map(|line| line.strip_prefix("NSpid:"));
    let same = numbers.next().is_some_and(|all| all.split_whitespace().any(|n| n.parse() == Ok(pid)));
    if same { Ok(holder) } else { Err(PidfileProblem::Stale(pid)) }
}

/// A pid on the first line, in plain digits.
fn parse_pid(content: &[u8]) -> Option<i32> {
    let line = content.split(|&byte| byte == b'\n').next()?;
    let plain = !line.is_empty() && line.iter().all(u8::is_ascii_digit);
    let pid = std::str::from_utf8(line).ok().filter(|_| plain)?.parse().ok()?;
    (pid > 0).then_some(pid)
}

/// The pidfile that this process holds.
static OWN: Mutex<Option<Own>> = Mutex::new(None);

struct Own {
    pid: Pid,
    device: u64,
    inode: u64,
}

fn remember_own(published: &Published) {
    let own = Own { pid: getpid(), device: published.device, inode: published.inode };
    *OWN.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(own);
}

fn own_pid(status: &FileStat) -> Option<i32> {
    let own = OWN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    // A forked child holds no lock of its parent's.
    own.as_ref()
        .filter(|own| own.pid == getpid() && (own.device, own.inode) == (status.st_dev, status.st_ino))
        .map(|own| own.pid.as_raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_is_plain_digits_on_the_first_line() {
        assert_eq!(parse_pid(b"812\n"), Some(812));
        assert_eq!(parse_pid(b"812"), Some(812));
        assert_eq!(parse_pid(b"812\n/var/lib/data\n"), Some(812));
        for wrong in ["", "\n", " 812\n", "+812\n", "-1\n", "0\n", "2147483648\n", "812 \n", "8 12"] {
            assert_eq!(parse_pid(wrong.as_bytes()), None, "{wrong:?}");
        }
    }

    #[test]
    fn names_that_leave_no_room_for_the_guard_are_refused() {
        let longest = "n".repeat(NAME_LIMIT - 6);
        assert!(PidfilePaths::new(Path::new("/run").join(&longest)).is_ok());
        let error = PidfilePaths::new(Path::new("/run").join(longest + "n")).unwrap_err();
        assert!(error.to_string().ends_with("pidfile name too long: 250 bytes, at most 249"), "{error}");
        assert!(PidfilePaths::new("/".repeat(5000).into()).is_err());
        assert!(PidfilePaths::new("/run/..".into()).is_err());
    }

    #[test]
    fn relative_names_join_the_rundir() {
        let at = |pidfile: Pidfile| pidfile.resolve(Path::new("/run/d"), OsStr::new("prog"));
        assert_eq!(at(Pidfile::default()), Path::new("/run/d/prog.pid"));
        assert_eq!(at(Pidfile::at("x.pid")), Path::new("/run/d/x.pid"));
        assert_eq!(at(Pidfile::at("/tmp/x.pid")), Path::new("/tmp/x.pid"));
    }
}
