//! The guard file: who owns the pidfile, and whose turn it is to change names.
//!
//! The protocol is written down in `docs/pidfile-protocol.md`. In short: the guard is never removed. Byte 0
//! is a mutex, held for a few system calls. Byte 1 + G is the ownership of generation G, held from a
//! monitor's (or daemon's) start to its end. The current generation stands in the guard's content. All locks
//! are open-file-description locks, so that a monitor and its daemons share the ownership, and closing an
//! unrelated descriptor loses nothing.

use super::error::Error;
use super::pidfile::{PidfilePaths, Published, locker, withdraw};
use crate::sys::lock::{lock_within, range};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::libc::{F_UNLCK, F_WRLCK};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, stat};
use nix::sys::uio::{pread, pwrite};
use nix::unistd::{geteuid, getpid};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long to wait for a mutex that is held for microseconds unless its holder is stopped.
pub(super) const MUTEX_LIMIT: Duration = Duration::from_secs(10);

const MUTEX_START: i64 = 0;
const OWNERSHIP_START: i64 = 1;
/// Far beyond what will ever be reached, so that byte numbers cannot overflow.
const LAST_GENERATION: i64 = i64::MAX / 2;

/// What the guard's content says. Without one (a new or a damaged guard) the locks alone decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Record {
    generation: i64,
    /// Who became owner last: for messages only.
    pid: i32,
}

impl Record {
    /// The first line. What may follow it was there before the line was written, and is nobody's.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let text = std::str::from_utf8(bytes.get(..end)?).ok()?;
        let (generation, pid) = text.split_once(' ')?;
        let generation = generation.parse().ok()?;
        let record = Self { generation, pid: pid.trim_start().parse().ok()? };
        (0..=LAST_GENERATION).contains(&generation).then_some(record)
    }

    /// Always of the same length, so that rewriting it in place leaves no mixture behind.
    fn text(&self) -> String {
        format!("{:019} {:>10}\n", self.generation, self.pid)
    }
}

/// Exclusive access to the names in the pidfile's folder, until dropped.
#[derive(Debug)]
pub(super) struct Section<'a> {
    fd: OwnedFd,
    paths: &'a PidfilePaths,
}

impl<'a> Section<'a> {
    /// Waits for the mutex of the file that the guard's name leads to.
    pub(super) fn enter(paths: &'a PidfilePaths) -> Result<Self, Error> {
        let end = Instant::now() + MUTEX_LIMIT;
        loop {
            let section = Self { fd: open_guard(&paths.guard)?, paths };
            let left = end.saturating_duration_since(Instant::now());
            section.lock(left)?;
            // Somebody may have removed or replaced the file while this process was on its way to the lock.
            if still_guards(paths, &section.fd)? {
                return Ok(section);
            }
            if left.is_zero() {
                return Err(section.busy());
            }
        }
    }

    fn lock(&self, left: Duration) -> Result<(), Error> {
        match lock_within(self.fd.as_fd(), &range(F_WRLCK, MUTEX_START, 1), left) {
            Err(Errno::ETIMEDOUT) => Err(self.busy()),
            other => other.map_err(Error::file("lock", &self.paths.guard)),
        }
    }

    fn busy(&self) -> Error {
        let pid = self.record().map(|record| record.pid);
        Error::Busy { guard: self.paths.guard.clone(), pid, limit: MUTEX_LIMIT }
    }

    /// Leaves the section and keeps its descriptor, with whatever else is locked through it.
    pub(super) fn leave(self) -> Result<OwnedFd, Error> {
        self.unlock()?;
        Ok(self.fd)
    }

    fn unlock(&self) -> Result<(), Error> {
        unlock_mutex(self.fd.as_fd()).map_err(Error::file("unlock", &self.paths.guard))
    }

