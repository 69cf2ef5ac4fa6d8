//! The search over real processes, from a request to an outcome.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::error::ExploreError;
use super::exhaustive::{Exhaustive, Reduction};
use super::explain;
use super::judge::{Broken, INVARIANTS, NO_LITTER};
use super::lab::{Lab, Scene};
use super::pct::Pct;
use super::place::Thing;
use super::race::Invariant;
use super::random::Random;
use super::request::{
    Progress, RaceOutcome, RaceRequest, ReplayOutcome, Report, StrategyKind, Violation, time_is_up,
};
use super::scene::{prepare, with_sockets_if_needed};
use super::schedule::Schedule;
use super::search::execute;
use super::strategy::{Strategy, Trace};
use crate::fixture::Sandbox;

/// How many changes of priority, plus one, the strategy `pct` makes: most races need fewer.
const PCT_DEPTH: usize = 3;

/// The invariants that somebody has added.
pub(super) type Added = [(String, Box<Invariant>)];

/// What all workers of one search share.
struct Search<'a> {
    request: &'a RaceRequest,
    added: &'a Added,
    began: Instant,
    tally: Mutex<Tally>,
    over: AtomicBool,
}

/// What was found so far.
#[derive(Default)]
struct Tally {
    executions: u64,
    pruned: u64,
    operations: u64,
    depth: usize,
    endings: BTreeSet<String>,
    found: Vec<Found>,
    stopped: Option<String>,
}

/// An invariant that is broken, and the execution that broke it first.
struct Found {
    broken: Broken,
    executions: u64,
    first_execution: u64,
    trace: Trace<Thing>,
}

/// Searches as `request` says. `report` is told how far it is, and may break it off.
pub(super) fn explore(
    request: &RaceRequest,
    sandbox: &Sandbox,
    added: &Added,
    report: &mut Report<'_>,
) -> Result<RaceOutcome, ExploreError> {
    let is_known =
        |name: &&String| INVARIANTS.contains(&name.as_str()) || added.iter().any(|(added, _)| added == *name);
    if let Some(name) = request.only.iter().find(|name| !is_known(name)) {
        return Err(ExploreError::NoInvariant { name: name.clone() });
    }
    with_sockets_if_needed(|sockets| explored(request, sandbox, added, report, sockets))
}

fn explored(
    request: &RaceRequest,
    sandbox: &Sandbox,
    added: &Added,
    report: &mut Report<'_>,
    sockets: bool,
) -> Result<RaceOutcome, ExploreError> {
    let began = Instant::now();
    let scene = prepare(&request.setup, sandbox, sockets)?;
    let search = Search { request, added, began, tally: Mutex::default(), over: AtomicBool::new(false) };
    let strategy = match request.shard {
        Some(shard) => Exhaustive::part(Reduction::FULL, shard.index() - 1, shard.count()),
        None => Exhaustive::new(Reduction::FULL),
    };
    let exhausted = search.run(&strategy, &scene, report)?;
    let tally = search.tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut outcome = RaceOutcome {
        exhausted: exhausted && tally.stopped.is_none(),
        stopped: tally.stopped,
        executions: tally.executions,
        pruned: tally.pruned,
        operations: tally.operations,
        outcomes: tally.endings.len() as u64,
        elapsed: began.elapsed(),
        violations: Vec::new(),
    };
    let mut lab = Lab::new(scene)?;
    for Found { broken, executions, first_execution, trace } in tally.found {
        let written = explain::schedule(&mut lab, &trace, &broken.invariant, &request.setup, added);
        let mut schedule = match written {
            Err(error) if error.is_limit() => explain::empty(&request.setup),
            written => written?,
        };
        // If the program does not do the same again, what was found stands.
        schedule.broken.get_or_insert(broken.into());
        let file = request.save.as_ref().map(|directory| schedule.save_in(directory)).transpose()?;
        outcome.violations.push(Violation { executions, first_execution, schedule, file });
    }
    Ok(outcome)
}

/// Runs a saved schedule once more, exactly.
pub(super) fn replay(schedule: &Schedule, sandbox: &Sandbox) -> Result<ReplayOutcome, ExploreError> {
    // A schedule does not say whether sockets were followed when it was found, and they are operations if they were.
    match replayed(schedule, sandbox, false) {
        Err(ExploreError::Connects) => replayed(schedule, sandbox, true),
        Ok(outcome) if outcome.diverged.is_some() => {
            let followed = replayed(schedule, sandbox, true)?;
            Ok(if followed.diverged.is_none() { followed } else { outcome })
        }
        other => other,
    }
}

fn replayed(schedule: &Schedule, sandbox: &Sandbox, sockets: bool) -> Result<ReplayOutcome, ExploreError> {
    let began = Instant::now();
    let mut lab = Lab::new(prepare(&schedule.setup, sandbox, sockets)?)?;
    let (schedule, diverged) = explain::replay(&mut lab, schedule)?;
    Ok(ReplayOutcome { schedule, diverged, elapsed: began.elapsed() })
}

