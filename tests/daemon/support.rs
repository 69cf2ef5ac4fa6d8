//! Starting a helper in one of the four modes, and looking at what became of it.

use std::ffi::OsString;
use std::fs;
use std::os::fd::RawFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use daemonproof::fixture::{CommandLine, FixtureError, NotifySocket, Sandbox, StartOptions, Subject, Waiter};
use daemonproof::observe::{Descriptors, Inode, Pidfile, Process, Target};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

pub(crate) const REFERENCE: &str = env!("CARGO_BIN_EXE_reference");
pub(crate) const CRASH: &str = env!("CARGO_BIN_EXE_crash");
pub(crate) const HANG: &str = env!("CARGO_BIN_EXE_hang");
pub(crate) const SLOW_START: &str = env!("CARGO_BIN_EXE_slow-start");
pub(crate) const PUBLISHED_PROTOCOL: &str = env!("CARGO_BIN_EXE_published-protocol");

/// So long that a test that waits for it fails.
pub(crate) const NEVER: &str = "--restart-interval=1h";
pub(crate) const AT_ONCE: &str = "--restart-interval=0s";

/// How a daemon is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Foreground,
    Monitored,
    Detached,
    DetachedMonitored,
}

impl Mode {
    pub(crate) fn is_detached(self) -> bool {
        matches!(self, Mode::Detached | Mode::DetachedMonitored)
    }

    pub(crate) fn is_monitored(self) -> bool {
        matches!(self, Mode::Monitored | Mode::DetachedMonitored)
    }

    /// Adds the flags, at the end: the program may stand behind a shell.
    pub(crate) fn apply(self, mut command: CommandLine) -> CommandLine {
        if self.is_detached() {
            command = command.arg("--detach");
        }
        if self.is_monitored() {
            command = command.arg("--monitor");
        }
        command
    }
}

pub(crate) fn sandbox() -> Sandbox {
    Sandbox::new().unwrap().timeout(Duration::from_secs(60))
}

/// The program with a pidfile and a log in the sandbox.
pub(crate) fn helper(program: &str) -> CommandLine {
    CommandLine::new(program).arg("--pidfile={pidfile}").arg("--log-file={rundir}/log")
}

/// Has a shell do something before it becomes the program.
pub(crate) fn after_shell(prelude: &str, command: CommandLine) -> CommandLine {
    let script = format!("{prelude}; exec \"$0\" \"$@\"");
    let arguments = [OsString::from("-c"), script.into(), command.program];
    CommandLine { program: "sh".into(), args: arguments.into_iter().chain(command.args).collect(), ..command }
}

/// How a command ended that was to end by itself.
pub(crate) struct Outcome {
    pub(crate) subject: Subject,
    pub(crate) status: ExitStatus,
    pub(crate) stderr: String,
}

/// Runs a command until the foreground process has ended.
pub(crate) fn run(sandbox: &Sandbox, command: CommandLine, options: StartOptions) -> Outcome {
    let subject = sandbox.start(&command, options).unwrap();
    let status = subject.wait_exit(sandbox.deadline()).unwrap();
    let stderr = text(subject.stderr().unwrap());
    Outcome { subject, status, stderr }
}

/// A daemon that has become ready.
pub(crate) struct Running {
    pub(crate) sandbox: Sandbox,
    pub(crate) subject: Subject,
    /// The first daemon.
    pub(crate) daemon: Pid,
    /// The monitor where there is one, else the daemon.
    pub(crate) top: Pid,
}

impl Running {
    pub(crate) fn start(command: CommandLine, mode: Mode) -> Self {
        Self::start_in(&sandbox(), command, mode, StartOptions::new())
    }

    /// Returns once the daemon is ready, as the foreground command or a notification says.
    pub(crate) fn start_in(
        sandbox: &Sandbox,
        command: CommandLine,
        mode: Mode,
        options: StartOptions,
    ) -> Self {
        let command = mode.apply(command);
        let subject = match mode.is_detached() {
            true => start_detached(sandbox, &command, options),
            false => start_in_foreground(sandbox, &command, options),
        };
        let daemon = Pidfile::at(sandbox.pidfile()).pid().expect("a ready daemon has a pidfile");
        let top = if mode.is_monitored() { process(daemon).ppid } else { daemon };
        Running { sandbox: sandbox.clone(), subject, daemon, top }
    }

    pub(crate) fn monitor(&self) -> Process {
        process(self.top)
    }

    pub(crate) fn kill(&self, pid: Pid, signal: Signal) {
        self.subject.signal(pid, signal).unwrap();
    }

