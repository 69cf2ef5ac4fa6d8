//! The supervising parent: forks the daemon, waits for its death, restarts it.

use super::detach::{
    Arrived, Child, Notifier, Side, SignalWatch, Status, Wake, end, fork_child, reap, say, tell_failure,
};
use super::error::{Error, seconds};
use super::guard::{Ownership, Section};
use super::notify::NotifySocket;
use super::pidfile::{PidfilePaths, remove_stale};
use super::restart::RestartPolicy;
use super::stdio::Stdio;
use super::title::MonitorTitle;
use crate::sys::exit::exit_immediately;
use crate::sys::signal::{Disposition, disposition};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgid};
use std::ffi::OsString;
use std::time::{Duration, Instant};

/// What the monitor hands on to the daemon.
const FORWARDED: [Signal; 6] =
    [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2];

/// What a monitor needs.
#[derive(Debug)]
pub(super) struct Setup<'a> {
    pub(super) program: OsString,
    pub(super) policy: RestartPolicy,
    /// `None` if the process stays in the foreground: then its standard descriptors are left alone.
    pub(super) stdio: Option<&'a Stdio>,
    /// Where to report that the first daemon is ready.
    pub(super) foreground: Option<Notifier>,
    pub(super) notify: Option<NotifySocket>,
    pub(super) ownership: Option<&'a mut Ownership>,
    pub(super) paths: Option<&'a PidfilePaths>,
}

/// What a daemon gets from its monitor.
#[derive(Debug)]
pub(super) struct Supervised {
    pub(super) notifier: Notifier,
    /// How many daemons there were before.
    pub(super) restarts: u32,
}

/// Turns the calling process into a monitor. Returns in the daemons only.
pub(super) fn supervise(setup: Setup<'_>) -> Result<Supervised, Error> {
    // What whoever started it has made the process ignore (nohup(1), a shell's `&`) is nothing to act upon. A
    // blocked signal would arrive although it is ignored.
    let mut forwarded = Vec::new();
    for signal in FORWARDED {
        if disposition(signal).map_err(Error::system("watch signals"))? != Disposition::Ignored {
            forwarded.push(signal);
        }
    }
    let watch = SignalWatch::start(&forwarded)?;
    let title = MonitorTitle::take(&setup.program);
    let monitor = Monitor {
        setup,
        watch,
        title,
        status: "healthy".to_owned(),
        crashes: 0,
        crashes_in_a_row: 0,
        last_restart: None,
        last_daemon: None,
        stop: false,
    };
    monitor.run()
}

struct Monitor<'a> {
    setup: Setup<'a>,
    watch: SignalWatch,
    title: MonitorTitle,
    status: String,
    crashes: u32,
    /// Crashes with no healthy time between them.
    crashes_in_a_row: u32,
    last_restart: Option<Instant>,
    last_daemon: Option<Pid>,
    /// Somebody told the monitor to end.
    stop: bool,
}

/// How one daemon's life ended.
#[derive(Debug)]
struct Life {
    pid: Pid,
    status: Status,
    /// For how long it was ready, if it ever was.
    ready_for: Option<Duration>,
    /// What it could not say itself.
    failure: Option<Error>,
}

