//! A daemon written by hand, as people write them, with one thing wrong if so asked.
//!
//! It shares no code with the library, so that a fault of the library's cannot hide in both. Its exclusion is
//! a flock(2) on a guard file that is taken before the first fork and inherited by all of its processes.

use super::behaviour::{delay, die_by, pidfile_path, run_until_killed};
use super::by_hand_fork::{Notifier, detach, supervise};
use super::defective::Defect;
use super::names::Outcome;
use crate::sys::fds::inherited;
use crate::sys::fork::{Fork, fork};
use crate::sys::lock::range;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc::{F_UNLCK, F_WRLCK};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{Pid, chdir, close, dup2_stderr, dup2_stdin, dup2_stdout, getpid};
use std::error::Error;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::fd::RawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

/// How long the early exit is early: enough for anyone who looks right after it.
const EARLY: Duration = Duration::from_millis(1000);

const ENDING: [Signal; 3] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP];

#[derive(Debug, Clone, clap::Args)]
pub(super) struct Flags {
    /// Run in the background
    #[arg(long)]
    pub(super) detach: bool,
    /// Create a process that restarts the daemon when it crashes
    #[arg(long)]
    pub(super) monitor: bool,
    /// Create a pidfile [default: RUNDIR/defective.pid]
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    pidfile: Option<Option<PathBuf>>,
    /// Start even if already running
    #[arg(long)]
    overwrite_pidfile: bool,
    /// Do not change the working directory to '/'
    #[arg(long)]
    no_chdir: bool,
    /// Minimum time between restarts
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    pub(super) restart_interval: Duration,
    /// Fail to initialise, with this exit status
    #[arg(long, value_name = "STATUS")]
    fail: Option<i32>,
}

/// The daemon, from its first process to its last.
#[derive(Debug)]
pub(super) struct Daemon {
    pub(super) flags: Flags,
    pub(super) defect: Defect,
    pidfile: Option<PathBuf>,
    /// Locked while any of the processes has it open.
    pub(super) guard: Option<File>,
    /// The process that was started.
    starter: Pid,
    started_without_stderr: bool,
    pub(super) restarts: u32,
}

impl Daemon {
    pub(super) fn new(flags: Flags, defect: Defect) -> Self {
        // Rust's runtime has put /dev/null where a descriptor was closed.
        let stderr = fs::read_link("/proc/self/fd/2");
        let started_without_stderr = stderr.is_ok_and(|target| target == Path::new("/dev/null"));
        let pidfile = pidfile_path(flags.pidfile.as_ref(), "defective");
        Self { flags, defect, pidfile, guard: None, starter: getpid(), started_without_stderr, restarts: 0 }
    }

    pub(super) fn run(mut self) -> Outcome {
        if self.defect == Defect::SigtermLostInStart {
            ENDING.iter().copied().collect::<SigSet>().thread_block()?;
        }
        if self.defect != Defect::LeaksDescriptor {
            close_inherited();
        }
        if let Some(path) = self.pidfile.clone() {
            self.guard = self.lock(&path)?;
        }
        let mut notifier = Notifier::none();
        if self.flags.detach {
            notifier = detach(self.defect)?;
        }
        if self.flags.monitor {
            notifier = supervise(&mut self, notifier)?;
        }
        self.serve(notifier)
    }

    /// Becomes the only instance, or ends the process.
    fn lock(&self, pidfile: &Path) -> Result<Option<File>, Box<dyn Error>> {
        if self.defect == Defect::TruncatesLivePidfile {
            let _ = OpenOptions::new().write(true).truncate(true).open(pidfile);
        }
        if !self.flags.overwrite_pidfile && self.is_stopped_by(pidfile) {
            self.refuse(pidfile);
        }
        if matches!(self.defect, Defect::NotLocked | Defect::LockDropped | Defect::CheckThenCreate) {
            return Ok(None);
        }
        let guard_path = guard_of(pidfile);
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(false).mode(0o600);
        let guard = options.open(&guard_path)?;
        if guard.try_lock().is_ok() {
            if self.defect == Defect::MarkerWhileStarting {
                File::create_new(pidfile.with_extension("starting"))?;
            }
            return Ok(Some(guard));
        }
        if self.flags.overwrite_pidfile && self.defect != Defect::OverwriteRefused {
            fs::remove_file(&guard_path)?;
            let guard = options.open(&guard_path)?;
            guard.try_lock()?;
            return Ok(Some(guard));
        }
        if self.defect == Defect::UnlinksLivePidfile {
            let _ = fs::remove_file(pidfile);
        }
        self.refuse(pidfile)
    }

