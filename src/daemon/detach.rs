//! Forking, and waiting for the child's startup: fork(2), setsid(2), signalfd(2).

use super::error::Error;
use super::restart::Death;
use crate::sys::exit::exit_immediately;
use crate::sys::fork::{Fork, ForkError, fork};
use crate::sys::signal::{Disposition, disposition, set_default, set_ignored};
use crate::sys::wait::{self, Ended};
use nix::errno::Errno;
use nix::libc::SI_KERNEL;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, pthread_sigmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, setsid};
use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

/// How a process that the library forked ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Status {
    pub(super) death: Death,
    pub(super) core_dumped: bool,
}

impl fmt::Display for Status {
    /// As Open vSwitch says it: `killed (Segmentation fault), core dumped`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.death {
            Death::Exited(status) => write!(f, "exit status {status}")?,
            Death::Signaled(signal) => write!(f, "killed ({})", signal_text(signal))?,
        }
        f.write_str(if self.core_dumped { ", core dumped" } else { "" })
    }
}

/// What strsignal(3) says of the signals that a program dies of most; the others by their names.
fn signal_text(number: i32) -> Cow<'static, str> {
    let Ok(signal) = Signal::try_from(number) else {
        // strsignal(3) numbers the real-time signals from SIGRTMIN, which the C library may move.
        return format!("signal {number}").into();
    };
    let text = match signal {
        Signal::SIGHUP => "Hangup",
        Signal::SIGINT => "Interrupt",
        Signal::SIGQUIT => "Quit",
        Signal::SIGILL => "Illegal instruction",
        Signal::SIGTRAP => "Trace/breakpoint trap",
        Signal::SIGABRT => "Aborted",
        Signal::SIGBUS => "Bus error",
        Signal::SIGFPE => "Floating point exception",
        Signal::SIGKILL => "Killed",
        Signal::SIGUSR1 => "User defined signal 1",
        Signal::SIGSEGV => "Segmentation fault",
        Signal::SIGUSR2 => "User defined signal 2",
        Signal::SIGPIPE => "Broken pipe",
        Signal::SIGALRM => "Alarm clock",
        Signal::SIGTERM => "Terminated",
        Signal::SIGXCPU => "CPU time limit exceeded",
        Signal::SIGXFSZ => "File size limit exceeded",
        Signal::SIGSYS => "Bad system call",
        other => other.as_str(),
    };
    text.into()
}

/// Signals that are received from a descriptor instead of interrupting, until dropped or undone.
#[derive(Debug)]
pub(super) struct SignalWatch {
    signals: SignalFd,
    before: SigSet,
    children_ignored: bool,
}

impl SignalWatch {
    /// Watches `SIGCHLD` and `others`.
    pub(super) fn start(others: &[Signal]) -> Result<Self, Error> {
        let failed = || Error::system("watch signals");
        let set: SigSet = others.iter().copied().chain([Signal::SIGCHLD]).collect();
        let mut before = SigSet::empty();
        pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&set), Some(&mut before)).map_err(failed())?;
        // Whoever ignores SIGCHLD never learns what became of a child (wait(2)).
        let ignored = disposition(Signal::SIGCHLD).map_err(failed())? == Disposition::Ignored;
        if ignored {
            set_default(Signal::SIGCHLD).map_err(failed())?;
        }
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let signals = SignalFd::with_flags(&set, flags).map_err(failed())?;
        Ok(Self { signals, before, children_ignored: ignored })
    }

    /// The next signal that has arrived, if any.
    pub(super) fn next(&self) -> Result<Option<Arrived>, Error> {
        let info = self.signals.read_signal().map_err(Error::system("read a signal"))?;
        Ok(info.and_then(|info| {
            let signal = Signal::try_from(info.ssi_signo as i32).ok()?;
            Some(Arrived { signal, by_kernel: info.ssi_code == SI_KERNEL })
        }))
    }

    /// Waits until `channel` has news or ends, a signal arrives, or the time has come; the first of these that is so.
    pub(super) fn wait(&self, channel: Option<&OwnedFd>, until: Option<Instant>) -> Result<Wake, Error> {
        let channel = channel.map(|channel| PollFd::new(channel.as_fd(), PollFlags::POLLIN));
        let mut fds = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        fds.extend(channel);
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            match poll(&mut fds, timeout(left)) {
                Ok(0) if left.is_some_and(|left| left.is_zero()) => return Ok(Wake::Time),
                Ok(0) | Err(Errno::EINTR) => {}
                Ok(_) if fds.get(1).is_some_and(|channel| channel.any() != Some(false)) => {
                    return Ok(Wake::Channel);
                }
                Ok(_) => return Ok(Wake::Signal),
                Err(errno) => return Err(Error::system("wait for a child process")(errno)),
            }
        }
    }
}

