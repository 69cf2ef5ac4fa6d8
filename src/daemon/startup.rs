//! The order of events from an ordinary process to a ready daemon.

use super::cleanup::{Cleanup, PidfileCleanup, arm, on_ending, on_fork, set_ready};
use super::detach::{Notifier, detach};
use super::error::Error;
use super::guard::{Ownership, Section};
use super::monitor::{Setup, Supervised, supervise};
use super::notify::NotifySocket;
use super::options::Plan;
use super::pidfile::{PidfilePaths, publish};
use super::restart::RestartPolicy;
use super::stdio::{Stdio, release_inherited};
use crate::sys::hooks::{Hooks, install};
use nix::sys::signal::Signal;
use nix::unistd::{chdir, getpid};
use std::cell::{Cell, RefCell};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

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
        let pidfile = match (&plan.paths, ownership) {
            (Some(paths), Some(ownership)) => Some(take_pidfile(paths, ownership, plan.monitor)?),
            _ => None,
        };
        clean_up_at_the_end(pidfile, notify.clone())?;
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
    /// then the foreground process exits 0. Further calls do nothing.
    ///
    /// # Errors
    /// If one of these steps fails. The daemon should end then.
    pub fn complete(&self) -> Result<(), Error> {
        if self.completed.replace(true) {
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
        set_ready();
        self.notifier.borrow_mut().take().map_or(Ok(()), Notifier::ready)
    }

    /// The pidfile, if there is one: an absolute path unless RUNDIR is relative.
    pub fn pidfile(&self) -> Option<&Path> {
        self.pidfile.as_deref()
    }

    /// How often the monitor has restarted the daemon; 0 in the first one.
    pub fn restarts(&self) -> u32 {
        self.restarts
    }
}

fn take_pidfile(
    paths: &PidfilePaths,
    ownership: Ownership,
    monitored: Option<RestartPolicy>,
) -> Result<PidfileCleanup, Error> {
    let section = Section::enter(paths)?;
    if !ownership.is_current(&section) {
        return Err(ownership.taken_over(&section));
    }
    let published = publish(paths)?;
    let (ownership, generation) = ownership.into_parts();
    Ok(PidfileCleanup {
        name: c_string(&paths.pidfile)?,
        guard_name: c_string(&paths.guard)?,
        pidfile: published.fd,
        device: published.device,
        inode: published.inode,
        ownership,
        generation,
        mutex: section.leave()?,
        monitored,
    })
}

fn clean_up_at_the_end(pidfile: Option<PidfileCleanup>, notify: Option<NotifySocket>) -> Result<(), Error> {
    let failed = || Error::system("install the exit handlers");
    if pidfile.is_none() && notify.is_none() {
        return Ok(());
    }
    let cleanup = Cleanup { owner: getpid(), pidfile, notify };
    arm(cleanup).map_err(failed())?;
    let hooks = Hooks { ending: on_ending, forked: on_fork };
    let signals = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGALRM];
    install(hooks, &signals).map_err(failed())
}

fn c_string(path: &Path) -> Result<CString, Error> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Error::NoName { path: path.to_owned() })
}
