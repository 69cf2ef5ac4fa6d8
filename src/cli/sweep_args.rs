//! What may be typed after `crash` and `fault`.

use super::args::{OutputArgs, SubjectArgs, duration};
use super::race_args::ContendArgs;
use crate::explore::schedule::ScenarioKind;
use clap::Args;
use nix::errno::Errno;
use nix::sys::signal::Signal;
use std::num::NonZeroUsize;
use std::time::Duration;

/// Kill a daemon at each operation of its start
///
/// Starts COMMAND under the explorer and kills all of its processes, once before each system call that another process could
/// notice, and once when it is up. Each time COMMAND is then started again, which must come up and own the pidfile. With
/// --signal SIGTERM it must end instead, and leave nothing. The program is not changed.
///
/// In COMMAND and in --env these are replaced: {pidfile}, the pidfile in that directory; {rundir}, the directory;
/// {N}, the number of the instance, from 1. Write {{N}} to pass {N} on.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status: 0 nothing went wrong, 1 something did, 2 usage, 3 could not judge: not permitted to trace, never ready,
or interrupted.

Examples:
  daemonproof crash -- mydaemon --pidfile={pidfile}
  daemonproof crash --signal SIGTERM --detach=--daemon -- mydaemon --pidfile={pidfile}
  daemonproof crash --at 12 -- mydaemon --pidfile={pidfile}")]
pub(super) struct CrashArgs {
    #[command(flatten)]
    pub(super) sweep: SweepArgs,
    /// What it gets: SIGKILL or SIGTERM
    #[arg(long, value_name = "SIGNAL", default_value = "SIGKILL", value_parser = signal)]
    pub(super) signal: Signal,
}

/// Make each operation of a daemon's start fail
///
/// Starts COMMAND under the explorer and has one system call fail, once each of those that another process could notice or
/// that make one, and for each error that it can give there: ENOSPC, EIO, EACCES, EMFILE, ENFILE, EINTR, EAGAIN, ENOMEM, EROFS, ENOLCK. Each
/// time the daemon must come up and be right, or COMMAND fail, say something, and leave no process and no file.
///
/// In COMMAND and in --env these are replaced: {pidfile}, the pidfile in that directory; {rundir}, the directory;
/// {N}, the number of the instance, from 1. Write {{N}} to pass {N} on.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status: 0 nothing went wrong, 1 something did, 2 usage, 3 could not judge: not permitted to trace, never ready,
or interrupted.

Examples:
  daemonproof fault -- mydaemon --pidfile={pidfile}
  daemonproof fault --detach=--daemon --monitor=--watch -- mydaemon --pidfile={pidfile}
  daemonproof fault --at 12 --errno ENOSPC -- mydaemon --pidfile={pidfile}")]
pub(super) struct FaultArgs {
    #[command(flatten)]
    pub(super) sweep: SweepArgs,
    /// Only this error
    #[arg(long, value_name = "E", value_parser = errno)]
    pub(super) errno: Option<Errno>,
}

/// What is started, and where it is disturbed.
#[derive(Debug, Args)]
pub(super) struct SweepArgs {
    #[command(flatten)]
    pub(super) subject: SubjectArgs,
    /// Begin with a stale pidfile
    #[arg(long)]
    pub(super) stale: bool,
    /// Detach it with this argument (--detach=--daemon); empty if it does so by itself (--detach=)
    #[arg(long, value_name = "ARG")]
    pub(super) detach: Option<String>,
    /// Have it monitored with this argument; empty if it is so by itself
    #[arg(long, value_name = "ARG")]
    pub(super) monitor: Option<String>,
    /// Start it while another instance runs, with this argument
    #[arg(long, value_name = "ARG", conflicts_with = "stale")]
    pub(super) overwrite: Option<String>,
    /// For how long a task may compute, or sleep in an unknown call, until it is given up
    #[arg(long, value_name = "DUR", default_value = "2s", value_parser = duration)]
    pub(super) timeout: Duration,
    /// Only at this operation, counted from 1
    #[arg(long, value_name = "K")]
    pub(super) at: Option<NonZeroUsize>,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

impl SweepArgs {
    /// The same as two contenders, of which the second is started when the first is gone.
    pub(super) fn contend(&self) -> ContendArgs {
        ContendArgs {
            subject: self.subject.clone(),
            scenario: if self.stale { ScenarioKind::Stale } else { ScenarioKind::Start },
            contenders: 2,
            detach: self.detach.clone(),
            monitor: self.monitor.clone(),
            overwrite: self.overwrite.clone(),
            timeout: self.timeout,
        }
    }
}

fn signal(text: &str) -> Result<Signal, String> {
    match text.trim_start_matches("SIG") {
        "KILL" => Ok(Signal::SIGKILL),
        "TERM" => Ok(Signal::SIGTERM),
        _ => Err("a start is swept with SIGKILL or SIGTERM".to_owned()),
    }
}

/// The errors that calls of a start can give are among these numbers.
const NUMBERS: std::ops::RangeInclusive<i32> = 1..=133;

fn errno(text: &str) -> Result<Errno, String> {
    let mut all = NUMBERS.map(Errno::from_raw);
    all.find(|errno| format!("{errno:?}") == text).ok_or_else(|| "not an error such as ENOSPC".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_and_signals_have_their_names() {
        assert_eq!((errno("ENOSPC"), errno("EIO")), (Ok(Errno::ENOSPC), Ok(Errno::EIO)));
        assert!(errno("28").is_err() && errno("enospc").is_err());
        assert_eq!((signal("SIGTERM"), signal("KILL")), (Ok(Signal::SIGTERM), Ok(Signal::SIGKILL)));
        assert!(signal("SIGUSR1").is_err());
    }
}
