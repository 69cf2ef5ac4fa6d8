//! What the kernel knows about a task and its descriptors, asked while the task stands still.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::Pid;

use crate::sys::ptrace::copy_descriptor;

/// A file by device and number: what names lead to.
pub(crate) type Key = (u64, u64);

/// What a descriptor stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descriptor {
    pub(crate) key: Key,
    pub(crate) format: u32,
}

impl Descriptor {
    pub(crate) fn is(self, format: u32) -> bool {
        self.format == format
    }
}

/// What `read` finds below /proc for the process, or else for another thread of it: when the first thread has ended, its
/// files are gone from there, some time after it was let go, and the others still have them.
fn of_some_thread<T>(pid: Pid, read: impl Fn(&str) -> Option<T>) -> Option<T> {
    let first = format!("/proc/{pid}");
    read(&first).or_else(|| {
        let threads = fs::read_dir(format!("{first}/task")).ok()?.flatten();
        let others = threads.map(|thread| thread.file_name()).filter(|name| *name != *pid.to_string());
        others.filter_map(|name| read(&format!("{first}/task/{}", name.display()))).next()
    })
}

pub(crate) fn descriptor(pid: Pid, fd: RawFd) -> Option<Descriptor> {
    let found = of_some_thread(pid, |thread| fs::metadata(format!("{thread}/fd/{fd}")).ok())?;
    Some(Descriptor { key: (found.dev(), found.ino()), format: found.mode() & libc::S_IFMT })
}

pub(crate) fn descriptors(pid: Pid) -> Vec<RawFd> {
    let all = of_some_thread(pid, |thread| {
        let entries = fs::read_dir(format!("{thread}/fd")).ok()?.flatten();
        let all: Vec<RawFd> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        Some(all).filter(|all| !all.is_empty())
    });
    let mut all = all.unwrap_or_default();
    all.sort_unstable();
    all
}

/// Where a relative path begins.
pub(crate) fn directory(pid: Pid, dirfd: RawFd) -> Option<PathBuf> {
    match dirfd {
        libc::AT_FDCWD => fs::read_link(format!("/proc/{pid}/cwd")).ok(),
        _ => fs::read_link(format!("/proc/{pid}/fd/{dirfd}")).ok(),
    }
}

/// What `/proc/PID/fdinfo` says of a descriptor; nothing if there is no such descriptor.
#[derive(Debug)]
pub(crate) struct Info(String);

impl Info {
    pub(crate) fn of(pid: Pid, fd: RawFd) -> Self {
        let text = of_some_thread(pid, |thread| fs::read_to_string(format!("{thread}/fdinfo/{fd}")).ok());
        Info(text.unwrap_or_default())
    }

    /// What follows `key` in each line that begins with it.
    fn values<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.lines().filter_map(move |line| line.strip_prefix(key))
    }

    /// The flags of open(2).
    fn flags(&self) -> i32 {
        let flags = self.values("flags:").next();
        flags.and_then(|flags| i32::from_str_radix(flags.trim(), 8).ok()).unwrap_or_default()
    }

    pub(crate) fn closes_on_exec(&self) -> bool {
        self.flags() & libc::O_CLOEXEC != 0
    }

    pub(crate) fn can_write(&self) -> bool {
        self.flags() & libc::O_ACCMODE != libc::O_RDONLY
    }

    /// Whether calls on it return at once, with EAGAIN if need be.
    pub(crate) fn never_blocks(&self) -> bool {
        self.flags() & libc::O_NONBLOCK != 0
    }

    /// The process that it stands for, if it does for one.
    pub(crate) fn pid(&self) -> Option<i32> {
        self.values("Pid:").next()?.trim().parse().ok()
    }

    /// The signals that it reports, if it is of signalfd(2).
    pub(crate) fn signals(&self) -> Option<u64> {
        u64::from_str_radix(self.values("sigmask:").next()?.trim(), 16).ok()
    }

    /// The descriptors that it watches, if it is of epoll(7).
    pub(crate) fn watched(&self) -> impl Iterator<Item = RawFd> {
        self.values("tfd:").filter_map(|line| line.split_whitespace().next()?.parse().ok())
    }

    /// The locks that hang on it, which closing it may end. It leads to `key`.
    pub(crate) fn locks(&self, key: Key) -> impl Iterator<Item = LockLine> {
        self.values("lock:").filter_map(move |line| LockLine::parse(line, key))
    }
}

/// A lock, as a process that has it shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LockLine {
    /// `POSIX`, `OFDLCK` or `FLOCK`.
    pub(crate) kind: String,
    pub(crate) exclusive: bool,
    /// Who took it, or has it if it is one of an open file description.
    pub(crate) pid: i32,
    pub(crate) key: Key,
    pub(crate) first: i64,
    pub(crate) last: i64,
}

impl LockLine {
    pub(crate) fn is_flock(&self) -> bool {
        self.kind == "FLOCK"
    }

    fn parse(line: &str, key: Key) -> Option<Self> {
        let mut words = line.split_whitespace().skip(1);
        let kind = words.next().filter(|word| *word != "->")?.to_owned();
        let exclusive = words.nth(1)? == "WRITE";
        let pid = words.next()?.parse().ok()?;
        // The device of the file system, which is not always the one that stat(2) tells.
        let first = words.nth(1)?.parse().ok()?;
        let last = words.next().map(|last| last.parse().unwrap_or(i64::MAX))?;
        Some(LockLine { kind, exclusive, pid, key, first, last })
    }

