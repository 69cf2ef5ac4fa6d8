//! What may be typed after `race` and `replay`.

use super::args::{DrawnArgs, OutputArgs, SubjectArgs, duration};
use crate::explore::request::{Shard, StrategyKind};
use crate::explore::schedule::ScenarioKind;
use clap::Args;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

/// Search the interleavings of several starts of a daemon
///
/// Starts COMMAND several times in a private directory and runs one system call of one of them at a time, in every
/// order that could make a difference, until an invariant is broken or nothing is left to try. The program is not
/// changed. Each violation is saved as a schedule, which `daemonproof replay` runs again.
///
/// In COMMAND and in --env these are replaced: {pidfile}, the pidfile in that directory; {rundir}, the directory;
/// {N}, the number of the instance, from 1. Write {{N}} to pass {N} on.
///
/// A daemon is raced in the foreground unless --detach says how it is detached.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status: 0 every order was run and all invariants hold, 1 an invariant is broken, 2 usage, 3 could not judge:
not permitted to trace, never ready, or a limit was reached.

Examples:
  daemonproof race -- mydaemon --pidfile={pidfile}
  daemonproof race --scenario handover --contenders 3 -- mydaemon --pidfile={pidfile}
  daemonproof race --detach=--daemon --monitor=--watch -- mydaemon --pidfile={pidfile}
  daemonproof race --profile ovsdb-server --scenario stale --strategy pct --max-time 5m
  daemonproof race --contenders 4 --shard 1/3 --json part1.json -- mydaemon --pidfile={pidfile}")]
pub(super) struct RaceArgs {
    #[command(flatten)]
    pub(super) contend: ContendArgs,
    #[command(flatten)]
    pub(super) search: SearchArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// What contends.
#[derive(Debug, Args)]
#[command(next_help_heading = "What contends")]
pub(super) struct ContendArgs {
    #[command(flatten)]
    pub(super) subject: SubjectArgs,
    /// What happens
    #[arg(long, value_enum, default_value_t)]
    pub(super) scenario: ScenarioKind,
    /// How many instances, all counted; at most 8
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=8))]
    pub(super) contenders: u8,
    /// Detach each instance with this argument (--detach=--daemon); empty if it does so by itself (--detach=)
    #[arg(long, value_name = "ARG")]
    pub(super) detach: Option<String>,
    /// Have each instance monitored with this argument; empty if it is so by itself
    #[arg(long, value_name = "ARG")]
    pub(super) monitor: Option<String>,
    /// Start the last instance with this argument, which lets it start although another one is running
    #[arg(long, value_name = "ARG")]
    pub(super) overwrite: Option<String>,
    /// For how long a task may compute, or sleep in an unknown call, until the search gives up
    #[arg(long, value_name = "DUR", default_value = "2s", value_parser = duration)]
    pub(super) timeout: Duration,
}

/// How it is searched.
#[derive(Debug, Args)]
#[command(next_help_heading = "How it is searched")]
pub(super) struct SearchArgs {
    /// Which orders are run
    #[arg(long, value_enum, default_value_t)]
    pub(super) strategy: StrategyKind,
    /// Stop after so many executions; for pct and random 1000 unless there is a limit
    #[arg(long, value_name = "N")]
    pub(super) max_executions: Option<NonZeroU64>,
    /// Stop after so long, for instance 90s or 5m
    #[arg(long, value_name = "DUR", value_parser = duration)]
    pub(super) max_time: Option<Duration>,
    /// Begin chance here, for pct and random [default: 1]
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Run so many executions at the same time [default: one a processor]
    #[arg(long, value_name = "N")]
    pub(super) jobs: Option<NonZeroUsize>,
    /// Search part I of N equal parts, on several machines for instance
    #[arg(long, value_name = "I/N")]
    pub(super) shard: Option<Shard>,
    /// Stop at the first violation
    #[arg(long)]
    pub(super) stop_on_first: bool,
    /// Save the schedules of violations in this directory, which is created if there is any
    #[arg(long, value_name = "DIR", default_value = "violations")]
    pub(super) save: PathBuf,
}

/// Run a saved schedule again
///
/// The same operations in the same order. Another program of the same name may take another course: the first
/// difference is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status: 0 no invariant is broken now, 1 one is broken, 2 usage, or FILE is not a schedule, 3 it took another
course, or could not be run.")]
pub(super) struct ReplayArgs {
    #[command(flatten)]
    pub(super) drawn: DrawnArgs,
}
