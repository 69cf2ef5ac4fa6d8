//! A search of a program of the toy.

use std::collections::BTreeSet;

use daemonproof::explore::{Exhaustive, Reduction, Strategy, Trace, execute};

use crate::toy::machine::Machine;
use crate::toy::place::Spot;
use crate::toy::state::State;

/// What a search has found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) ends: BTreeSet<State>,
    pub(crate) executions: usize,
    /// How many of them were given up, because the rest was covered elsewhere.
    pub(crate) pruned: usize,
}

/// Searches until nothing is left. `None` if that takes more than `limit` executions.
pub(crate) fn search_within(machine: &mut Machine, reduction: Reduction, limit: usize) -> Option<Found> {
    run(machine, &mut Exhaustive::new(reduction), limit, &mut |_| ())
}

/// Runs `strategy` until nothing is left, and shows each execution that came to its end. `None` if that takes more than
/// `limit` executions.
pub(crate) fn run(
    machine: &mut Machine,
    strategy: &mut impl Strategy<Spot>,
    limit: usize,
    show: &mut dyn FnMut(&Trace<Spot>),
) -> Option<Found> {
    let mut found = Found::default();
    while let Some(trace) = execute(machine, strategy).unwrap() {
        found.executions += 1;
        if trace.ended {
            found.ends.insert(machine.state.clone());
            show(&trace);
        } else {
            found.pruned += 1;
        }
        if found.executions > limit {
            return None;
        }
    }
    assert!(strategy.exhausted());
    Some(found)
}
