//! What a check finds.

use super::catalogue::Check;
use crate::fixture::FixtureError;
use crate::observe::ObserveError;
use std::time::Duration;

/// How a check ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The promise is kept.
    Pass,
    /// It is broken: what was seen.
    Fail(String),
    /// It does not apply to this daemon: why.
    Skip(String),
    /// It could not be judged: why.
    Unknown(String),
}

impl Outcome {
    /// What was seen, or why nothing was; empty for a promise that is kept.
    pub fn detail(&self) -> &str {
        match self {
            Self::Pass => "",
            Self::Fail(detail) | Self::Skip(detail) | Self::Unknown(detail) => detail,
        }
    }
}

/// The outcome of one check.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The check.
    pub check: &'static Check,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took, the runs that it was the first to need included.
    pub elapsed: Duration,
}

/// All that was found about one daemon.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// One for each check, in the order in which they were asked for.
    pub findings: Vec<Finding>,
}

/// What the findings amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every promise that applies is kept.
    Holds,
    /// At least one promise is broken.
    Violated,
    /// None is broken, but at least one could not be judged, or none applies.
    Inconclusive,
}

impl Report {
    /// What the findings amount to.
    pub fn verdict(&self) -> Verdict {
        let any = |is: fn(&Outcome) -> bool| self.findings.iter().any(|finding| is(&finding.outcome));
        if any(|outcome| matches!(outcome, Outcome::Fail(_))) {
            Verdict::Violated
        } else if any(|outcome| matches!(outcome, Outcome::Unknown(_)))
            || !any(|outcome| matches!(outcome, Outcome::Pass))
        {
            Verdict::Inconclusive
        } else {
            Verdict::Holds
        }
    }
}

/// Why a check does not end with "kept".
#[derive(Debug, Clone)]
pub(super) enum No {
    Broken(String),
    DoesNotApply(String),
    CannotTell(String),
}

/// Why a check of what is peculiar to one program does not apply.
pub(super) const UNDECLARED: &str = "only judged if a profile declares it";

/// What a check function returns.
pub(super) type Judgement = Result<(), No>;

pub(super) fn broken<T>(what: impl Into<String>) -> Result<T, No> {
    Err(No::Broken(what.into()))
}

pub(super) fn does_not_apply<T>(why: impl Into<String>) -> Result<T, No> {
    Err(No::DoesNotApply(why.into()))
}

pub(super) fn cannot_tell<T>(why: impl Into<String>) -> Result<T, No> {
    Err(No::CannotTell(why.into()))
}

impl From<FixtureError> for No {
    fn from(error: FixtureError) -> Self {
        Self::CannotTell(error.to_string())
    }
}

impl From<ObserveError> for No {
    fn from(error: ObserveError) -> Self {
        Self::CannotTell(error.to_string())
    }
}

impl From<Judgement> for Outcome {
    fn from(judgement: Judgement) -> Self {
        match judgement {
            Ok(()) => Self::Pass,
            Err(No::Broken(what)) => Self::Fail(what),
            Err(No::DoesNotApply(why)) => Self::Skip(why),
            Err(No::CannotTell(why)) => Self::Unknown(why),
        }
    }
}