impl Search<'_> {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs every worker to the end; whether everything was covered.
    fn run(
        &self,
        strategy: &Exhaustive<Thing>,
        scene: &Scene,
        report: &mut Report<'_>,
    ) -> Result<bool, ExploreError> {
        // The parts of a search meet the same subtrees in the same order only if one worker meets them.
        let alone = self.request.shard.is_some() && self.request.strategy == StrategyKind::Exhaustive;
        let others = if alone { 0 } else { self.request.jobs.max(1) - 1 };
        // Who fails stops the others.
        let stop = |_: &ExploreError| self.over.store(true, Ordering::Relaxed);
        let help = |number: usize| {
            // The same scene in a sandbox of its own.
            let sandbox = Sandbox::new()?;
            let own = prepare(&self.request.setup, &sandbox, scene.sockets)?;
            let scene = Scene { names: scene.names.clone(), ..own };
            self.work(self.strategy(strategy, number).as_mut(), scene, &mut |_| ControlFlow::Continue(()))
        };
        let help = &help;
        std::thread::scope(|scope| {
            let start = |number: usize| scope.spawn(move || help(number).inspect_err(stop));
            let helpers: Vec<_> = (1..=others).map(start).collect();
            let own = self.work(self.strategy(strategy, 0).as_mut(), scene.clone(), report);
            let mut exhausted = own.inspect_err(stop)?;
            for helper in helpers {
                exhausted &= helper.join().unwrap_or(Ok(false))?;
            }
            Ok(exhausted)
        })
    }

    /// The strategy of one worker; by chance, each begins elsewhere.
    fn strategy(&self, shared: &Exhaustive<Thing>, number: usize) -> Box<dyn Strategy<Thing>> {
        let shard = self.request.shard.map_or(0, |shard| u64::from(shard.index()));
        let seed = self.request.seed.wrapping_add(number as u64).wrapping_add(shard << 32);
        match self.request.strategy {
            StrategyKind::Exhaustive => Box::new(shared.clone()),
            StrategyKind::Pct => Box::new(Pct::new(PCT_DEPTH, seed)),
            StrategyKind::Random => Box::new(Random::new(seed)),
        }
    }

    /// Runs executions until nothing is left; whether everything was covered.
    fn work(
        &self,
        strategy: &mut dyn Strategy<Thing>,
        scene: Scene,
        report: &mut Report<'_>,
    ) -> Result<bool, ExploreError> {
        let mut lab = Lab::new(scene)?;
        while !self.over.load(Ordering::Relaxed) {
            if let Some(limit) = self.limit_reached() {
                self.stop(limit);
                break;
            }
            match execute(&mut lab, strategy).map_err(ExploreError::from) {
                Ok(Some(trace)) => self.take(&mut lab, &trace),
                Ok(None) => break,
                Err(error) if error.is_limit() => self.stop(error.to_string()),
                Err(error) => return Err(error),
            }
            let progress = self.progress();
            if report(progress).is_break() {
                self.stop("interrupted".into());
            }
            if self.request.stop_on_first && progress.violations > 0 {
                self.over.store(true, Ordering::Relaxed);
            }
        }
        Ok(strategy.exhausted())
    }

    fn stop(&self, reason: String) {
        self.over.store(true, Ordering::Relaxed);
        self.tally().stopped.get_or_insert(reason);
    }

    fn progress(&self) -> Progress {
        let tally = self.tally();
        Progress { executions: tally.executions, depth: tally.depth, violations: tally.found.len() }
    }

    fn limit_reached(&self) -> Option<String> {
        if let Some(limit) = self.request.max_executions.filter(|limit| self.tally().executions >= *limit) {
            return Some(format!("the limit of {limit} executions was reached"));
        }
        time_is_up(self.began, self.request.max_time)
    }

    fn take(&self, lab: &mut Lab, trace: &Trace<Thing>) {
        let (mut broken, mut ending) = (Vec::new(), None);
        if trace.ended {
            let outcomes = lab.outcomes();
            broken = lab.judge_end(&outcomes, self.added);
            ending = Some(lab.ending(&outcomes));
        }
        // What lies about in the end depends on how the execution ended, so once for each ending is enough.
        let is_new = ending.as_ref().is_some_and(|ending| !self.tally().endings.contains(ending));
        if is_new && self.request.judges(NO_LITTER) {
            broken.extend(lab.litter());
        }
        broken.retain(|broken| self.request.judges(&broken.invariant));
        let mut tally = self.tally();
        tally.executions += 1;
        tally.pruned += u64::from(!trace.ended);
        tally.operations += trace.events.len() as u64;
        tally.depth = trace.events.len();
        tally.endings.extend(ending);
        for broken in broken {
            tally.add(broken, trace);
        }
    }
}

impl Tally {
    fn add(&mut self, broken: Broken, trace: &Trace<Thing>) {
        if let Some(known) = self.found.iter_mut().find(|known| known.broken.invariant == broken.invariant) {
            known.executions += 1;
            return;
        }
        let first_execution = self.executions;
        self.found.push(Found { broken, executions: 1, first_execution, trace: trace.clone() });
    }
}
