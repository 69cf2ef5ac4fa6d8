//! The order of events from an ordinary process to a ready daemon.

use super::cleanup::{Cleanup, Monitored, PidfileCleanup, Readiness, arm, on_ending, on_fork, set_readiness};
use super::detach::{Notifier, detach};
use super::error::Error;
use super::guard::{Ownership, Section};
use super::monitor::{Setup, Supervised, supervise};
use super::notify::NotifySocket;
use super::options::Plan;
use super::pidfile::{PidfilePaths, Published, publish};
use super::stdio::{Stdio, release_inherited};
use crate::sys::hooks::{Ending, Hooks, install};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask};
use nix::unistd::{chdir, getpid};
use std::cell::{Cell, RefCell};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The signals whose default action ends a daemon, but not before it has cleaned up.
const ENDING: [Signal; 4] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGALRM];

/// A daemon that is starting: what the program does between [`DaemonOptions::start`] and
/// [`Startup::complete`] is its initialisation.
///
/// If it is dropped instead, the daemon runs on, but whoever waits for it waits until the daemon ends.
///
/// [`DaemonOptions::start`]: super::DaemonOptions::start
#[derive(Debug)]
#[must_use = "the foreground process waits until `complete` is called"]
pub struct Startup {
    /// Who is told that the daemon is ready.
    notifier: RefCell<Option<Notifier>>,
    notify: Option<NotifySocket>,
    detached: Option<Detached>,
    pidfile: Option<PathBuf>,
    restarts: u32,
    completed: Cell<bool>,
}

/// What a detached daemon lets go of once it is ready.
#[derive(Debug)]
struct Detached {
    chdir: bool,
    stdio: Stdio,
}

impl Startup {
    /// Carries the plan out. Returns in the daemon only.
    pub(super) fn run(plan: Plan) -> Result<Self, Error> {
        let mut notifier = match plan.detach {
            true => Some(detach(&plan.program, plan.startup_timeout)?),
            false => None,
        };
        if plan.detach && !plan.keep_inherited_fds {
            release_inherited()?;
        }
        let mut ownership = match &plan.paths {
            Some(paths) => Some(Ownership::acquire(paths, plan.overwrite)?),
            None => None,
        };
        let notify = NotifySocket::from_env();
        let mut restarts = 0;
        if let Some(policy) = plan.monitor {
            let supervised = supervise(Setup {
                program: plan.program,
                policy,
                stdio: plan.detach.then_some(&plan.stdio),
                foreground: notifier.take(),
                notify: notify.clone(),
                ownership: ownership.as_mut(),
                paths: plan.paths.as_ref(),
            })?;
            let Supervised { notifier: own, restarts: count } = supervised;
            (notifier, restarts) = (Some(own), count);
        }
        // The monitor, where there is one, is the service manager's main process and speaks for both.
        let notify = notify.filter(|_| plan.monitor.is_none());
        let monitored = plan.monitor.map(|policy| Monitored { policy, first: restarts == 0 });
        match (&plan.paths, ownership) {
            (Some(paths), Some(ownership)) => own_pidfile(paths, ownership, monitored, notify.clone())?,
            _ => clean_up_at_the_end(None, notify.clone())?,
        }
        Ok(Self {
            notifier: RefCell::new(notifier),
            notify,
            detached: plan.detach.then_some(Detached { chdir: plan.chdir, stdio: plan.stdio }),
            pidfile: plan.paths.map(|paths| paths.pidfile),
            restarts,
            completed: Cell::new(false),
        })
    }

    /// Reports that the daemon is ready: a detached one moves to `/` and lets go of the standard descriptors,
    /// then the foreground process exits 0. Once that has succeeded, further calls do nothing.
    ///
    /// # Errors
    /// If one of these steps fails. The daemon should end then. Its standard error may already lead elsewhere; if it is the
    /// report that failed, the foreground process says so, and the exit status reaches the operator in any case.
    pub fn complete(&self) -> Result<(), Error> {
        if self.completed.get() {
            return Ok(());
        }
        // The report comes last: when the foreground process is gone, all of this must be true.
        if let Some(detached) = &self.detached {
            if detached.chdir {
                chdir("/").map_err(Error::file("change the working directory to", Path::new("/")))?;
            }
            detached.stdio.redirect()?;
        }
        if let Some(notify) = &self.notify {
            notify.ready();
        }
        if let Some(notifier) = &*self.notifier.borrow() {
            set_readiness(Readiness::Reporting);
            notifier.ready()?;
        }
        self.notifier.take();
        set_readiness(Readiness::Ready);
        self.completed.set(true);
        Ok(())
    }

    /// The pidfile, if there is one: an absolute path.
    pub fn pidfile(&self) -> Option<&Path> {
        self.pidfile.as_deref()
    }

    /// How often the monitor has restarted the daemon; 0 in the first one.
    pub fn restarts(&self) -> u32 {
        self.restarts
    }
}

/// Publishes the pidfile, to be removed at the end.
fn own_pidfile(
    paths: &PidfilePaths,
    ownership: Ownership,
    monitored: Option<Monitored>,
    notify: Option<NotifySocket>,
) -> Result<(), Error> {
    let (name, guard_name) = (c_string(&paths.pidfile)?, c_string(&paths.guard)?);
    let section = Section::enter(paths)?;
    // A signal that came between the pidfile and the handlers would leave it behind.
    let _held = HeldSignals::hold()?;
    ownership.confirm(&section)?;
    let published = publish(paths)?;
    let mutex = section.leave_published(&published)?;
    let (ownership, generation) = ownership.into_parts();
    let Published { fd: pidfile, device, inode } = published;
    let pidfile =
        PidfileCleanup { name, guard_name, pidfile, device, inode, ownership, generation, mutex, monitored };
    clean_up_at_the_end(Some(pidfile), notify)
}

/// The signals that the exit handlers handle, kept waiting until dropped.
struct HeldSignals {
    before: SigSet,
}

impl HeldSignals {
    fn hold() -> Result<Self, Error> {
        let (set, mut before) = (SigSet::from_iter(ENDING), SigSet::empty());
        pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&set), Some(&mut before))
            .map_err(Error::system("block signals"))?;
        Ok(Self { before })
    }
}

impl Drop for HeldSignals {
    fn drop(&mut self) {
        let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&self.before), None);
    }
}

fn clean_up_at_the_end(pidfile: Option<PidfileCleanup>, notify: Option<NotifySocket>) -> Result<(), Error> {
    let failed = || Error::system("install the exit handlers");
    if pidfile.is_none() && notify.is_none() {
        return Ok(());
    }
    let cleanup = Cleanup { owner: getpid(), pidfile, notify };
    arm(cleanup).map_err(failed())?;
    let hooks = Hooks { ending: on_ending, forked: on_fork };
    install(hooks, &ENDING).map_err(|errno| {
        // Nothing else may run it.
        on_ending(Ending::Exit);
        failed()(errno)
    })
}

fn c_string(path: &Path) -> Result<CString, Error> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Error::NoName { path: path.to_owned() })
}
