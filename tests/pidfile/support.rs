//! Starting daemons, and what must be so once they run, are refused or are gone.

use crate::skipped::skipped;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use daemonproof::daemon::{PidfileProblem, read_pidfile};
use daemonproof::fixture::{CommandLine, FixtureError, Sandbox, StartOptions, Subject, Waiter};
use daemonproof::observe::{LockKind, Process, locks_on};
use nix::sys::signal::Signal;
use nix::unistd::{Pid, Uid};

pub(crate) const REFERENCE: &str = env!("CARGO_BIN_EXE_reference");
pub(crate) const HANG: &str = env!("CARGO_BIN_EXE_hang");
pub(crate) const SLOW_START: &str = env!("CARGO_BIN_EXE_slow-start");

/// The ways to run a daemon, as flags.
pub(crate) const FOREGROUND: &[&str] = &[];
pub(crate) const DETACHED: &[&str] = &["--detach"];
pub(crate) const MONITORED: &[&str] = &["--monitor"];
pub(crate) const BOTH: &[&str] = &["--detach", "--monitor"];
pub(crate) const MODES: [&[&str]; 4] = [FOREGROUND, DETACHED, MONITORED, BOTH];

/// An empty place, with a deadline that only a broken promise reaches.
pub(crate) fn sandbox() -> Sandbox {
    Sandbox::new().unwrap().timeout(Duration::from_secs(60))
}

/// `program`, told to have its pidfile where the sandbox says.
pub(crate) fn command(program: &str, flags: &[&str]) -> CommandLine {
    CommandLine::new(program).arg("--pidfile={pidfile}").args(flags)
}

pub(crate) fn reference(flags: &[&str]) -> CommandLine {
    command(REFERENCE, flags)
}

pub(crate) fn spawn(sandbox: &Sandbox, command: &CommandLine) -> Subject {
    sandbox.start(command, StartOptions::new()).unwrap()
}

/// A daemon that owns the pidfile.
pub(crate) struct Running {
    pub(crate) subject: Subject,
    pub(crate) pid: Pid,
}

/// Starts it, and waits until it owns the sandbox's pidfile; if it detaches, until it is ready.
#[track_caller]
pub(crate) fn start(sandbox: &Sandbox, command: &CommandLine) -> Running {
    start_with(sandbox, command, StartOptions::new())
}

#[track_caller]
pub(crate) fn start_with(sandbox: &Sandbox, command: &CommandLine, options: StartOptions) -> Running {
    let subject = sandbox.start(command, options).unwrap();
    if command.args.iter().any(|arg| arg == "--detach") {
        let status = subject.wait_exit(sandbox.deadline()).unwrap();
        assert!(status.success(), "{status}: {}", errors(&subject));
    }
    let pid = own_pid(sandbox, &subject);
    Running { subject, pid }
}

/// The owner of the sandbox's pidfile, once it is a process of `subject`.
#[track_caller]
pub(crate) fn own_pid(sandbox: &Sandbox, subject: &Subject) -> Pid {
    subject
        .wait_until("the pidfile to be owned by the new daemon", sandbox.deadline(), || {
            let owner = owner(&sandbox.pidfile()).filter(|pid| subject.live_pids().unwrap().contains(pid));
            let failed = subject.exit_of(subject.pid()).is_some_and(|status| status.code() == Some(1));
            assert!(owner.is_some() || !failed, "the start failed: {}", errors(subject));
            Ok::<_, FixtureError>(owner)
        })
        .unwrap()
}

impl Running {
    pub(crate) fn is_alive(&self) -> bool {
        self.subject.live_pids().unwrap().contains(&self.pid)
    }

    /// The process above the daemon that belongs to it as well.
    pub(crate) fn monitor(&self) -> Pid {
        let pids = self.subject.live_pids().unwrap();
        let comm = |pid: &Pid| Process::of(*pid).unwrap().present().unwrap().comm;
        pids.into_iter().find(|pid| comm(pid) == "monitor").expect("there is a monitor")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.subject.signal(self.pid, signal).unwrap();
    }

    /// Signals the daemon and waits until all of its processes are gone.
    #[track_caller]
    pub(crate) fn end_by(&self, sandbox: &Sandbox, signal: Signal) {
        self.signal(signal);
        self.subject.wait_empty(sandbox.deadline()).unwrap();
    }

    #[track_caller]
    pub(crate) fn stop(&self, sandbox: &Sandbox) {
        self.end_by(sandbox, Signal::SIGTERM);
    }
}

/// Who owns the pidfile, if anybody does.
pub(crate) fn owner(pidfile: &Path) -> Option<Pid> {
    read_pidfile(pidfile).ok().map(Pid::from_raw)
}

pub(crate) fn errors(subject: &Subject) -> String {
    String::from_utf8_lossy(&subject.stderr().unwrap()).into_owned()
}