    /// Waits until the pidfile names a daemon other than `old`.
    pub(crate) fn next_daemon(&self, old: Pid) -> Pid {
        let next = || Ok(self.pidfile().pid().filter(|&pid| pid != old));
        self.wait_for("another daemon", next)
    }

    /// Kills the daemon by `SIGSEGV` and waits for the next one.
    pub(crate) fn crash(&self, daemon: Pid) -> Pid {
        self.kill(daemon, Signal::SIGSEGV);
        self.next_daemon(daemon)
    }

    pub(crate) fn wait_for<T>(
        &self,
        what: &str,
        condition: impl FnMut() -> Result<Option<T>, FixtureError>,
    ) -> T {
        let waited = self.subject.wait_until(what, self.sandbox.deadline(), condition);
        waited.unwrap_or_else(|error| panic!("{error}; log: {:#?}", self.log()))
    }

    pub(crate) fn wait_for_log(&self, part: &str) {
        let found = || Ok(self.log().iter().any(|line| line.contains(part)).then_some(()));
        self.wait_for(&format!("{part:?} in the log"), found);
    }

    /// Waits until all have ended, and says how the last did.
    pub(crate) fn end(&self) -> ExitStatus {
        let ended = self.subject.wait_empty(self.sandbox.deadline());
        ended.unwrap_or_else(|error| panic!("{error}; log: {:#?}", self.log()));
        self.subject.exit_of(self.top).unwrap()
    }

    pub(crate) fn pidfile(&self) -> Pidfile {
        Pidfile::at(self.sandbox.pidfile())
    }

    pub(crate) fn log(&self) -> Vec<String> {
        lines_of(&self.sandbox.rundir().join("log"))
    }

    pub(crate) fn is_alive(&self, pid: Pid) -> bool {
        self.subject.live_pids().unwrap().contains(&pid)
    }
}

fn start_detached(sandbox: &Sandbox, command: &CommandLine, options: StartOptions) -> Subject {
    let subject = sandbox.start(command, options).unwrap();
    let status = subject.wait_exit(sandbox.deadline()).unwrap();
    assert!(status.success(), "{status}: {}", text(subject.stderr().unwrap()));
    subject
}

fn start_in_foreground(sandbox: &Sandbox, command: &CommandLine, options: StartOptions) -> Subject {
    let socket = NotifySocket::bind(sandbox).unwrap();
    let subject = sandbox.start(command, options.env("NOTIFY_SOCKET", socket.address())).unwrap();
    let ready = || {
        let ended = subject.exit_of(subject.pid());
        assert_eq!(ended, None, "{}", text(subject.stderr().unwrap()));
        Ok::<_, FixtureError>(socket.is_ready().then_some(()))
    };
    let waiter = Waiter::new("READY=1", sandbox.deadline()).notifications(&socket).subject(&subject);
    waiter.until(ready).unwrap();
    subject
}

/// A snapshot of a process that must be there.
pub(crate) fn process(pid: Pid) -> Process {
    Process::of(pid).unwrap().present().unwrap_or_else(|| panic!("pid {pid} is gone"))
}

pub(crate) fn descriptors(pid: Pid) -> Descriptors {
    Descriptors::of(pid).unwrap().present().unwrap_or_else(|| panic!("pid {pid} is gone"))
}

/// What the descriptor leads to; `None` if it is closed.
pub(crate) fn target(pid: Pid, fd: RawFd) -> Option<Target> {
    descriptors(pid).get(fd).map(|descriptor| descriptor.target.clone())
}

/// Whether the descriptor leads to the file that has this name here.
pub(crate) fn is_at(pid: Pid, fd: RawFd, expected: &Path) -> bool {
    let inode = std::fs::metadata(expected).map(|data| Inode::of(&data)).unwrap();
    descriptors(pid).get(fd).is_some_and(|descriptor| descriptor.inode == Some(inode))
}

/// The file and its number of starts, as the helper `crash` counts them.
pub(crate) fn count_file(sandbox: &Sandbox) -> PathBuf {
    sandbox.rundir().join("count")
}

pub(crate) fn count(sandbox: &Sandbox) -> u64 {
    fs::metadata(count_file(sandbox)).map_or(0, |metadata| metadata.len())
}

pub(crate) fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

pub(crate) fn lines_of(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

pub(crate) fn killed_by(status: ExitStatus) -> Option<Signal> {
    status.signal().map(|number| Signal::try_from(number).unwrap())
}
