//! The forks of the daemon written by hand: detaching, and a monitor.

use super::behaviour::run_until_killed;
use super::by_hand::{Daemon, stdio_to_null};
use super::defective::Defect;
use crate::sys::exit::exit_immediately;
use crate::sys::fork::{Fork, fork};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{Pid, pipe2, read, setsid, write};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant, SystemTime};

const CRASHES: [Signal; 5] =
    [Signal::SIGSEGV, Signal::SIGABRT, Signal::SIGBUS, Signal::SIGFPE, Signal::SIGILL];

/// Who is told that the daemon is ready, if anyone is.
#[derive(Debug)]
pub(super) struct Notifier {
    pipe: Option<OwnedFd>,
}

impl Notifier {
    pub(super) fn none() -> Self {
        Self { pipe: None }
    }

    pub(super) fn ready(&mut self) {
        if let Some(pipe) = self.pipe.take() {
            let _ = write(&pipe, b"r");
        }
    }
}

enum Side {
    Parent(Pid, OwnedFd),
    Child(Notifier),
}

fn fork_with_pipe() -> io::Result<Side> {
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
    match fork().map_err(|error| io::Error::other(format!("{error:?}")))? {
        Fork::Parent(child) => Ok(Side::Parent(child, reader)),
        Fork::Child => Ok(Side::Child(Notifier { pipe: Some(writer) })),
    }
}

/// Waits until the child has said that it is ready (true) or cannot any more.
fn is_ready(reader: &OwnedFd) -> bool {
    loop {
        match read(reader, &mut [0]) {
            Err(Errno::EINTR) => {}
            other => return other == Ok(1),
        }
    }
}

/// Returns in the child.
pub(super) fn detach(defect: Defect) -> io::Result<Notifier> {
    match fork_with_pipe()? {
        Side::Parent(child, reader) => match is_ready(&reader) {
            true if defect == Defect::NeverReturns => run_until_killed(),
            true => exit_immediately(0),
            false => exit_immediately(exit_status(waitpid(child, None))),
        },
        Side::Child(notifier) => {
            if defect != Defect::NoNewSession {
                setsid()?;
            }
            Ok(notifier)
        }
    }
}

fn exit_status(status: nix::Result<WaitStatus>) -> i32 {
    match status {
        Ok(WaitStatus::Exited(_, status)) if status != 0 => status,
        _ => 1,
    }
}

/// Returns in the daemons.
pub(super) fn supervise(daemon: &mut Daemon, mut foreground: Notifier) -> io::Result<Notifier> {
    let watched: SigSet =
        [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP].into_iter().collect();
    let mut before = SigSet::thread_get_mask()?;
    let signals = SignalFd::with_flags(&watched, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    let waits = daemon.defect == Defect::FirstRestartWaits;
    let mut last_restart = waits.then(|| (Instant::now(), SystemTime::now()));
    loop {
        before.thread_set_mask()?;
        let side = fork_with_pipe()?;
        let (child, reader) = match side {
            Side::Child(notifier) => return Ok(notifier),
            Side::Parent(child, reader) => (child, reader),
        };
        watched.thread_block()?;
        if !is_ready(&reader) && daemon.restarts == 0 {
            exit_immediately(exit_status(waitpid(child, None)));
        }
        if daemon.defect == Defect::LeaksPerRestart {
            std::mem::forget(reader);
        }
        let keeps = matches!(daemon.defect, Defect::MonitorKeepsStdio | Defect::KeepsStdio);
        if daemon.flags.detach && !keeps {
            stdio_to_null();
        }
        foreground.ready();
        let status = watch(daemon, &signals, child);
        let crashed = matches!(status, WaitStatus::Signaled(_, signal, _) if CRASHES.contains(&signal));
        let restart = match daemon.defect {
            Defect::NoRestart => false,
            Defect::CleanExitRestarted => true,
            _ => crashed,
        };
        if !restart {
            end(daemon, child);
        }
        throttle(daemon, &signals, child, last_restart);
        last_restart = Some((Instant::now(), SystemTime::now()));
        daemon.restarts += 1;
        before = SigSet::empty();
    }
}

/// Waits until the daemon has ended, and hands signals on to it. Ends the process if it was told to.
fn watch(daemon: &Daemon, signals: &SignalFd, child: Pid) -> WaitStatus {
    let mut told_to_end = false;
    loop {
        if let Some(status) = ended(daemon, child) {
            if told_to_end {
                end(daemon, child);
            }
            return status;
        }
        wait(signals, None);
        while let Ok(Some(info)) = signals.read_signal() {
            let Ok(signal) = Signal::try_from(info.ssi_signo as i32) else {
                continue;
            };
            match (signal, daemon.defect) {
                (Signal::SIGCHLD, _) => continue,
                (_, Defect::OrphansDaemon) => exit_immediately(0),
                (_, Defect::OrphansPidfile) => {
                    let _ = kill(child, Signal::SIGKILL);
                    exit_immediately(0);
                }
                (signal, _) => {
                    let _ = kill(child, signal);
                }
            }
            told_to_end = true;
        }
    }
}

fn ended(daemon: &Daemon, child: Pid) -> Option<WaitStatus> {
    let mut flags = WaitPidFlag::WNOHANG | WaitPidFlag::WEXITED;
    if daemon.defect == Defect::LeavesZombies {
        flags |= WaitPidFlag::WNOWAIT;
    }
    match waitid(Id::Pid(child), flags) {
        Ok(WaitStatus::StillAlive) | Err(_) => None,
        Ok(status) => Some(status),
    }
}

/// Waits for the time of the next restart. Ends the process if it is told to.
fn throttle(
    daemon: &mut Daemon,
    signals: &SignalFd,
    child: Pid,
    last_restart: Option<(Instant, SystemTime)>,
) {
    if let (Defect::LockDroppedInThrottle | Defect::RestartKeepsNoLock, Some(guard)) =
        (daemon.defect, &daemon.guard)
    {
        let _ = guard.unlock();
    }
    let interval = daemon.flags.restart_interval;
    let left = || match (last_restart?, daemon.defect) {
        (_, Defect::NoThrottle) => None,
        ((_, last), Defect::ThrottledByWallClock) => (last + interval).duration_since(SystemTime::now()).ok(),
        ((last, _), _) => (last + interval).checked_duration_since(Instant::now()),
    };
    while let Some(left) = left().filter(|left| !left.is_zero()) {
        wait(signals, Some(left));
        while let Ok(Some(info)) = signals.read_signal() {
            let is_death = info.ssi_signo as i32 == Signal::SIGCHLD as i32;
            if !is_death && daemon.defect != Defect::SigtermLostInThrottle {
                end(daemon, child);
            }
        }
    }
    if daemon.defect == Defect::LockDroppedInThrottle
        && daemon.guard.as_ref().is_some_and(|guard| guard.try_lock().is_err())
    {
        exit_immediately(1);
    }
}

fn wait(signals: &SignalFd, time: Option<Duration>) {
    let timeout = time.map_or(PollTimeout::NONE, |left| {
        PollTimeout::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(PollTimeout::MAX)
    });
    let _ = poll(&mut [PollFd::new(signals.as_fd(), PollFlags::POLLIN)], timeout);
}

fn end(daemon: &Daemon, child: Pid) -> ! {
    daemon.remove_pidfile_of(child);
    exit_immediately(0)
}