/// Starts what must fail with exit status 1 and leave no process; returns what it says.
#[track_caller]
pub(crate) fn fails(sandbox: &Sandbox, command: &CommandLine) -> String {
    fails_with(sandbox, command, StartOptions::new())
}

#[track_caller]
pub(crate) fn fails_with(sandbox: &Sandbox, command: &CommandLine, options: StartOptions) -> String {
    let subject = sandbox.start(command, options).unwrap();
    let status = subject.wait_exit(sandbox.deadline()).unwrap();
    let said = errors(&subject);
    assert_eq!(status.code(), Some(1), "{status}: {said:?}");
    subject.wait_empty(sandbox.deadline()).unwrap();
    said
}

/// Starts what must fail because `owner` owns the pidfile, which must stay as it is.
#[track_caller]
pub(crate) fn is_refused(sandbox: &Sandbox, command: &CommandLine, owner: Pid) {
    let before = facts(&sandbox.pidfile());
    let said = fails(sandbox, command);
    let path = sandbox.pidfile();
    let expected = format!("{}: already running as pid {owner}, aborting", path.display());
    assert!(said.contains(&expected), "{said:?} is not {expected:?}");
    assert_eq!(facts(&path), before, "a refused start touched the pidfile");
}

/// Which file it is, its mode and content; nothing if it is missing. Opens it, so the locks that this
/// process has on it are lost.
pub(crate) fn facts(path: &Path) -> Option<(u64, u32, u32, Vec<u8>)> {
    let file = fs::symlink_metadata(path).ok()?;
    let content = if file.is_file() { fs::read(path).unwrap_or_default() } else { Vec::new() };
    Some((file.ino(), file.mode(), file.uid(), content))
}

/// What must be so of the pidfile of a running daemon.
#[track_caller]
pub(crate) fn assert_owns(path: &Path, pid: Pid) {
    assert_eq!(read_pidfile(path).unwrap(), pid.as_raw());
    assert_eq!(fs::read_to_string(path).unwrap(), format!("{pid}\n"));
    let locks = locks_on(path, &[pid]).unwrap();
    let [held] = locks[..] else { panic!("not one lock: {locks:?}") };
    assert!(held.lock.is_write() && held.lock.kind == LockKind::Posix, "{held:?}");
}

#[track_caller]
pub(crate) fn assert_missing(path: &Path) {
    let problem = read_pidfile(path).unwrap_err().problem;
    assert_eq!(problem, PidfileProblem::Missing, "{}", path.display());
}

/// The sandbox's guard.
pub(crate) fn guard(sandbox: &Sandbox) -> PathBuf {
    sandbox.rundir().join(".daemon.pid.lock")
}

/// Nothing but the guard, if that.
#[track_caller]
pub(crate) fn assert_clean(sandbox: &Sandbox) {
    let mut litter = sandbox.litter().unwrap();
    litter.retain(|name| name != ".daemon.pid.lock");
    assert_eq!(litter, [] as [OsString; 0]);
}

/// Waits until the file has this text in it.
#[track_caller]
pub(crate) fn wait_for_text(sandbox: &Sandbox, subject: &Subject, file: &Path, text: &str) {
    let has = || {
        let found = fs::read_to_string(file).unwrap_or_default();
        Ok::<_, FixtureError>(found.contains(text).then_some(()))
    };
    subject.wait_until(format!("{text:?} in {}", file.display()), sandbox.deadline(), has).unwrap();
}

#[track_caller]
pub(crate) fn wait_missing(sandbox: &Sandbox, path: &Path) {
    let gone = || Ok::<_, FixtureError>((!path.exists()).then_some(()));
    Waiter::new(format!("{} to be gone", path.display()), sandbox.deadline())
        .sandbox(sandbox)
        .until(gone)
        .unwrap();
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Whether the test may go on; says that it is skipped if not.
pub(crate) fn is_root() -> bool {
    let root = Uid::effective().is_root();
    if !root {
        skip("only root can do this");
    }
    root
}

/// Whether the command works here; says that the test is skipped if not.
pub(crate) fn can(program: &str, args: &[&str]) -> bool {
    let output = Command::new(program).args(args).output();
    let works = output.as_ref().is_ok_and(|output| output.status.success());
    if !works {
        skip(&format!("{program} {args:?} does not work here: {output:?}"));
    }
    works
}

fn skip(why: &str) {
    skipped(std::thread::current().name().unwrap_or("a test"), why);
}

/// `command` run by an ordinary user: as it is, or through setpriv(1) if this process is root.
pub(crate) fn as_ordinary_user(command: CommandLine) -> CommandLine {
    if !Uid::effective().is_root() {
        return command;
    }
    let mut args: Vec<OsString> = vec!["--reuid=65534".into(), "--regid=65534".into()];
    args.extend(["--clear-groups".into(), "--".into(), command.program.clone()]);
    args.extend(command.args.iter().cloned());
    CommandLine { program: "setpriv".into(), arg0: None, args, env: command.env }
}
