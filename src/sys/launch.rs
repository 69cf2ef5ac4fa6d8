//! Starts a command under a [reaper](super::reaper) of its own.
//!
//! `std::process::Command` forks and sets arguments, environment, directory and standard streams. Its pre_exec
//! hook forks once more: the inner child returns and goes on to execute the program, the outer one never
//! returns and is the reaper. std keeps reporting why a program could not be executed, and no helper
//! executable is needed.
//!
//! ```text
//! harness ── reaper (leader of a new session, without terminal)
//!              └─ command (leader of a process group in that session, as under a shell with job control)
//! ```
//!
//! The command is not a session leader, so a daemon that omits setsid(2) is seen to stay in the reaper's
//! session. Its process group is its own, so `kill(0, SIGKILL)` in it hits neither reaper nor harness.

use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal, sigprocmask};
use nix::sys::stat::{Mode, umask};
use nix::unistd::Pid;

use super::pidfd;
use super::reaper::{self, Ends, Event, RECORD_LEN};

/// What the started program gets that `Command` cannot set.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) umask: Option<Mode>,
    /// Soft limit of the size of core files, in bytes; lowered to the hard limit if need be.
    pub(crate) core_limit: Option<u64>,
    /// Descriptors that it inherits beside 0, 1 and 2, under the same numbers.
    pub(crate) inherited: Vec<RawFd>,
    /// Standard streams to close.
    pub(crate) closed: Vec<RawFd>,
    /// Signals to ignore; all others have their default action.
    pub(crate) ignored: Vec<Signal>,
    /// Signals to block; all others are not.
    pub(crate) blocked: SigSet,
    /// A terminal that becomes the controlling terminal of the session, with the command in its foreground.
    pub(crate) terminal: Option<RawFd>,
}

/// A running reaper, seen from the process that launched it.
#[derive(Debug)]
pub(crate) struct Launched {
    /// The command, or its zombie, or (after an `Exited` record) its former pid.
    pub(crate) pid: Pid,
    pub(crate) reaper: Child,
    /// Readable when the reaper has ended.
    pub(crate) reaper_pidfd: OwnedFd,
    /// Non-blocking; whole records of [`RECORD_LEN`] bytes.
    pub(crate) events: io::PipeReader,
    /// Shut down or closed: the reaper kills everything.
    pub(crate) control: UnixStream,
}

/// For the reports of 87,000 deaths, in bytes: as much as any user may ask for, as a rule; pipe(7).
const REPORTS: i32 = 1 << 20;

/// Starts `command`, which must be fresh: each call leaves a hook in it.
pub(crate) fn launch(command: &mut Command, setup: Setup) -> io::Result<Launched> {
    let (events, reporter) = nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
    // What it has no room for stays a zombie until somebody reads, and the machine has only so many numbers.
    fcntl(&events, FcntlArg::F_SETPIPE_SZ(REPORTS)).ok();
    // A socket, because shutdown(2) reaches the reaper whoever else holds a copy of our end just now, in a
    // child between fork and exec.
    let (control, listener) = UnixStream::pair()?;
    let ends = Ends { control: listener.as_raw_fd(), events: reporter.as_raw_fd() };
    // SAFETY: `divide` makes only async-signal-safe calls, and the descriptors stay open until it has run.
    unsafe { command.pre_exec(move || divide(&setup, ends)) };
    let mut reaper = command.spawn()?;
    let events = io::PipeReader::from(events);
    match introduce(&reaper, &events) {
        Ok((pid, reaper_pidfd)) => Ok(Launched { pid, reaper, reaper_pidfd, events, control }),
        Err(error) => {
            drop(control);
            reaper.wait()?;
            Err(error)
        }
    }
}

fn introduce(reaper: &Child, mut events: &io::PipeReader) -> io::Result<(Pid, OwnedFd)> {
    let mut record = [0; RECORD_LEN];
    events.read_exact(&mut record)?;
    let Some(Event::Started(pid)) = Event::decode(&record) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    // The reaper is our child and not yet waited for, so the number is still its own.
    Ok((pid, pidfd::open(Pid::from_raw(reaper.id().cast_signed()))?))
}