    /// Leaves the section after a pidfile was published in it, or takes the pidfile back.
    ///
    /// An operator may have removed the guard meanwhile, and somebody else be inside a section of a new one. Either
    /// they saw the lock on the published pidfile, or their guard is seen here.
    pub(super) fn leave_published(self, published: &Published) -> Result<OwnedFd, Error> {
        let gone = || Error::File {
            action: "keep the lock on",
            path: self.paths.guard.clone(),
            errno: Errno::ESTALE,
        };
        let alone = still_guards(self.paths, &self.fd).and_then(|alone| alone.then_some(()).ok_or_else(gone));
        match alone.and_then(|()| self.unlock()) {
            Ok(()) => Ok(self.fd),
            Err(error) => {
                withdraw(self.paths, published);
                Err(error)
            }
        }
    }

    fn record(&self) -> Option<Record> {
        let mut bytes = [0; 64];
        let length = pread(&self.fd, &mut bytes, 0).ok()?;
        Record::parse(bytes.get(..length)?)
    }

    fn write_record(&self, record: Record) -> Result<(), Errno> {
        let text = record.text();
        match pwrite(&self.fd, text.as_bytes(), 0)? {
            written if written == text.len() => Ok(()),
            _ => Err(Errno::ENOSPC),
        }
    }

    /// Whether nobody owns the pidfile by a lock on the guard.
    fn take_ownership(&self, record: Option<Record>) -> Result<bool, Error> {
        let action = Error::file("lock", &self.paths.guard);
        match record {
            Some(record) => try_own(&self.fd, record.generation).map_err(action),
            // Which generation is the current one is unknown: any owner counts.
            None if owned_from(&self.fd, 0).map_err(Error::file(QUERY, &self.paths.guard))? => Ok(false),
            None => try_own(&self.fd, 0).map_err(action),
        }
    }

    /// Becomes the owner of a generation that nobody has yet, so that the old owner finds itself replaced.
    fn take_over(&self, record: Option<Record>) -> Result<i64, Error> {
        let mut generation = record.map_or(0, |record| record.generation);
        loop {
            generation = (generation + 1) % LAST_GENERATION;
            if try_own(&self.fd, generation).map_err(Error::file("lock", &self.paths.guard))? {
                return Ok(generation);
            }
        }
    }

    fn already_running(&self, record: Option<Record>, rival: Option<i32>) -> Error {
        let pidfile = self.paths.pidfile.clone();
        // A number recorded in another pid namespace means another process here.
        match rival.or(record.map(|record| record.pid)) {
            Some(pid @ 1..) => Error::AlreadyRunning { pidfile, pid },
            _ => Error::AlreadyRunningUnknown { pidfile, guard: self.paths.guard.clone() },
        }
    }
}

/// The right to publish a pidfile, shared by a monitor and its daemons, for as long as one of them lives.
#[derive(Debug)]
pub(super) struct Ownership {
    fd: OwnedFd,
    generation: i64,
}

impl Ownership {
    /// Becomes owner, or says who is.
    pub(super) fn acquire(paths: &PidfilePaths, overwrite: bool) -> Result<Self, Error> {
        let section = Section::enter(paths)?;
        let record = section.record();
        let free = section.take_ownership(record)?;
        // The guard may be new although there is an owner: an operator removed it. The owner's lock on its
        // pidfile still tells. Only write locks count: any reader could hold a read lock.
        let rival = locker(&paths.pidfile);
        let generation = match (free, rival) {
            (true, None) => record.map_or(0, |record| record.generation),
            _ if overwrite => section.take_over(record)?,
            _ => return Err(section.already_running(record, rival)),
        };
        let written = section.write_record(Record { generation, pid: getpid().as_raw() });
        // The pid is for messages only, but a new generation must be known to all.
        if record.map_or(0, |record| record.generation) != generation {
            written.map_err(Error::file("write", &paths.guard))?;
        }
        Ok(Self { fd: section.leave()?, generation })
    }

