//! Searches and sweeps of the daemon, for the families that look at moments which no clock hits.

use super::driving::{Driving, Mode};
use super::lab::Lab;
use super::outcome::{No, cannot_tell, does_not_apply};
use crate::explore::explore;
use crate::explore::request::{RaceOutcome, RaceRequest, StrategyKind};
use crate::explore::schedule::{ScenarioKind, Setup};
use crate::explore::sweep::{Blow, Case, HarmKind, SweepRequest, sweep};
use std::ffi::{OsStr, OsString};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// For how long a task may compute, or sleep in an unknown call.
const PATIENCE: Duration = Duration::from_secs(2);

/// All disturbed starts of one kind.
#[derive(Debug, Default)]
pub(super) struct Swept {
    cases: Vec<(Mode, Case)>,
    /// Why there are not more.
    unfinished: Option<String>,
}

impl Driving {
    /// The modes in which it is swept, the usual one first.
    fn modes_to_sweep(&self) -> Vec<Mode> {
        match self.deep {
            true => self.modes(self.usual()),
            false => vec![self.usual()],
        }
    }

    /// The modes in which it is raced: in the foreground, where fewer processes have fewer orders.
    pub(super) fn modes_to_race(&self) -> Vec<Mode> {
        let first = self.in_foreground().unwrap_or_else(|_| self.usual());
        match self.deep {
            true => self.modes(first),
            false => vec![first],
        }
    }

    /// All modes that there are, this one first.
    fn modes(&self, first: Mode) -> Vec<Mode> {
        let foreground = self.in_foreground().ok();
        let detached = self.detached().ok();
        let monitored = self.monitor.as_ref().map(|_| Mode { monitored: true, ..Mode::FOREGROUND });
        let monitored = monitored.filter(|_| foreground.is_some());
        let others = [foreground, detached, monitored, self.monitored().ok()].into_iter().flatten();
        let mut modes = vec![first];
        for mode in others {
            if !modes.contains(&mode) {
                modes.push(mode);
            }
        }
        modes
    }

    fn setup(&self, mode: Mode, scenario: ScenarioKind, contenders: usize) -> Result<Setup, No> {
        let command = &self.command;
        let stays = self.foreground.as_ref().filter(|argument| !mode.detached && !argument.is_empty());
        let words = [&command.program].into_iter().chain(&command.args).chain(stays);
        let pair =
            |(name, value): &(OsString, OsString)| -> Result<_, No> { Ok((text(name)?, text(value)?)) };
        let switch =
            |on: bool, argument: &Option<OsString>| argument.as_deref().filter(|_| on).map(text).transpose();
        Ok(Setup {
            command: words.map(|word| text(word)).collect::<Result<_, _>>()?,
            arg0: command.arg0.as_deref().map(text).transpose()?,
            pidfile: "d.pid".to_owned(),
            scenario,
            contenders,
            env: command.env.iter().map(pair).collect::<Result<_, _>>()?,
            detach: switch(mode.detached, &self.detach)?,
            monitor: switch(mode.monitored, &self.monitor)?,
            overwrite: None,
            timeout_ms: u64::try_from(PATIENCE.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

fn text(word: &OsStr) -> Result<String, No> {
    match word.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => {
            does_not_apply(format!("{} is not UTF-8, and could not be shown in a schedule", word.display()))
        }
    }
}

impl Lab<'_> {
    /// That something could not be run to the end matters only to somebody who has asked for all of it.
    pub(super) fn not_explored<T>(&self, why: impl std::fmt::Display) -> Result<T, No> {
        match self.driving.deep {
            true => cannot_tell(why.to_string()),
            false => does_not_apply(why.to_string()),
        }
    }

    pub(super) fn cannot_follow<T>(&self, error: impl std::fmt::Display) -> Result<T, No> {
        self.not_explored(format!("it cannot be followed call by call: {error}"))
    }

    pub(super) fn unfinished(&self, done: &str) -> String {
        let longer = if self.driving.deep { "" } else { "; --deep goes on" };
        format!("{done} in {:?}{longer}", self.driving.search_limit())
    }

    /// Runs several starts in every order, as far as there is time, until one of the invariants is broken.
    pub(super) fn race(
        &self,
        mode: Mode,
        scenario: ScenarioKind,
        contenders: usize,
        invariants: &[&str],
    ) -> Result<RaceOutcome, No> {
        let request = RaceRequest {
            setup: self.driving.setup(mode, scenario, contenders)?,
            strategy: StrategyKind::Exhaustive,
            seed: 1,
            max_executions: None,
            max_time: Some(self.driving.search_limit()),
            jobs: std::thread::available_parallelism().map_or(1, Into::into),
            shard: None,
            stop_on_first: true,
            only: invariants.iter().map(|name| (*name).to_owned()).collect(),
            save: None,
        };
        explore(&request, &mut |_| ControlFlow::Continue(())).or_else(|error| self.cannot_follow(error))
    }

    /// Disturbs a start at each of its operations, as far as there is time.
    pub(super) fn swept(&self, blow: Blow) -> Result<&Swept, No> {
        self.usual()?;
        let index = match blow {
            Blow::Kill => 0,
            Blow::Terminate => 1,
            Blow::Fail => 2,
        };
        self.swept[index].get_or_init(|| self.sweep(blow)).as_ref().map_err(Clone::clone)
    }

    fn sweep(&self, blow: Blow) -> Result<Swept, No> {
        let mut swept = Swept::default();
        let scenarios: &[ScenarioKind] = match self.driving.deep {
            true => &[ScenarioKind::Start, ScenarioKind::Stale],
            false => &[ScenarioKind::Start],
        };
        for mode in self.driving.modes_to_sweep() {
            for &scenario in scenarios {
                let setup = self.driving.setup(mode, scenario, 1)?;
                let request = SweepRequest { setup, blow, at: None, errno: None };
                let (began, limit) = (Instant::now(), self.driving.search_limit());
                let mut reached = String::new();
                let mut report = |done: usize, all: usize| {
                    reached = format!("{done} of {all} operations were reached");
                    began.elapsed() < limit
                };
                let outcome = sweep(&request, &self.sandbox()?, &mut report);
                let outcome = outcome.or_else(|error| self.cannot_follow(error))?;
                swept.cases.extend(outcome.cases.into_iter().map(|case| (mode, case)));
                if outcome.stopped.is_some() {
                    swept.unfinished.get_or_insert(self.unfinished(&reached));
                }
            }
        }
        Ok(swept)
    }
}

impl Swept {
    /// The first case with such a harm, in words.
    pub(super) fn harm(&self, kinds: &[HarmKind]) -> Option<String> {
        let is_one =
            |case: &&(Mode, Case)| case.1.broken.as_ref().is_some_and(|harm| kinds.contains(&harm.kind));
        let (mode, case) = self.cases.iter().find(is_one)?;
        let others = self.cases.iter().filter(is_one).count() - 1;
        let others = match others {
            0 => String::new(),
            1 => " (and in 1 other case)".to_owned(),
            others => format!(" (and in {others} other cases)"),
        };
        Some(format!("{}, at operation {case}{others}", mode.name()))
    }

    pub(super) fn unfinished(&self) -> Option<&str> {
        self.unfinished.as_deref()
    }
}