    /// Whether the daemon takes a pidfile that it finds for a reason not to start. None is: the lock decides.
    fn is_stopped_by(&self, pidfile: &Path) -> bool {
        if self.defect == Defect::LeavesMarker {
            return File::create_new(pidfile.with_extension("marker")).is_err();
        }
        if self.defect == Defect::CheckThenCreate {
            return is_locked(pidfile);
        }
        let Ok(content) = fs::read_to_string(pidfile) else {
            return false;
        };
        match self.defect {
            Defect::StaleRefused => true,
            Defect::EmptyRefused => content.is_empty(),
            Defect::RecycledPidRefused => {
                content.trim().parse().is_ok_and(|pid| kill(Pid::from_raw(pid), None).is_ok())
            }
            _ => false,
        }
    }

    fn refuse(&self, pidfile: &Path) -> ! {
        if self.defect != Defect::SilentRefusal {
            complain(&format!("{}: already running, aborting", pidfile.display()));
        }
        process::exit(if self.defect == Defect::RefusalExits0 { 0 } else { 1 })
    }

    /// The daemon itself.
    fn serve(mut self, mut notifier: Notifier) -> Outcome {
        let fatal: SigSet = ENDING.into_iter().collect();
        fatal.thread_block()?;
        if self.defect == Defect::EarlyExit {
            notifier.ready();
            delay(EARLY);
        }
        if let Some(status) = self.flags.fail {
            self.fail(notifier, "failed to initialise, as it was told", status);
        }
        let pidfile = match self.write_pidfile() {
            Ok(pidfile) => pidfile,
            Err(error) => self.fail(notifier, &format!("failed to create the pidfile: {error}"), 1),
        };
        self.let_go();
        if self.defect == Defect::LeavesWorker && fork() == Ok(Fork::Child) {
            drop((self.guard.take(), pidfile, notifier));
            run_until_killed();
        }
        self.prepare_to_be_ready(&fatal)?;
        notifier.ready();
        let signal = self.wait_for(&fatal);
        self.remove_pidfile();
        die_by(if self.defect == Defect::CrashesOnSigterm { Signal::SIGSEGV } else { signal })
    }

    fn prepare_to_be_ready(&self, fatal: &SigSet) -> Outcome {
        if let (Defect::MarkerWhileStarting, Some(pidfile)) = (self.defect, &self.pidfile) {
            let _ = fs::remove_file(pidfile.with_extension("starting"));
        }
        if self.defect == Defect::SigtermLostInStart {
            let lost = SignalFd::with_flags(fatal, SfdFlags::SFD_NONBLOCK)?;
            while let Ok(Some(_)) = lost.read_signal() {}
        }
        Ok(())
    }

    fn wait_for(&self, fatal: &SigSet) -> Signal {
        let sleeps = self.defect != Defect::RestartNeverSleeps || self.restarts == 0;
        loop {
            match if sleeps { fatal.wait() } else { ask_for(fatal) } {
                Ok(Signal::SIGTERM) if self.defect == Defect::IgnoresSigterm => {}
                Ok(signal) => return signal,
                Err(_) => {}
            }
        }
    }

    fn fail(&self, mut notifier: Notifier, why: &str, status: i32) -> ! {
        if self.defect == Defect::FailureLeavesProcess && fork() == Ok(Fork::Child) {
            drop(notifier);
            run_until_killed();
        }
        if self.defect == Defect::FailureExits0 {
            notifier.ready();
        }
        if self.defect != Defect::SilentFailure {
            complain(why);
        }
        process::exit(status)
    }

    /// Creates the pidfile, complete from its first moment, and returns what holds its lock.
    fn write_pidfile(&self) -> io::Result<Option<File>> {
        let Some(path) = &self.pidfile else {
            return Ok(None);
        };
        let skipped = match self.defect {
            Defect::RestartKeepsPidfile => self.restarts > 0,
            Defect::NoPidfileInForeground => !self.flags.detach,
            _ => false,
        };
        if skipped {
            return Ok(None);
        }
        let temporary = match self.defect {
            Defect::WritesInPlace => path.clone(),
            _ => path.with_extension("temporary"),
        };
        if self.defect == Defect::WritesInPlace && self.flags.overwrite_pidfile {
            let _ = fs::remove_file(path);
        }
        let mut file = File::create(&temporary)?;
        let mode = if self.defect == Defect::WritablePidfile { 0o666 } else { 0o644 };
        file.set_permissions(Permissions::from_mode(mode))?;
        let written = file.write_all(self.content().as_bytes());
        if self.defect != Defect::FullDiskUnnoticed {
            written?;
        }
        if !self.keeps_no_lock() {
            fcntl(&file, FcntlArg::F_SETLK(&range(F_WRLCK, 0, 0)))?;
        }
        if let Err(error) = fs::rename(&temporary, path) {
            let _ = fs::remove_file(&temporary);
            return Err(error);
        }
        if self.defect == Defect::LockDropped {
            // Reading it once more, and closing it: fcntl(2) says what happens then.
            fs::read(path)?;
        }
        Ok(Some(file))
    }