    /// Makes sure, in a section, that the ownership is this process's to use. A daemon that shared it may have
    /// given it up, wrongly expecting its monitor to end: then it is taken again, unless somebody else was faster.
    pub(super) fn confirm(&self, section: &Section<'_>) -> Result<(), Error> {
        if !self.is_current(section)? {
            return Err(self.taken_over(section));
        }
        match try_own(&self.fd, self.generation).map_err(Error::file("lock", &section.paths.guard))? {
            true => Ok(()),
            false => Err(section.already_running(section.record(), locker(&section.paths.pidfile))),
        }
    }

    /// Whether nobody has taken the pidfile over.
    fn is_current(&self, section: &Section<'_>) -> Result<bool, Error> {
        let latest = match section.record() {
            Some(record) => record.generation == self.generation,
            // The latest owner is the one with the highest generation.
            None => {
                let query = owned_from(&self.fd, self.generation + 1);
                !query.map_err(Error::file(QUERY, &section.paths.guard))?
            }
        };
        Ok(latest && still_guards(section.paths, &self.fd)?)
    }

    /// Makes sure, before another daemon is started, that the ownership still holds: becomes owner again if
    /// somebody removed the guard, and fails if there is another owner now.
    pub(super) fn renew(&mut self, paths: &PidfilePaths) -> Result<(), Error> {
        let section = Section::enter(paths)?;
        if still_guards(paths, &self.fd)? {
            return self.confirm(&section);
        }
        drop(section);
        *self = Self::acquire(paths, false)?;
        Ok(())
    }

    fn taken_over(&self, section: &Section<'_>) -> Error {
        let pid = section.record().map(|record| record.pid);
        Error::TakenOver { pidfile: section.paths.pidfile.clone(), pid }
    }

    /// Gives the ownership up, for all that share it.
    pub(super) fn release(&self) {
        release_ownership(self.fd.as_fd(), self.generation);
    }

    pub(super) fn into_parts(self) -> (OwnedFd, i64) {
        (self.fd, self.generation)
    }
}

/// Opens the guard, creating it if need be. Async-signal-safe for a `&CStr`.
pub(super) fn open_guard_at<P: ?Sized + nix::NixPath>(path: &P) -> Result<OwnedFd, Errno> {
    // Never block on a fifo.
    let flags = OFlag::O_RDWR | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
    match open(path, flags, Mode::empty()) {
        // Not at once: in a sticky directory O_CREAT keeps even root from another user's file (proc(5),
        // protected_regular).
        Err(Errno::ENOENT) => open(path, flags | OFlag::O_CREAT, Mode::S_IRUSR | Mode::S_IWUSR),
        other => other,
    }
}

fn open_guard(path: &Path) -> Result<OwnedFd, Error> {
    let not_regular = |kind| Error::NotRegular { path: path.to_owned(), kind };
    let fd = open_guard_at(path).map_err(|errno| match errno {
        Errno::ELOOP => not_regular("symbolic link"),
        Errno::EISDIR => not_regular("directory"),
        // Or a device without a driver.
        Errno::ENXIO => {
            not_regular(stat(path).ok().and_then(|status| file_kind(&status)).unwrap_or("device"))
        }
        Errno::EACCES => guard_denied(path),
        errno => Error::File { action: "open the pidfile's guard", path: path.to_owned(), errno },
    })?;
    let status = fstat(&fd).map_err(Error::file("inspect", path))?;
    if let Some(kind) = file_kind(&status) {
        return Err(not_regular(kind));
    }
    // Somebody may have put another file of this user's there, to be written to.
    if status.st_nlink > 1 {
        return Err(not_regular("hard link"));
    }
    let mode = Mode::S_IRUSR | Mode::S_IWUSR;
    // The umask may have made a new one unusable for the next start.
    if status.st_mode & 0o777 != mode.bits() && status.st_uid == geteuid().as_raw() {
        fchmod(&fd, mode).map_err(Error::file("change the mode of", path))?;
    }
    Ok(fd)
}

