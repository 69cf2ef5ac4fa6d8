//! What several helpers can be told to do.

use super::logger::log_to;
use crate::daemon::{Backoff, DaemonArgs, DaemonOptions, RestartOn, RestartPolicy, StandardFd, Startup};
use crate::sys::signal::set_default;
use clap::ValueEnum;
use nix::errno::Errno;
use nix::poll::{PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, raise};
use nix::unistd::pause;
use std::env;
use std::error::Error;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process;
use std::time::{Duration, Instant};

/// The library's options as flags: those of every daemon, and those of its restart policy and output.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct LibraryArgs {
    #[command(flatten)]
    pub(super) daemon: DaemonArgs,
    /// Minimum time between restarts [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    restart_interval: Option<Duration>,
    /// Which deaths of the daemon lead to a restart
    #[arg(long, value_name = "WHICH", default_value = "error-signals")]
    restart_on: RestartWhich,
    /// Let the time between restarts double, up to this
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    backoff_limit: Option<Duration>,
    /// Give up after this many crashes in a row
    #[arg(long, value_name = "CRASHES")]
    give_up_after: Option<u32>,
    /// Set the umask
    #[arg(long, value_name = "OCTAL", value_parser = |text: &str| u32::from_str_radix(text, 8))]
    umask: Option<u32>,
    /// Keep this standard descriptor (0, 1 or 2) when detached
    #[arg(long, value_name = "FD", value_parser = standard_fd)]
    save_fd: Vec<StandardFd>,
    /// Append the standard output to this file when detached
    #[arg(long, value_name = "FILE")]
    stdout: Option<PathBuf>,
    /// Append the standard error to this file when detached
    #[arg(long, value_name = "FILE")]
    stderr: Option<PathBuf>,
    /// Fail if the daemon is not ready after this time
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    startup_timeout: Option<Duration>,
    /// Append the log to this file
    #[arg(long, value_name = "FILE")]
    log_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RestartWhich {
    ErrorSignals,
    Failure,
    Always,
}

fn standard_fd(text: &str) -> Result<StandardFd, String> {
    match text {
        "0" => Ok(StandardFd::Input),
        "1" => Ok(StandardFd::Output),
        "2" => Ok(StandardFd::Error),
        _ => Err("expected 0, 1 or 2".to_owned()),
    }
}

impl LibraryArgs {
    pub(super) fn options(&self, program: &str) -> Result<DaemonOptions, Box<dyn Error>> {
        if let Some(path) = &self.log_file {
            log_to(path).map_err(|error| format!("failed to open {}: {error}", path.display()))?;
        }
        let mut options = self.daemon.options(program).restart(self.policy());
        options = self.save_fd.iter().fold(options, |options, &fd| options.save_fd(fd));
        if let Some(mask) = self.umask {
            options = options.umask(mask);
        }
        if let Some(path) = &self.stdout {
            options = options.stdout(path);
        }
        if let Some(path) = &self.stderr {
            options = options.stderr(path);
        }
        if let Some(limit) = self.startup_timeout {
            options = options.startup_timeout(limit);
        }
        Ok(options)
    }

    fn policy(&self) -> RestartPolicy {
        let mut policy = RestartPolicy::default().on(match self.restart_on {
            RestartWhich::ErrorSignals => RestartOn::ErrorSignals,
            RestartWhich::Failure => RestartOn::Failure,
            RestartWhich::Always => RestartOn::Always,
        });
        if let Some(interval) = self.restart_interval {
            policy = policy.interval(interval);
        }
        if let Some(limit) = self.backoff_limit {
            policy = policy.backoff(Backoff { factor: 2.0, limit });
        }
        if let Some(crashes) = self.give_up_after {
            policy = policy.give_up_after(crashes);
        }
        policy
    }

    pub(super) fn start(&self, program: &str) -> Result<Startup, Box<dyn Error>> {
        Ok(self.options(program)?.start()?)
    }

    /// Starts with these signals blocked, in the foreground from before the pidfile is there: whoever takes that for
    /// the sign that the daemon is ready must not find a moment in which it is not deaf yet. A detached daemon is
    /// ready when its command returns, and begins with no signal blocked.
    pub(super) fn start_deaf(&self, program: &str, signals: SigSet) -> Result<Startup, Box<dyn Error>> {
        if !self.daemon.detach {
            signals.thread_block()?;
        }
        let startup = self.start(program)?;
        signals.thread_block()?;
        Ok(startup)
    }

    /// Starts without the pidfile: up to the moment before it would be created.
    pub(super) fn start_before_pidfile(mut self, program: &str) -> Result<Startup, Box<dyn Error>> {
        self.daemon.pidfile = None;
        self.start(program)
    }
}

/// Where a pidfile that was asked for is, for the helpers that do without the library's.
pub(super) fn pidfile_path(flag: Option<&Option<PathBuf>>, program: &str) -> Option<PathBuf> {
    let rundir = PathBuf::from(env::var_os("RUNDIR").unwrap_or_else(|| "/run".into()));
    let default = || PathBuf::from(format!("{program}.pid"));
    flag.map(|path| rundir.join(path.clone().unwrap_or_else(default)))
}

/// A moment in a daemon's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Moment {
    /// Detached and monitored, before the pidfile is created.
    BeforePidfile,
    /// With the pidfile, before the daemon reports that it is ready.
    BeforeReady,
    /// After it has reported.
    AfterReady,
}

/// Waits for signals, for ever. Their actions end the process.
pub(super) fn run_until_killed() -> ! {
    loop {
        pause();
    }
}

/// Lets this much time pass.
pub(super) fn delay(duration: Duration) {
    let end = Instant::now() + duration;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        let left = PollTimeout::try_from(left.as_nanos().div_ceil(1_000_000));
        let _ = poll(&mut [], left.unwrap_or(PollTimeout::MAX));
    }
}

/// Ends a start that was told to fail.
pub(super) fn fail_startup(program: &str, status: i32) -> ! {
    let message = format!("{program}: failed to initialise, as it was told\n");
    let _ = io::stderr().write_all(message.as_bytes());
    process::exit(status)
}

/// Dies by the signal, whatever its action was; by exit status 1 if the signal does not kill.
pub(super) fn die_by(signal: Signal) -> ! {
    let _ = set_default(signal);
    let mut set = SigSet::empty();
    set.add(signal);
    let _ = set.thread_unblock();
    let _ = raise(signal);
    process::exit(1)
}

/// Adds one to the count in the file and says how many there were before. The count is the file's size.
pub(super) fn count_in(path: &Path) -> Result<u64, Box<dyn Error>> {
    let failed = |error| format!("failed to count in {}: {error}", path.display());
    let mut file = OpenOptions::new().append(true).create(true).open(path).map_err(failed)?;
    let before = file.metadata().map_err(failed)?.size();
    file.write_all(b"x").map_err(failed)?;
    Ok(before)
}

/// `SIGSEGV`, `SEGV` or `11`.
pub(super) fn signal(text: &str) -> Result<Signal, String> {
    let numbered = text.parse().ok().and_then(|number: i32| Signal::try_from(number).ok());
    let named = || text.parse().or_else(|_: Errno| format!("SIG{text}").parse()).ok();
    numbered.or_else(named).ok_or_else(|| format!("no signal {text:?}"))
}