impl Monitor<'_> {
    fn run(mut self) -> Result<Supervised, Error> {
        let mut ever_ready = false;
        loop {
            let life = match fork_child() {
                Ok(Side::Child(notifier)) => return Ok(self.into_daemon(notifier)),
                Ok(Side::Parent(child)) => {
                    let pid = child.pid;
                    self.live(child, &mut ever_ready).unwrap_or_else(|error| self.fail(pid, &error))
                }
                Err(error) if !ever_ready => return Err(error),
                Err(error) => {
                    log::error!("{error}, trying again");
                    self.crashes_in_a_row += 1;
                    self.pause();
                    continue;
                }
            };
            if !ever_ready {
                self.refuse(&life);
            }
            self.after_death(&life);
        }
    }

    /// In a new daemon: undoes what makes the process a monitor.
    fn into_daemon(self, notifier: Notifier) -> Supervised {
        self.title.restore();
        Supervised { notifier, restarts: self.crashes }
    }

    /// From a daemon's birth to its death.
    fn live(&mut self, mut child: Child, ever_ready: &mut bool) -> Result<Life, Error> {
        let pid = child.pid;
        self.last_daemon = Some(pid);
        self.title.show(pid.as_raw(), &self.status);
        let mut ready_since = None;
        loop {
            let ended = match self.watch.wait(child.channel.as_ref(), None)? {
                Wake::Signal => {
                    self.forward_signals(Some(pid))?;
                    reap(pid)?
                }
                Wake::Channel | Wake::Time => None,
            };
            // In this order: a daemon may report just before it ends.
            if child.is_ready(ended.is_some())? {
                child.channel = None;
                ready_since = Some(Instant::now());
                self.daemon_is_ready(ever_ready)?;
            }
            if let Some(status) = ended {
                let ready_for = ready_since.map(|since| since.elapsed());
                return Ok(Life { pid, status, ready_for, failure: child.failure() });
            }
        }
    }

    /// The kernel failed the monitor, which should not happen. It cannot leave a daemon alone.
    fn fail(&mut self, daemon: Pid, error: &Error) -> ! {
        end(daemon);
        say(&self.setup.program, &[&error.to_string()]);
        log::error!("{error}");
        exit_immediately(1)
    }

    /// Once: tells the foreground process and the service manager, and lets go of the terminal.
    fn daemon_is_ready(&mut self, ever_ready: &mut bool) -> Result<(), Error> {
        if std::mem::replace(ever_ready, true) {
            return Ok(());
        }
        self.setup.stdio.map_or(Ok(()), Stdio::redirect)?;
        if let Some(notify) = &self.setup.notify {
            notify.ready();
        }
        self.setup.foreground.take().map_or(Ok(()), |foreground| foreground.ready())
    }

    /// Hands on what has arrived. Without a daemon only a wish to end counts.
    fn forward_signals(&mut self, daemon: Option<Pid>) -> Result<(), Error> {
        while let Some(Arrived { signal, by_kernel }) = self.watch.next()? {
            if signal == Signal::SIGCHLD {
                continue;
            }
            // Without a terminal that could hang up, SIGHUP asks a daemon to read its configuration again.
            let detached = self.setup.stdio.is_some();
            self.stop |= match signal {
                Signal::SIGTERM | Signal::SIGINT | Signal::SIGQUIT => true,
                Signal::SIGHUP => !detached,
                _ => false,
            };
            // A key pressed at a terminal reaches the whole process group: twice would be once too often for
            // a daemon that stops gracefully at first and at once the second time.
            let has_it_already = |daemon| {
                let key = by_kernel && matches!(signal, Signal::SIGINT | Signal::SIGQUIT);
                key && getpgid(Some(daemon)) == getpgid(None)
            };
            if let Some(daemon) = daemon.filter(|&daemon| !has_it_already(daemon)) {
                // The daemon has not been waited for yet, so the number is still its own.
                let _ = kill(daemon, signal);
            }
        }
        Ok(())
    }

    /// The first daemon never became ready: the start has failed, with its status.
    fn refuse(&mut self, life: &Life) -> ! {
        self.let_go();
        let (program, failure) = (&self.setup.program, life.failure.as_ref());
        let outcome = "could not initiate process monitoring";
        exit_immediately(tell_failure(program, life.status, failure, outcome))
    }

    /// Decides whether there will be another daemon, and waits until it is time.
    fn after_death(&mut self, life: &Life) {
        let pid = life.pid;
        let _ = self.forward_signals(None);
        let (policy, death) = (self.setup.policy, life.status.death);
        let restart = if life.ready_for.is_some() { policy.restarts(death) } else { policy.retries(death) };
        if self.stop || !restart {
            log::info!("pid {pid} died, {}, exiting", life.status);
            self.end(0);
        }
        self.crashes += 1;
        self.count_in_a_row(life);
        self.status = format!("{} crashes: pid {pid} died, {}", self.crashes, life.status);
        if self.setup.policy.gives_up(self.crashes_in_a_row) {
            log::error!("{}, giving up after {} crashes in a row", self.status, self.crashes_in_a_row);
            self.end(1);
        }
        if life.status.core_dumped {
            disable_core_dumps();
        }
        self.pause();
        log::error!("{}, restarting", self.status);
    }

    fn count_in_a_row(&mut self, life: &Life) {
        let throttle = self.setup.policy.throttle(self.crashes_in_a_row.max(1));
        let was_healthy = life.ready_for.is_some_and(|time| time > throttle);
        self.crashes_in_a_row = if was_healthy { 1 } else { self.crashes_in_a_row + 1 };
    }

    /// Waits for the throttle, and makes sure of the ownership. Ends the process if it is told to.
    fn pause(&mut self) {
        let throttle = self.setup.policy.throttle(self.crashes_in_a_row);
        let until = self.last_restart.and_then(|last| last.checked_add(throttle));
        if let Some(until) = until.filter(|until| *until > Instant::now()) {
            log::warn!("{}, waiting until {} since last restart", self.status, seconds(&throttle));
            while self.watch.wait(None, Some(until)).is_ok_and(|wake| wake == Wake::Signal) {
                let _ = self.forward_signals(None);
                if self.stop {
                    log::info!("told to stop, exiting");
                    self.end(0);
                }
            }
        }
        self.last_restart = Some(Instant::now());
        if let (Some(ownership), Some(paths)) = (&mut self.setup.ownership, self.setup.paths)
            && let Err(error) = ownership.renew(paths)
        {
            log::error!("{error}");
            // Anything else may pass; the next daemon makes sure of the ownership itself.
            if error.has_other_owner() {
                self.end(1);
            }
        }
    }

    /// Ends the monitor.
    fn end(&mut self, status: i32) -> ! {
        self.let_go();
        if let Some(notify) = &self.setup.notify {
            let _ = notify.send(b"STOPPING=1");
        }
        exit_immediately(status)
    }

    /// Removes what a daemon left that could not clean up itself, and gives up the ownership.
    fn let_go(&self) {
        let (Some(ownership), Some(paths)) = (&self.setup.ownership, self.setup.paths) else {
            return;
        };
        let removed = Section::enter(paths).and_then(|_section| {
            let removed = self.last_daemon.map_or(Ok(()), |daemon| remove_stale(paths, daemon));
            ownership.release();
            removed
        });
        if let Err(error) = removed {
            log::warn!("{error}");
        }
    }
}

/// The first core tells what there is to tell; more would fill the disk.
fn disable_core_dumps() {
    if let Err(errno) = setrlimit(Resource::RLIMIT_CORE, 0, 0) {
        log::warn!("failed to disable core dumps: {}", errno.desc());
    }
}
