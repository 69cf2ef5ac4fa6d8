//! Nothing is left behind, whatever ends the command.
//!
//! `check` runs once more as a child, in which all is done; this process only waits for it. The child's
//! temporary files are in a directory that this process removes, and what the child leaves when it dies is
//! adopted by this process, which ends only after it. So a signal to either of them, from the terminal or not,
//! a panic and an abort all end alike.

use super::exit::Failure;
use super::output::{leave_progress, note};
use crate::fixture::keep;
use crate::fixture::stale::OwnDirectory;
use crate::sys::signal::set_default;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::{set_child_subreaper, set_pdeathsig};
use nix::sys::signal::{SigSet, Signal, kill, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

/// Tells the child that it is one; the value is the parent's pid.
const GUARD_VARIABLE: &str = "DAEMONPROOF_GUARD";

/// Those that ask a program to end.
pub(super) const REQUESTS: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];

/// How long what the child left may take to die. Each is killed by its reaper, at once.
const ENDING: Duration = Duration::from_secs(10);

/// Whether this process is the child, which from now on dies with its parent, and of the signals sent to it.
pub(super) fn is_guarded() -> bool {
    let parent = Pid::parent();
    let is_child = std::env::var(GUARD_VARIABLE).is_ok_and(|guard| guard == parent.to_string());
    // It has inherited the signals that its parent has blocked; one that was sent meanwhile takes effect now.
    is_child
        && watched().thread_unblock().is_ok()
        && set_pdeathsig(Signal::SIGKILL).is_ok()
        // If the parent died before this, there is another one now.
        && Pid::parent() == parent
}

/// Runs this command line once more as a child, and ends as that does.
pub(super) fn run() -> Result<ExitCode, Failure> {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        Failure::Inconclusive(format!("failed to {what}: {error}"))
    };
    let directory = directory().map_err(|error| failed("create a temporary directory", &error))?;
    let signals = watch().map_err(|errno| failed("watch for signals", &errno.desc()))?;
    let child = start(&directory).map_err(|error| failed("start /proc/self/exe", &error))?;
    let ended = wait(child, &signals).map_err(|errno| failed("wait for a child", &errno.desc()))?;
    let cleared = clear(directory);
    let code = end_as(ended);
    cleared.map_err(|error| failed("remove the temporary directory", &error))?;
    Ok(code)
}

/// Where the child makes its sandboxes. A daemon that changes its user must reach its own.
fn directory() -> std::io::Result<OwnDirectory> {
    OwnDirectory::create_in(&std::env::temp_dir())
}

fn watched() -> SigSet {
    REQUESTS.into_iter().chain([Signal::SIGCHLD]).collect()
}

fn watch() -> nix::Result<SignalFd> {
    let signals = watched();
    signals.thread_block()?;
    set_child_subreaper(true)?;
    SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}

fn start(directory: &OwnDirectory) -> std::io::Result<Pid> {
    let mut args = std::env::args_os();
    // Not by its name, which may lead to another file by now.
    let mut command = Command::new("/proc/self/exe");
    command.arg0(args.next().unwrap_or_else(|| "daemonproof".into())).args(args);
    command.env("TMPDIR", directory.path());
    command.env(GUARD_VARIABLE, Pid::this().to_string());
    if !keeps() {
        // Nor should the child say that it keeps what is removed here.
        command.env(keep::VARIABLE, "0");
    }
    let child = command.spawn()?;
    Ok(Pid::from_raw(child.id().cast_signed()))
}

/// Waits until the child and all that it left have ended. Requests to end are handed on to the child.
fn wait(child: Pid, signals: &SignalFd) -> nix::Result<WaitStatus> {
    let mut ended = None;
    let mut deadline = None;
    while !reap(child, &mut ended)? {
        if ended.is_some() {
            deadline.get_or_insert_with(|| Instant::now() + ENDING);
        }
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            break;
        }
        let timeout = left.and_then(|left| left.try_into().ok()).unwrap_or(PollTimeout::NONE);
        match poll(&mut [PollFd::new(signals.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
        hand_on(child, ended.is_some(), signals);
    }
    ended.ok_or(Errno::ECHILD)
}

/// Reaps what has ended; says whether nothing is left.
fn reap(child: Pid, ended: &mut Option<WaitStatus>) -> nix::Result<bool> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return Ok(false),
            Ok(status) if status.pid() == Some(child) => *ended = Some(status),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(Errno::ECHILD) => return Ok(true),
            Err(errno) => return Err(errno),
        }
    }
}

fn hand_on(child: Pid, has_ended: bool, signals: &SignalFd) {
    while let Ok(Some(received)) = signals.read_signal() {
        let request = REQUESTS.into_iter().find(|request| *request as u32 == received.ssi_signo);
        if let Some(request) = request.filter(|_| !has_ended) {
            // It may be dead, but its number is its own until it is reaped here.
            let _ = kill(child, request);
        }
    }
}

/// Whether sandboxes are to be kept: those of a check that fails by itself are not, unless somebody asks.
fn keeps() -> bool {
    std::env::var_os(keep::VARIABLE).is_some_and(|keep| !keep.is_empty() && keep != "0")
}

/// Removes the directory, unless sandboxes in it were kept.
fn clear(mut directory: OwnDirectory) -> std::io::Result<()> {
    if !keeps() {
        return directory.close();
    }
    if std::fs::remove_dir(directory.path()).is_err() {
        note(&format!("kept the sandboxes in {}", directory.path().display()));
    }
    directory.keep();
    Ok(())
}

/// The child's exit status, or its death: who waits for this process should see what ended it.
fn end_as(ended: WaitStatus) -> ExitCode {
    match ended {
        WaitStatus::Exited(_, code) => ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)),
        WaitStatus::Signaled(_, signal, _) => {
            leave_progress();
            die_of(signal)
        }
        _ => ExitCode::FAILURE,
    }
}

/// Dies of `signal`, or else exits as a shell would say that.
fn die_of(signal: Signal) -> ExitCode {
    let only_this: SigSet = [signal].into_iter().collect();
    // A signal that cannot be set is at its default anyway.
    let _ = set_default(signal);
    let _ = raise(signal);
    let _ = only_this.thread_unblock();
    ExitCode::from(u8::try_from(128 + signal as i32).unwrap_or(u8::MAX))
}