/// Returns in the command only; the process that calls it turns into the reaper.
fn divide(setup: &Setup, ends: Ends) -> io::Result<()> {
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), None)?;
    default_actions();
    nix::unistd::setsid()?;
    if let Some(terminal) = setup.terminal {
        // SAFETY: the descriptor is open, and the third argument is an integer.
        Errno::result(unsafe { libc::ioctl(terminal, libc::TIOCSCTTY, 0) })?;
    }
    nix::sys::prctl::set_child_subreaper(true)?;
    match fork()? {
        None => Ok(apply(setup)?),
        Some(command) => reaper::run(command, ends),
    }
}

/// Forks without the C library's handlers and locks, which another thread may hold for ever in this copy.
fn fork() -> nix::Result<Option<Pid>> {
    // SAFETY: with no flag but the exit signal this is fork(2); all other arguments are unused and zero, so
    // their order, which differs between architectures, does not matter. Both sides keep to
    // async-signal-safe calls until they execute a program or exit.
    let pid = Errno::result(unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) })?;
    Ok((pid != 0).then_some(Pid::from_raw(pid as libc::pid_t)))
}

/// An ignored signal stays ignored across exec, and this process may ignore some: Rust ignores SIGPIPE.
///
/// Past the C library, which refuses to touch the two signals that it keeps for itself; whoever started us may
/// have ignored those as well.
fn default_actions() {
    // Zero is the default action, without flags, in every architecture's struct; none is longer than this.
    let default = [0_u64; 8];
    let no_old = std::ptr::null::<u64>();
    for number in 1..=KERNEL_SIGNALS {
        // SAFETY: the kernel reads a struct within `default`, and the default action runs no code of ours.
        // SIGKILL and SIGSTOP are refused.
        unsafe {
            libc::syscall(libc::SYS_rt_sigaction, number, default.as_ptr(), no_old, KERNEL_SIGNALS / 8)
        };
    }
}

/// The number of signals, and so the number of bits of a signal set in the kernel; signal(7).
const KERNEL_SIGNALS: usize = if cfg!(any(target_arch = "mips", target_arch = "mips64")) { 128 } else { 64 };

fn apply(setup: &Setup) -> nix::Result<()> {
    let own = Pid::from_raw(0);
    nix::unistd::setpgid(own, own)?;
    if let Some(terminal) = setup.terminal {
        // SAFETY: the descriptor is open; all signals are blocked, so SIGTTOU does not stop us.
        Errno::result(unsafe { libc::tcsetpgrp(terminal, libc::getpid()) })?;
    }
    if let Some(mode) = setup.umask {
        umask(mode);
    }
    if let Some(limit) = setup.core_limit {
        let (_, hard) = getrlimit(Resource::RLIMIT_CORE)?;
        setrlimit(Resource::RLIMIT_CORE, limit.min(hard), hard)?;
    }
    descriptors(setup)?;
    for &number in &setup.ignored {
        // SAFETY: ignoring a signal runs no code of ours.
        unsafe { signal(number, SigHandler::SigIgn) }?;
    }
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&setup.blocked), None)
}

/// Leaves 0, 1, 2 and what is to be inherited; std reports a failed exec through a descriptor that exec closes.
fn descriptors(setup: &Setup) -> nix::Result<()> {
    reaper::close_range(3, RawFd::MAX, libc::CLOSE_RANGE_CLOEXEC)?;
    for &fd in &setup.inherited {
        // SAFETY: the caller keeps the descriptor open during the launch; clearing its flags touches no memory.
        Errno::result(unsafe { libc::fcntl(fd, libc::F_SETFD, 0) })?;
    }
    for &fd in &setup.closed {
        // SAFETY: 0, 1 and 2 of this process, which is about to execute another program; no object owns them.
        Errno::result(unsafe { libc::close(fd) })?;
    }
    Ok(())
}