    /// Whether it is the same lock, whichever process shows it.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let pid = if self.kind == "OFDLCK" { other.pid } else { self.pid };
        LockLine { pid, ..self.clone() } == *other
    }
}

/// The locks that these processes have on the files that are wanted.
///
/// `/proc/locks` would say the same at once, but it is read in pieces, and leaves out lines when other locks on the
/// machine come and go meanwhile.
pub(crate) fn locks(holders: &[Pid], wanted: &dyn Fn(Key) -> bool) -> Vec<LockLine> {
    let mut found: Vec<LockLine> = Vec::new();
    for &pid in holders {
        for fd in descriptors(pid) {
            let Some(key) = descriptor(pid, fd).map(|found| found.key).filter(|key| wanted(*key)) else {
                continue;
            };
            for mut lock in Info::of(pid, fd).locks(key) {
                if lock.pid == -1 {
                    lock.pid = pid.as_raw();
                }
                // Two descriptors of one description show it both.
                if !found.contains(&lock) {
                    found.push(lock);
                }
            }
        }
    }
    found
}

/// Sets of signals of a task; bit n - 1 stands for signal n.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Signals {
    pub(crate) pending: u64,
    pub(crate) blocked: u64,
    pub(crate) ignored: u64,
    pub(crate) caught: u64,
}

/// Ignored unless they are caught.
const IGNORED_BY_DEFAULT: u64 =
    bit(libc::SIGCHLD) | bit(libc::SIGURG) | bit(libc::SIGWINCH) | bit(libc::SIGCONT);

/// What stops a process by default; under the explorer it does not.
const STOPPING: u64 = bit(libc::SIGSTOP) | bit(libc::SIGTSTP) | bit(libc::SIGTTIN) | bit(libc::SIGTTOU);

/// Whether a signal stops a process by default. Under the explorer it does not, and is not delivered.
pub(crate) fn stops(signal: i32) -> bool {
    (1..=64).contains(&signal) && STOPPING & bit(signal) != 0
}

const FAULTS: u64 = bit(libc::SIGSEGV) | bit(libc::SIGBUS) | bit(libc::SIGFPE) | bit(libc::SIGILL);

/// nptl(7)
const OF_GLIBC: u64 = bit(32) | bit(33);

pub(crate) const fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

impl Signals {
    pub(crate) fn of(pid: Pid) -> Self {
        let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let mut found = Signals::default();
        for line in text.lines() {
            let Some((key, value)) = line.split_once(":\t") else { continue };
            let set = match key {
                "SigPnd" | "ShdPnd" => &mut found.pending,
                "SigBlk" => &mut found.blocked,
                "SigIgn" => &mut found.ignored,
                "SigCgt" => &mut found.caught,
                _ => continue,
            };
            *set |= u64::from_str_radix(value, 16).unwrap_or_default();
        }
        found
    }

    /// Whether a handler could interrupt a call: not one that answers to what the task itself has done, nor those by which
    /// glibc reaches other threads, after which calls are begun again.
    pub(crate) fn can_interrupt(&self) -> bool {
        self.handled() & !self.blocked != 0
    }

    /// The same if nothing were blocked.
    pub(crate) fn has_handler(&self) -> bool {
        self.handled() != 0
    }

    fn handled(&self) -> u64 {
        self.caught & !(FAULTS | OF_GLIBC)
    }

    /// The signals that do nothing when they arrive.
    pub(crate) fn without_effect(&self) -> u64 {
        self.ignored | (IGNORED_BY_DEFAULT | STOPPING) & !self.caught
    }

    /// The pending signals that would interrupt the task if `blocked` were blocked.
    pub(crate) fn arriving(&self, blocked: u64) -> u64 {
        self.pending & !blocked & !self.without_effect()
    }
}

/// Which of `events` a descriptor of the process would report now.
pub(crate) fn ready(pidfd: BorrowedFd, fd: RawFd, events: PollFlags) -> Option<PollFlags> {
    let copy = copy_descriptor(pidfd, fd).ok()?;
    let mut asked = [PollFd::new(copy.as_fd(), events)];
    poll(&mut asked, PollTimeout::ZERO).ok()?;
    asked[0].revents()
}

pub(crate) fn parent(pid: Pid) -> Option<Pid> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    Some(crate::sys::children::Stat::parse(&stat)?.parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_has_its_range_and_its_file() {
        let line = "\t4: OFDLCK ADVISORY  WRITE -1 fe:01:1234 8 EOF";
        let lock = LockLine::parse(line, (1, 2)).unwrap();
        assert_eq!((lock.kind.as_str(), lock.exclusive, lock.pid), ("OFDLCK", true, -1));
        assert_eq!((lock.key, lock.first, lock.last), ((1, 2), 8, i64::MAX));
        assert_eq!(LockLine::parse("\t4: -> POSIX ADVISORY  WRITE 7 fe:01:1234 0 EOF", (1, 2)), None);
    }
}
