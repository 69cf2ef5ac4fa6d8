//! Removing the pidfile when the daemon ends.
//!
//! All of this can run in a signal handler: it allocates nothing, takes no lock of the process's own and
//! makes only async-signal-safe calls (signal-safety(7)).

use super::guard::{leads_to, lock_mutex, open_guard_at, release_ownership};
use super::notify::NotifySocket;
use super::restart::{Death, RestartPolicy};
use crate::sys::hooks::{After, Ending};
use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};
use nix::sys::stat::stat;
use nix::unistd::{Pid, close, getpid, pause, unlink};
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// What a daemon must undo, and with what.
#[derive(Debug)]
pub(super) struct Cleanup {
    pub(super) owner: Pid,
    pub(super) pidfile: Option<PidfileCleanup>,
    /// Tells the service manager, unless the monitor does.
    pub(super) notify: Option<NotifySocket>,
}

#[derive(Debug)]
pub(super) struct PidfileCleanup {
    pub(super) name: CString,
    pub(super) guard_name: CString,
    /// Kept open for its lock.
    pub(super) pidfile: OwnedFd,
    pub(super) device: u64,
    pub(super) inode: u64,
    /// The ownership, which the monitor shares.
    pub(super) ownership: OwnedFd,
    pub(super) generation: i64,
    /// The guard, opened by the daemon alone, ready for a section even if descriptors have run out.
    pub(super) mutex: OwnedFd,
    pub(super) monitored: Option<Monitored>,
}

/// What a daemon knows of its monitor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Monitored {
    pub(super) policy: RestartPolicy,
    /// There was no daemon before: if this one fails to start, the monitor ends.
    pub(super) first: bool,
}

/// Whether the daemon has reported that it is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readiness {
    Starting,
    /// Nobody can say what its monitor knows.
    Reporting,
    Ready,
}

static READINESS: AtomicU8 = AtomicU8::new(Readiness::Starting as u8);

pub(super) fn set_readiness(readiness: Readiness) {
    READINESS.store(readiness as u8, Ordering::SeqCst);
}

fn readiness() -> Readiness {
    match READINESS.load(Ordering::SeqCst) {
        value if value == Readiness::Starting as u8 => Readiness::Starting,
        value if value == Readiness::Ready as u8 => Readiness::Ready,
        _ => Readiness::Reporting,
    }
}

const ARMED: u8 = 0;
const RUNNING: u8 = 1;
const DONE: u8 = 2;

/// Whether this process is a child that the daemon forked: it has nothing to clean up, whatever its pid (in a
/// pid namespace of its own it may have the daemon's).
static INHERITED: AtomicBool = AtomicBool::new(false);
static CLEANUP: OnceLock<Cleanup> = OnceLock::new();
static STATE: AtomicU8 = AtomicU8::new(ARMED);

/// Makes `cleanup` the one that [`on_ending`] carries out, unless there is one: a process becomes a daemon
/// once.
pub(super) fn arm(cleanup: Cleanup) -> Result<(), Errno> {
    CLEANUP.set(cleanup).map_err(|_| Errno::EALREADY)
}

/// Whether this process is a daemon already, or a child that one forked.
pub(super) fn is_armed() -> bool {
    CLEANUP.get().is_some()
}

pub(super) fn on_ending(ending: Ending) -> After {
    // A child inherits the handlers. The pid tells where it was not forked by fork(3).
    let own = |cleanup: &&Cleanup| cleanup.owner == getpid() && !INHERITED.load(Ordering::SeqCst);
    let Some(cleanup) = CLEANUP.get().filter(own) else {
        return After::Die;
    };
    match STATE.compare_exchange(ARMED, RUNNING, Ordering::SeqCst, Ordering::SeqCst) {
        Ok(_) => {}
        // A signal's handler, on another thread, is about to end the process.
        Err(RUNNING) if ending == Ending::Exit => loop {
            pause();
        },
        Err(RUNNING) => return After::Resume,
        Err(_) => return After::Die,
    }
    let mut before = SigSet::empty();
    let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before));
    if let Some(notify) = &cleanup.notify {
        let _ = notify.send(b"STOPPING=1");
    }
    if let Some(pidfile) = &cleanup.pidfile {
        pidfile.run(ending);
    }
    STATE.store(DONE, Ordering::SeqCst);
    let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None);
    After::Die
}

/// In a child that the daemon forks: lets go of the ownership, which would otherwise outlive the daemon.
///
/// Once: in a child's child the same numbers are descriptors of the program's own.
pub(super) fn on_fork() {
    if INHERITED.swap(true, Ordering::SeqCst) {
        return;
    }
    if let Some(Cleanup { pidfile: Some(pidfile), .. }) = CLEANUP.get() {
        for fd in [&pidfile.ownership, &pidfile.mutex, &pidfile.pidfile] {
            let _ = close(fd.as_raw_fd());
        }
    }
}

