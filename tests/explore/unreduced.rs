//! All that a program of the toy can do, found without any reduction: what the search is judged by.

use std::collections::{BTreeSet, HashSet};

use daemonproof::explore::{Event, Order, TaskId, Trace};

use crate::toy::machine::Machine;
use crate::toy::place::Spot;
use crate::toy::program::{CHILDREN, Program};
use crate::toy::state::State;

/// The states in which `machine` can end. `None` if it can come to more than `limit` states on the way.
pub(crate) fn ends(machine: &Machine, limit: usize) -> Option<BTreeSet<State>> {
    let mut ends = BTreeSet::new();
    let mut seen = BTreeSet::from([machine.state.clone()]);
    let mut open = vec![machine.clone()];
    while let Some(at) = open.pop() {
        let enabled = at.enabled();
        if enabled.is_empty() {
            ends.insert(at.state);
            continue;
        }
        for task in enabled {
            let (next, _) = at.after(task);
            if seen.insert(next.state.clone()) {
                open.push(next);
            }
        }
        if seen.len() > limit {
            return None;
        }
    }
    Some(ends)
}

/// The classes of executions of `machine`. `None` if there are more than `limit` classes of beginnings.
pub(crate) fn classes(machine: &Machine, limit: usize) -> Option<HashSet<Class>> {
    let mut ends = HashSet::new();
    let mut seen = HashSet::new();
    let mut open = vec![(machine.clone(), Trace::<Spot>::default())];
    while let Some((at, trace)) = open.pop() {
        let enabled = at.enabled();
        if enabled.is_empty() {
            ends.insert(Order::of(&trace).class());
        }
        for task in &enabled {
            let (next, footprint) = at.after(*task);
            let mut longer = trace.clone();
            let enabled: Vec<_> = enabled.iter().map(|task| TaskId((*task).into())).collect();
            // The order needs to know of the living tasks only who they are.
            let waiting = at.living_but(&enabled);
            longer.events.push(Event { task: TaskId((*task).into()), footprint, enabled, waiting });
            if seen.insert(Order::of(&longer).class()) {
                open.push((next, longer));
            }
        }
        if seen.len() > limit {
            return None;
        }
    }
    Some(ends)
}

pub(crate) type Class = Vec<(TaskId, Vec<(TaskId, usize)>)>;

/// `ends`, each in the form that it has in common with those that differ in interchangeable tasks only.
pub(crate) fn canonical(program: &Program, ends: &BTreeSet<State>) -> BTreeSet<State> {
    let permutations = permutations(program);
    let least = |state: &State| permutations.iter().map(|to| state.renamed(to)).min().unwrap();
    ends.iter().map(least).collect()
}

/// All permutations of interchangeable tasks, each with its children.
fn permutations(program: &Program) -> Vec<Vec<u8>> {
    let class = |task: u8| program.roots[usize::from(task)].class;
    let roots = u8::try_from(program.roots.len()).unwrap();
    let mut all: Vec<Vec<u8>> = vec![Vec::new()];
    for task in 0..roots {
        let fits = |to: &u8| *to == task || (class(task).is_some() && class(*to) == class(task));
        all = (all.iter())
            .flat_map(|some| {
                (0..roots).filter(fits).filter(|to| !some.contains(to)).map(|to| [&some[..], &[to]].concat())
            })
            .collect();
    }
    let children = u8::try_from(CHILDREN).unwrap();
    let with_children = |to: Vec<u8>| {
        let of =
            to.iter().flat_map(|parent| (0..children).map(move |nth| program.child(*parent, nth).unwrap()));
        to.iter().copied().chain(of).collect()
    };
    all.into_iter().map(with_children).collect()
}
