//! What is asked of the explorer, and what it answers.

use super::schedule::{Schedule, Setup};
use std::fmt;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// A search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaceRequest {
    /// What contends.
    pub setup: Setup,
    /// In which order the executions are run.
    pub strategy: StrategyKind,
    /// Where chance begins, for the strategies that have any.
    pub seed: u64,
    /// The search ends after so many executions.
    pub max_executions: Option<u64>,
    /// The search ends after so long.
    pub max_time: Option<Duration>,
    /// How many executions are run at the same time, each on a core of its own.
    pub jobs: usize,
    /// Which part of the search this is, if it is not all of it.
    pub shard: Option<Shard>,
    /// The search ends at the first violation.
    pub stop_on_first: bool,
    /// The names of the invariants that are judged; all, if there is none.
    pub only: Vec<String>,
    /// Where the schedules of violations are saved, created if need be.
    pub save: Option<PathBuf>,
}

/// One execution, once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayRequest {
    /// The execution as it was.
    pub schedule: Schedule,
}

/// In which order the executions are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, clap::ValueEnum)]
pub enum StrategyKind {
    /// Every order that could make a difference
    #[default]
    Exhaustive,
    /// Random priorities with a few changes: finds bugs that need few of them soon, with a known probability
    Pct,
    /// Any order
    Random,
}

/// One of equal parts, numbered from 1. Written `1/4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shard {
    index: u32,
    count: u32,
}

/// How far a search is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Executions that are over.
    pub executions: u64,
    /// Operations of the last execution.
    pub depth: usize,
    /// Violations so far, each counted once however often it was met.
    pub violations: usize,
}

/// Is told how far a search is, and says whether it should go on.
pub type Report<'a> = dyn FnMut(Progress) -> ControlFlow<()> + 'a;

/// What came of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaceOutcome {
    /// Whether every order that could make a difference was run.
    pub exhausted: bool,
    /// Why it was not: `the limit of 1000 executions was reached`, `interrupted`.
    pub stopped: Option<String>,
    /// All executions, pruned ones counted.
    pub executions: u64,
    /// Those of them that were given up because another one covers them.
    pub pruned: u64,
    /// The operations of all executions.
    pub operations: u64,
    /// Distinct final states.
    pub outcomes: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// Each violation once, in the order in which they were met.
    pub violations: Vec<Violation>,
}

/// A broken invariant, with the schedule that shows it best.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// In how many executions it was broken.
    pub executions: u64,
    /// In which one first, counted from 1.
    pub first_execution: u64,
    /// The execution, minimised; it says what is broken.
    pub schedule: Schedule,
    /// Where that is saved.
    pub file: Option<PathBuf>,
}

/// What came of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayOutcome {
    /// The execution as it is now, as far as it went; it says what is broken, if anything is.
    pub schedule: Schedule,
    /// Where and how it differs from the one that was saved, if it does.
    pub diverged: Option<String>,
    /// How long it took.
    pub elapsed: Duration,
}

/// That the time is up, if it is limited and so much has passed.
pub(super) fn time_is_up(began: Instant, limit: Option<Duration>) -> Option<String> {
    let limit = limit.filter(|limit| began.elapsed() >= *limit)?;
    Some(format!("the time limit of {limit:?} was reached"))
}

impl RaceRequest {
    /// Whether the invariant of this name is judged.
    pub(crate) fn judges(&self, invariant: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == invariant)
    }
}

impl StrategyKind {
    /// The name by which it is asked for.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exhaustive => "exhaustive",
            Self::Pct => "pct",
            Self::Random => "random",
        }
    }
}

impl Shard {
    /// Part `index` of `count`, from 1; `None` if there is no such part.
    ///
    /// ```
    /// use daemonproof::explore::request::Shard;
    ///
    /// assert_eq!("2/4".parse(), Ok(Shard::new(2, 4).unwrap()));
    /// assert_eq!(Shard::new(5, 4), None);
    /// ```
    pub fn new(index: u32, count: u32) -> Option<Self> {
        (1..=count).contains(&index).then_some(Self { index, count })
    }

    /// Which part, from 1.
    pub fn index(self) -> u32 {
        self.index
    }

    /// Of how many.
    pub fn count(self) -> u32 {
        self.count
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/');
        let numbers = parts.and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        let shard = numbers.and_then(|(index, count)| Self::new(index, count));
        shard.ok_or_else(|| "expected I/N with I from 1 to N, for instance 1/4".to_owned())
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_a_part_that_exists() {
        assert_eq!("4/4".parse::<Shard>().map(|shard| shard.to_string()), Ok("4/4".to_owned()));
        for wrong in ["", "/", "1", "0/4", "5/4", "0/0", "-1/4", "1/4/4", "1/x", "1/99999999999"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