impl Drop for SignalWatch {
    fn drop(&mut self) {
        if self.children_ignored {
            let _ = set_ignored(Signal::SIGCHLD);
        }
        let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&self.before), None);
    }
}

/// Rounded up, so that a wait never ends before its time; the longest that poll(2) takes at most.
fn timeout(left: Option<Duration>) -> PollTimeout {
    let Some(left) = left else {
        return PollTimeout::NONE;
    };
    let milliseconds = left.as_nanos().div_ceil(1_000_000);
    PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX)
}

/// A signal that was received.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrived {
    pub(super) signal: Signal,
    /// Sent by no process: a terminal's, for instance.
    pub(super) by_kernel: bool,
}

/// Why [`SignalWatch::wait`] returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wake {
    /// There is something on the channel, or it has ended.
    Channel,
    /// A signal has arrived.
    Signal,
    /// The time has come.
    Time,
}

/// The daemon's end of the channel on which it reports that it is ready.
#[derive(Debug)]
pub(super) struct Notifier {
    channel: OwnedFd,
    failure: EventFd,
}

impl Notifier {
    /// Reports readiness. That nobody listens any more is no error of the daemon's.
    pub(super) fn ready(&self) -> Result<(), Error> {
        loop {
            match send(self.channel.as_raw_fd(), &[0], MsgFlags::MSG_NOSIGNAL) {
                Ok(_) | Err(Errno::EPIPE | Errno::ECONNRESET) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(errno) => {
                    // By now standard error leads elsewhere: whoever waits has to say it.
                    let _ = self.failure.write(errno as u64);
                    return Err(Error::system(REPORT)(errno));
                }
            }
        }
    }
}

const REPORT: &str = "report that startup is complete";

/// A forked process whose startup is being waited for.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) pid: Pid,
    /// `None` once the other end is closed: then only the child's death can bring news.
    pub(super) channel: Option<OwnedFd>,
    /// The number of the error with which the report of readiness failed, once it has.
    failure: EventFd,
}

/// Which process this is after [`fork_child`].
#[derive(Debug)]
pub(super) enum Side {
    Parent(Child),
    Child(Notifier),
}

/// Forks. What is buffered for the standard streams is written first, lest both processes write it.
pub(super) fn fork_child() -> Result<Side, Error> {
    let _ = io::stdout().flush();
    let failed = || Error::system("create the channel for startup notification");
    let (ours, theirs) =
        socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC).map_err(failed())?;
    let failure = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK).map_err(failed())?;
    match fork() {
        Ok(Fork::Parent(pid)) => Ok(Side::Parent(Child { pid, channel: Some(ours), failure })),
        Ok(Fork::Child) => Ok(Side::Child(Notifier { channel: theirs, failure })),
        Err(ForkError::Threads(threads)) => Err(Error::Threads { threads }),
        Err(ForkError::Errno(errno)) => Err(Error::system("fork")(errno)),
    }
}

impl Child {
    /// Whether the child, which has `ended` or not, has reported that it is ready, which it does once. Never waits.
    pub(super) fn is_ready(&mut self, ended: bool) -> Result<bool, Error> {
        let Some(channel) = &self.channel else {
            return Ok(false);
        };
        let mut byte = [0];
        match recv(channel.as_raw_fd(), &mut byte, MsgFlags::MSG_DONTWAIT) {
            Ok(1..) => Ok(true),
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(false),
            Ok(0) | Err(Errno::ECONNRESET) => {
                self.channel = None;
                Ok(false)
            }
            // Its end says enough.
            Err(_) if ended => Ok(false),
            Err(errno) => Err(Error::system("read whether startup is complete")(errno)),
        }
    }

    /// What the child, which has ended, could not say itself.
    pub(super) fn failure(&self) -> Option<Error> {
        let errno = i32::try_from(self.failure.read().ok()?).ok()?;
        Some(Error::system(REPORT)(Errno::from_raw(errno)))
    }
}

/// How the process `pid` ended, if it has. Never waits.
pub(super) fn reap(pid: Pid) -> Result<Option<Status>, Error> {
    let ended = wait::reap(pid).map_err(Error::system("wait for a child process"))?;
    Ok(ended.map(|ended| match ended {
        Ended::Exited(status) => Status { death: Death::Exited(status), core_dumped: false },
        Ended::Signaled { signal, core_dumped } => Status { death: Death::Signaled(signal), core_dumped },
    }))
}