impl PidfileCleanup {
    /// Removes the pidfile if its name still leads to this daemon's, inside a section, so that no one can
    /// put another one there between the look and the removal. The section is never left: the mutex goes
    /// with the process, so that whoever waits for it finds all that the daemon held released.
    fn run(&self, ending: Ending) {
        let Some(reopened) = self.enter() else { return };
        if let Ok(status) = stat(self.name.as_c_str())
            && (status.st_dev, status.st_ino) == (self.device, self.inode)
        {
            let _ = unlink(self.name.as_c_str());
        }
        // If the monitor, where there is one, ends as well, then the ownership ends here, together with the
        // pidfile, and whoever sees the pidfile gone can start at once.
        if self.monitored.is_none_or(|monitored| monitored.ends(readiness(), ending)) {
            release_ownership(self.ownership.as_fd(), self.generation);
        }
        std::mem::forget(reopened);
    }

    /// Enters a section, through a new descriptor if the guard was replaced. `None`: it was impossible, and
    /// the pidfile stays, stale.
    fn enter(&self) -> Option<Option<OwnedFd>> {
        lock_mutex(self.mutex.as_fd()).ok()?;
        if leads_to(self.guard_name.as_c_str(), &self.mutex).ok()? {
            return Some(None);
        }
        for _ in 0..2 {
            let guard = open_guard_at(self.guard_name.as_c_str()).ok()?;
            lock_mutex(guard.as_fd()).ok()?;
            if leads_to(self.guard_name.as_c_str(), &guard).ok()? {
                return Some(Some(guard));
            }
        }
        None
    }
}

impl Monitored {
    /// Whether the monitor will surely end when the daemon does.
    fn ends(&self, readiness: Readiness, ending: Ending) -> bool {
        match (readiness, ending) {
            (Readiness::Starting, Ending::Exit) => self.first,
            (Readiness::Starting, Ending::Signal(signal)) => {
                self.first || !self.policy.retries(Death::Signaled(signal as i32))
            }
            (Readiness::Reporting, _) => false,
            (Readiness::Ready, Ending::Exit) => !self.policy.may_restart_after_exit(),
            (Readiness::Ready, Ending::Signal(signal)) => {
                !self.policy.restarts(Death::Signaled(signal as i32))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::RestartOn;
    use nix::sys::signal::Signal;
    use std::fs::File;

    /// The hook is called as in a child, but in this process, where no daemon runs.
    #[test]
    fn a_childs_child_closes_nothing() {
        let null = || OwnedFd::from(File::open("/dev/null").unwrap());
        let fds = [null(), null(), null()];
        let numbers = [&fds[0], &fds[1], &fds[2]].map(AsRawFd::as_raw_fd);
        let [pidfile, ownership, mutex] = fds;
        let name = CString::new("/nonexistent/d.pid").unwrap();
        let pidfile = PidfileCleanup {
            guard_name: name.clone(),
            name,
            pidfile,
            device: 0,
            inode: 0,
            ownership,
            generation: 0,
            mutex,
            monitored: None,
        };
        // Of another process, so that the end of this one cleans nothing up.
        arm(Cleanup { owner: Pid::from_raw(1), pidfile: Some(pidfile), notify: None }).unwrap();
        INHERITED.store(true, Ordering::SeqCst);
        on_fork();
        let open = |fd| std::path::Path::new(&format!("/proc/self/fd/{fd}")).exists();
        assert!(numbers.into_iter().all(open));
    }

    #[test]
    fn a_daemon_gives_up_the_ownership_only_if_its_monitor_surely_ends() {
        let terminated = Ending::Signal(Signal::SIGTERM);
        for first in [true, false] {
            let monitored = Monitored { policy: RestartPolicy::default(), first };
            // The monitor starts it again, whatever the policy, unless it was the first or told to end.
            assert_eq!(monitored.ends(Readiness::Starting, Ending::Exit), first);
            assert_eq!(monitored.ends(Readiness::Starting, Ending::Signal(Signal::SIGALRM)), first);
            assert!(monitored.ends(Readiness::Starting, terminated));
            assert!(!monitored.ends(Readiness::Reporting, terminated));
            assert!(monitored.ends(Readiness::Ready, terminated));
            assert!(monitored.ends(Readiness::Ready, Ending::Exit));
            assert!(!monitored.ends(Readiness::Ready, Ending::Signal(Signal::SIGALRM)));
            let policy = RestartPolicy::default().on(RestartOn::Failure);
            assert!(!Monitored { policy, first }.ends(Readiness::Ready, Ending::Exit));
        }
    }
}