/// Somebody else's guard, made when the daemon ran as another user.
fn guard_denied(path: &Path) -> Error {
    match stat(path) {
        Ok(status) if status.st_uid != geteuid().as_raw() => {
            Error::ForeignGuard { guard: path.to_owned(), uid: status.st_uid }
        }
        _ => Error::File { action: "open the pidfile's guard", path: path.to_owned(), errno: Errno::EACCES },
    }
}

/// What a file is, if it is no regular file.
pub(super) fn file_kind(status: &FileStat) -> Option<&'static str> {
    let format = SFlag::from_bits_truncate(status.st_mode & SFlag::S_IFMT.bits());
    match format {
        SFlag::S_IFREG => None,
        SFlag::S_IFDIR => Some("directory"),
        SFlag::S_IFLNK => Some("symbolic link"),
        SFlag::S_IFIFO => Some("fifo"),
        SFlag::S_IFSOCK => Some("socket"),
        _ => Some("device"),
    }
}

/// Whether the guard's name still leads to the open file. That nobody can tell is no sign of another owner.
fn still_guards(paths: &PidfilePaths, fd: &OwnedFd) -> Result<bool, Error> {
    leads_to(&paths.guard, fd).map_err(Error::file("inspect", &paths.guard))
}

/// Whether the name leads to the open file. Async-signal-safe for a `&CStr`.
pub(super) fn leads_to<P: ?Sized + nix::NixPath>(path: &P, fd: &OwnedFd) -> Result<bool, Errno> {
    match (stat(path), fstat(fd)) {
        (Ok(named), Ok(open)) => Ok((named.st_dev, named.st_ino) == (open.st_dev, open.st_ino)),
        // On NFS the open file is stale once it has been removed.
        (Err(Errno::ENOENT | Errno::ESTALE), _) | (_, Err(Errno::ESTALE)) => Ok(false),
        (Err(errno), _) | (_, Err(errno)) => Err(errno),
    }
}

/// Async-signal-safe.
pub(super) fn lock_mutex(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    lock_within(fd, &range(F_WRLCK, MUTEX_START, 1), MUTEX_LIMIT)
}

fn unlock_mutex(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    fcntl(fd, FcntlArg::F_OFD_SETLK(&range(F_UNLCK, MUTEX_START, 1))).map(drop)
}

/// Async-signal-safe.
pub(super) fn release_ownership(fd: BorrowedFd<'_>, generation: i64) {
    let lock = range(F_UNLCK, OWNERSHIP_START + generation, 1);
    let _ = fcntl(fd, FcntlArg::F_OFD_SETLK(&lock));
}

fn try_own(fd: &OwnedFd, generation: i64) -> Result<bool, Errno> {
    let lock = range(F_WRLCK, OWNERSHIP_START + generation, 1);
    match fcntl(fd, FcntlArg::F_OFD_SETLK(&lock)) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(errno) => Err(errno),
    }
}

const QUERY: &str = "query the owner's lock on";

/// Whether somebody else owns this generation or a later one.
fn owned_from(fd: &OwnedFd, generation: i64) -> Result<bool, Errno> {
    let mut lock = range(F_WRLCK, OWNERSHIP_START + generation, 0);
    fcntl(fd, FcntlArg::F_OFD_GETLK(&mut lock))?;
    Ok(i32::from(lock.l_type) != F_UNLCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_its_text() {
        for record in
            [Record { generation: 0, pid: 1 }, Record { generation: LAST_GENERATION, pid: i32::MAX }]
        {
            assert_eq!(Record::parse(record.text().as_bytes()), Some(record));
            assert_eq!(record.text().len(), 31);
            let over_a_longer_text = [record.text().as_bytes(), b"rubbish\n\xff"].concat();
            assert_eq!(Record::parse(&over_a_longer_text), Some(record));
        }
    }

    #[test]
    fn a_damaged_record_is_none() {
        for text in ["", "\n", "1 2", "x 2\n", "1 x\n", "-1 2\n", "9223372036854775807 2\n", "12\n"] {
            assert_eq!(Record::parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