    fn content(&self) -> String {
        let pid = if self.defect == Defect::ParentPid { self.starter } else { getpid() };
        match self.defect {
            Defect::MalformedPidfile => format!("pid {pid}\n"),
            Defect::WritesIntoPidfile if self.started_without_stderr => {
                format!("defective: started\n{pid}\n")
            }
            _ => format!("{pid}\n"),
        }
    }

    fn keeps_no_lock(&self) -> bool {
        match self.defect {
            Defect::NotLocked => true,
            Defect::RestartKeepsNoLock => self.restarts > 0,
            _ => false,
        }
    }

    /// What a detached daemon lets go of.
    fn let_go(&self) {
        if !self.flags.detach {
            return;
        }
        let keeps_directory = match self.defect {
            Defect::KeepsDirectory => true,
            Defect::RestartKeepsDirectory => self.restarts > 0 || self.flags.no_chdir,
            Defect::IgnoresNoChdir => false,
            _ => self.flags.no_chdir,
        };
        if !keeps_directory {
            let _ = chdir("/");
        }
        match self.defect {
            Defect::KeepsStdio => {}
            Defect::ClosesStdio => {
                for fd in 0..3 as RawFd {
                    let _ = close(fd);
                }
            }
            _ => stdio_to_null(),
        }
    }

    /// Removes the pidfile, unless it is another instance's.
    fn remove_pidfile(&self) {
        let Some(path) = &self.pidfile else {
            return;
        };
        let ours = fs::read_to_string(path).is_ok_and(|content| content == self.content());
        let removed = match self.defect {
            Defect::PidfileLeft => false,
            Defect::OverwrittenRemovesPidfile => true,
            Defect::RestartKeepsPidfile => ours || self.restarts > 0,
            _ => ours,
        };
        if removed {
            let _ = fs::remove_file(path);
        }
        if removed && self.defect == Defect::GuardRemoved {
            let _ = fs::remove_file(guard_of(path));
        }
    }

    /// Removes the pidfile of a daemon that could not do it itself.
    pub(super) fn remove_pidfile_of(&self, daemon: Pid) {
        let names = |path: &PathBuf| fs::read_to_string(path).is_ok_and(|text| text == format!("{daemon}\n"));
        if let Some(path) = self.pidfile.as_ref().filter(|path| names(path)) {
            let _ = fs::remove_file(path);
        }
    }
}

/// Waits for a signal without ever sleeping.
fn ask_for(signals: &SigSet) -> nix::Result<Signal> {
    let asked = SignalFd::with_flags(signals, SfdFlags::SFD_NONBLOCK)?;
    loop {
        if let Some(signal) = asked.read_signal()? {
            return Signal::try_from(signal.ssi_signo.cast_signed());
        }
    }
}

/// What contenders lock, which is never deleted.
fn guard_of(pidfile: &Path) -> PathBuf {
    pidfile.with_extension("guard")
}

/// Whether another process has locked the file.
fn is_locked(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let mut lock = range(F_WRLCK, 0, 0);
    fcntl(&file, FcntlArg::F_GETLK(&mut lock)).is_ok() && i32::from(lock.l_type) != F_UNLCK
}

pub(super) fn stdio_to_null() {
    if let Ok(null) = OpenOptions::new().read(true).write(true).open("/dev/null") {
        let _ = (dup2_stdin(&null), dup2_stdout(&null), dup2_stderr(&null));
    }
}

fn complain(message: &str) {
    let _ = io::stderr().write_all(format!("defective: {message}\n").as_bytes());
}

/// Closes what the process inherited, before it has opened anything.
fn close_inherited() {
    for fd in inherited().unwrap_or_default() {
        let _ = close(fd);
    }
}
