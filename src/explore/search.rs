//! One execution of a system under a strategy.

use super::strategy::{Divergence, Event, Strategy, Trace};
use super::system::System;

/// Why an execution could not be completed.
#[derive(Debug, thiserror::Error)]
pub enum Failure<E> {
    /// The system failed.
    #[error(transparent)]
    System(#[from] E),
    /// The execution did not repeat an earlier one as it should have: the system is not deterministic, or not the same.
    #[error("the execution diverged from an earlier one at {0}")]
    Diverged(Divergence),
}

/// Runs `system` once, as `strategy` says. `None`: the strategy has nothing left to run.
///
/// After an error, the next call begins the same execution again.
///
/// # Errors
///
/// The system fails, or does not repeat what it did before.
pub fn execute<S: System>(
    system: &mut S,
    strategy: &mut dyn Strategy<S::Place>,
) -> Result<Option<Trace<S::Place>>, Failure<S::Error>> {
    if !strategy.begin() {
        return Ok(None);
    }
    system.restart()?;
    let mut trace = Trace::default();
    loop {
        let mut choices = system.choices()?;
        let fresh =
            choices.enabled.iter().filter(|task| trace.events.iter().all(|event| event.task != **task));
        choices.classes = fresh.filter_map(|task| Some((*task, system.class(*task)?))).collect();
        let Some(task) = strategy.choose(&choices, &trace).map_err(Failure::Diverged)? else {
            trace.ended = choices.enabled.is_empty();
            trace.enabled = choices.enabled;
            trace.waiting = choices.waiting;
            strategy.finish(&trace);
            return Ok(Some(trace));
        };
        let footprint = system.step(task)?;
        trace.events.push(Event { task, footprint, enabled: choices.enabled, waiting: choices.waiting });
    }
}
