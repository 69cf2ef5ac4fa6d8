//! Searches and sweeps of the daemon, for the families that look at moments which no clock hits.

use super::driving::{Driving, Mode};
use super::lab::Lab;
use super::outcome::{No, cannot_tell, does_not_apply};
use crate::explore::Race;
use crate::explore::request::Violation;
use crate::explore::schedule::ScenarioKind;
use crate::explore::sweep::{Blow, Case, HarmKind, Sweep};

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
        let ways = Vec::from_iter([self.in_foreground(), self.detached()].into_iter().flatten());
        let watched = ways.iter().filter(|_| self.monitor.is_some());
        let watched = watched.map(|way| Mode { monitored: true, ..*way });
        let others = ways.iter().copied().chain(watched).filter(|mode| *mode != first);
        std::iter::once(first).chain(others).collect()
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

    fn cannot_follow<T>(&self, error: impl std::fmt::Display) -> Result<T, No> {
        self.not_explored(format!("it cannot be followed call by call: {error}"))
    }

    fn unfinished(&self, done: &str) -> String {
        let longer = if self.driving.deep { "" } else { "; --deep goes on" };
        format!("{done} in {:?}{longer}", self.driving.search_limit())
    }

    /// The daemon in this mode, to be explored for as long as there is time.
    fn to_explore(&self, mode: Mode) -> Result<Race, No> {
        let race = Race::new(self.sandbox()?, self.driving.command_in(mode));
        Ok(race.max_time(self.driving.search_limit()))
    }

    /// Runs several starts in every order, until one of the invariants is broken: which, and how.
    pub(super) fn race(
        &self,
        mode: Mode,
        scenario: ScenarioKind,
        contenders: usize,
        invariants: &[&str],
    ) -> Result<Option<Violation>, No> {
        let cores = std::thread::available_parallelism().map_or(1, Into::into);
        let race =
            self.to_explore(mode)?.scenario(scenario).contenders(contenders).jobs(cores).stop_on_first(true);
        let race = invariants.iter().fold(race, |race, name| race.only(*name));
        let outcome = race.try_explore().or_else(|error| self.cannot_follow(error))?.outcome;
        if outcome.exhausted || !outcome.violations.is_empty() {
            return Ok(outcome.violations.into_iter().next());
        }
        if outcome.elapsed < self.driving.search_limit() {
            return self.cannot_follow(outcome.stopped.unwrap_or_default());
        }
        let (orders, mode) = (outcome.executions, mode.name());
        let done = format!("{orders} orders were run {mode}, none of them wrong, and there are more");
        self.not_explored(self.unfinished(&done))
    }

    /// Disturbs a start at each of its operations, as far as there is time.
    pub(super) fn swept(&self, blow: Blow) -> Result<&Swept, No> {
        self.usual()?;
        self.swept[blow as usize].get_or_init(|| self.sweep(blow)).as_ref().map_err(Clone::clone)
    }

    fn sweep(&self, blow: Blow) -> Result<Swept, No> {
        let mut swept = Swept::default();
        let scenarios: &[ScenarioKind] = match self.driving.deep {
            true => &[ScenarioKind::Start, ScenarioKind::Stale],
            false => &[ScenarioKind::Start],
        };
        for mode in self.driving.modes_to_sweep() {
            for &scenario in scenarios {
                swept.add(self, mode, self.to_explore(mode)?.scenario(scenario).sweep(blow))?;
            }
            if let Some(overwrite) = self.driving.overwrite.as_ref().filter(|_| self.driving.deep) {
                swept.add(self, mode, self.to_explore(mode)?.overwrite(overwrite).sweep(blow))?;
            }
        }
        Ok(swept)
    }
}

impl Swept {
    fn add(&mut self, lab: &Lab<'_>, mode: Mode, sweep: Sweep) -> Result<(), No> {
        let outcome = sweep.try_run().or_else(|error| lab.cannot_follow(error))?;
        let done = outcome.cases.last().map_or(0, |case| case.at);
        self.cases.extend(outcome.cases.into_iter().map(|case| (mode, case)));
        if let Some(why) = outcome.stopped {
            let done = format!("{done} of {} operations were reached", outcome.operations);
            let is_time = outcome.elapsed >= lab.driving.search_limit();
            let unfinished = if is_time { lab.unfinished(&done) } else { format!("{done}: {why}") };
            self.unfinished.get_or_insert(unfinished);
        }
        Ok(())
    }

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
