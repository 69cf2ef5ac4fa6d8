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
    /// The monitor's policy, if there is a monitor.
    pub(super) monitored: Option<RestartPolicy>,
}

const ARMED: u8 = 0;
const RUNNING: u8 = 1;
const DONE: u8 = 2;

static CLEANUP: OnceLock<Cleanup> = OnceLock::new();
static STATE: AtomicU8 = AtomicU8::new(ARMED);
/// Whether the daemon is about to report that it is ready, or has.
static READY: AtomicBool = AtomicBool::new(false);

/// Makes `cleanup` the one that [`on_ending`] carries out, unless there is one: a process becomes a daemon
/// once.
pub(super) fn arm(cleanup: Cleanup) -> Result<(), Errno> {
    CLEANUP.set(cleanup).map_err(|_| Errno::EALREADY)
}

/// To be called before the report: from then on the restart policy decides what the monitor does.
pub(super) fn set_ready() {
    READY.store(true, Ordering::SeqCst);
}

pub(super) fn on_ending(ending: Ending) -> After {
    // A child that the daemon forked inherits the handlers, but nothing to clean up.
    let Some(cleanup) = CLEANUP.get().filter(|cleanup| cleanup.owner == getpid()) else {
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
pub(super) fn on_fork() {
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
        if self.is_final(ending) {
            release_ownership(self.ownership.as_fd(), self.generation);
        }
        std::mem::forget(reopened);
    }

    /// Enters a section, through a new descriptor if the guard was replaced. `None`: it was impossible, and
    /// the pidfile stays, stale.
    fn enter(&self) -> Option<Option<OwnedFd>> {
        lock_mutex(self.mutex.as_fd()).ok()?;
        if leads_to(self.guard_name.as_c_str(), &self.mutex) {
            return Some(None);
        }
        for _ in 0..8 {
            let guard = open_guard_at(self.guard_name.as_c_str()).ok()?;
            lock_mutex(guard.as_fd()).ok()?;
            if leads_to(self.guard_name.as_c_str(), &guard) {
                return Some(Some(guard));
            }
        }
        None
    }

    /// Whether the monitor, if there is one, will end as well: then the ownership ends here, together with
    /// the pidfile, and whoever sees the pidfile gone can start at once.
    fn is_final(&self, ending: Ending) -> bool {
        let Some(policy) = self.monitored else {
            return true;
        };
        let ready = READY.load(Ordering::SeqCst);
        match ending {
            // A start that fails may be tried again, and until then nobody else may slip in.
            Ending::Exit => ready && !policy.may_restart_after_exit(),
            Ending::Signal(signal) if ready => !policy.restarts(Death::Signaled(signal)),
            Ending::Signal(signal) => !policy.retries(Death::Signaled(signal)),
        }
    }
}