/// Puts the calling process into the background: returns in the new process only. The one that was called
/// stays until the outcome is known and ends with it.
pub(super) fn detach(program: &OsStr, limit: Option<Duration>) -> Result<Notifier, Error> {
    let watch = SignalWatch::start(&[])?;
    match fork_child()? {
        Side::Child(notifier) => {
            drop(watch);
            setsid().map_err(Error::system("start a new session"))?;
            reset_signals()?;
            Ok(notifier)
        }
        Side::Parent(child) => exit_immediately(foreground(&watch, child, program, limit)),
    }
}

const NOT_DETACHED: &str = "could not detach from foreground session";

/// The foreground process: waits for the outcome and says which exit status tells it.
fn foreground(watch: &SignalWatch, mut child: Child, program: &OsStr, limit: Option<Duration>) -> i32 {
    let until = limit.and_then(|limit| Instant::now().checked_add(limit));
    loop {
        let outcome = watch.wait(child.channel.as_ref(), until).and_then(|wake| match wake {
            Wake::Channel => Ok(None),
            Wake::Signal => watch.next().and_then(|_| reap(child.pid)),
            Wake::Time => {
                Err(Error::StartupTimeout { pid: child.pid.as_raw(), limit: limit.unwrap_or_default() })
            }
        });
        // It may have reported just before it ended, or handed its channel on.
        match outcome.and_then(|ended| Ok((child.is_ready(ended.is_some())?, ended))) {
            Ok((true, _)) => return 0,
            Ok((false, None)) => {}
            Ok((false, Some(status))) => {
                return tell_failure(program, status, child.failure().as_ref(), NOT_DETACHED);
            }
            Err(error) => {
                end(child.pid);
                say(program, &[&error.to_string(), NOT_DETACHED]);
                return 1;
            }
        }
    }
}

/// Tells a child to end, unless it has been waited for: its number may be somebody else's by now. Returns whether it did.
pub(super) fn end(child: Pid) -> bool {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    waitid(Id::Pid(child), flags) != Err(Errno::ECHILD) && kill(child, Signal::SIGTERM).is_ok()
}

/// Says what a child that ended before it was ready could not say itself, and what came of it; the exit status that tells it.
pub(super) fn tell_failure(program: &OsStr, status: Status, failure: Option<&Error>, outcome: &str) -> i32 {
    if let Some(error) = failure {
        say(program, &[&error.to_string()]);
    }
    if let Death::Exited(status @ 1..) = status.death {
        return status;
    }
    say(program, &[&format!("fork child died before signaling startup ({status})"), outcome]);
    1
}

/// Lines on standard error, with nobody else's between them. The logger may lead elsewhere, and this is for the operator's
/// shell.
pub(super) fn say(program: &OsStr, messages: &[&str]) {
    let line = |message: &&str| [program.as_bytes(), b": ", message.as_bytes(), b"\n"].concat();
    let _ = io::stderr().write_all(&messages.iter().flat_map(line).collect::<Vec<u8>>());
}

/// Makes a detached process independent of who started it, as daemon(7) asks: no signal blocked, none
/// ignored. `SIGPIPE` stays ignored where it is: Rust's runtime does that for every program.
fn reset_signals() -> Result<(), Error> {
    let failed = || Error::system("reset the signals");
    for signal in Signal::iterator() {
        let ours = [Signal::SIGKILL, Signal::SIGSTOP, Signal::SIGPIPE].contains(&signal);
        if !ours && disposition(signal).map_err(failed())? == Disposition::Ignored {
            set_default(signal).map_err(failed())?;
        }
    }
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None).map_err(failed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::{CommandExt, ExitStatusExt};
    use std::process::Command;

    /// nix's waitpid fails for it, after having reaped the child.
    #[test]
    fn a_death_by_a_real_time_signal_is_a_death() {
        let mut child = Command::new("sh").args(["-c", "kill -40 $$"]).process_group(0).spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        let waited = waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
        assert!(matches!(waited, Ok(_) | Err(Errno::EINVAL)));
        let status = reap(pid).unwrap().unwrap();
        // Reaped already, which std cannot know.
        assert!(child.wait().is_err());
        assert_eq!(status.death, Death::Signaled(40));
        assert_eq!(status.to_string(), "killed (signal 40)");
    }

    #[test]
    fn only_a_child_that_was_not_waited_for_is_told_to_end() {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        assert!(end(Pid::from_raw(child.id().cast_signed())));
        assert_eq!(child.wait().unwrap().signal(), Some(Signal::SIGTERM as i32));
        // Somebody's, but no child of this process.
        assert!(!end(Pid::parent()));
    }
}
