//! Races of an execution, and how each is turned round.

use super::footprint::{Footprint, Place};
use super::order::Order;
use super::strategy::Trace;
use super::system::TaskId;

/// A race turned round: after the first `at` steps of the execution, `sequence`, which the earlier operation of the race
/// has no part in, and then `last` in its place.
#[derive(Clone, Debug)]
pub(super) struct Reversal<P> {
    /// The earlier event of the race, before which the execution takes another way.
    pub(super) at: usize,
    /// The later event. `None`: an operation that has not been executed.
    pub(super) second: Option<usize>,
    pub(super) sequence: Vec<(TaskId, Footprint<P>)>,
    pub(super) last: TaskId,
    /// Tasks of `sequence` that can make their first step of it first of all.
    pub(super) initials: Vec<TaskId>,
    /// Whether `last` can too, as far as can be told: what it touches without the earlier operation is not known.
    pub(super) last_is_initial: bool,
}

impl<P: Place> Reversal<P> {
    /// Whether an operation with `footprint`, executed in place of the earlier one, leaves `sequence` as it is.
    pub(super) fn commutes(&self, footprint: &Footprint<P>) -> bool {
        self.sequence.iter().all(|(_, other)| !other.conflicts(footprint))
    }

    /// Who is left to run once `first` has made its step.
    pub(super) fn without(&self, first: TaskId) -> Vec<TaskId> {
        let mut tasks: Vec<_> = self.sequence.iter().map(|(task, _)| *task).chain([self.last]).collect();
        if let Some(at) = tasks.iter().position(|task| *task == first) {
            tasks.remove(at);
        }
        tasks
    }
}

/// An operation that is looked at: executed as event `at`, or thought of at that position.
struct Probe<'a, P> {
    at: usize,
    task: TaskId,
    footprint: &'a Footprint<P>,
    executed: bool,
}

/// The races of which the later operation stands at event `from` or after it.
pub(super) fn reversals<P: Place>(trace: &Trace<P>, order: &Order, from: usize) -> Vec<Reversal<P>> {
    let mut found = Vec::new();
    for at in from..=trace.events.len() {
        if let Some(event) = trace.events.get(at) {
            let probe = Probe { at, task: event.task, footprint: &event.footprint, executed: true };
            races(trace, order, &probe, &mut found);
        }
        if at > from {
            for (task, footprint) in trace.waiting_at(at).iter().filter(|wait| new_wait(trace, at, wait)) {
                races(trace, order, &Probe { at, task: *task, footprint, executed: false }, &mut found);
            }
            found.extend(vanished(trace, at));
        }
    }
    found
}

/// Whether the step before `at` has to do with this wait. Other positions add nothing.
fn new_wait<P: Place>(trace: &Trace<P>, at: usize, (task, footprint): &(TaskId, Footprint<P>)) -> bool {
    let before = &trace.events[at - 1];
    before.task == *task
        || trace.wait_of(*task, at - 1) != Some(footprint)
        || before.footprint.conflicts(footprint)
}

/// Tasks that the step before `at` did away with: their operations could have come first.
fn vanished<P: Place>(trace: &Trace<P>, at: usize) -> impl Iterator<Item = Reversal<P>> {
    let before = &trace.events[at - 1];
    let gone = before.enabled.iter().filter(move |task| **task != before.task && !trace.has(**task, at));
    gone.map(move |task| Reversal {
        at: at - 1,
        second: None,
        sequence: Vec::new(),
        last: *task,
        initials: Vec::new(),
        last_is_initial: true,
    })
}

fn races<P: Place>(trace: &Trace<P>, order: &Order, probe: &Probe<P>, found: &mut Vec<Reversal<P>>) {
    let (latest, _) = order.latest(trace, probe.at, probe.task, probe.footprint);
    found.extend(latest.into_iter().filter_map(|first| reversal(trace, order, first, probe)));
}

/// The race of event `first` with `probe` turned round, if it can be.
fn reversal<P: Place>(
    trace: &Trace<P>,
    order: &Order,
    first: usize,
    probe: &Probe<P>,
) -> Option<Reversal<P>> {
    // The operation itself, or what the task did in place of one that was only thought of.
    let own = |event: usize| event >= probe.at && trace.events[event].task == probe.task;
    let second = (probe.at..trace.events.len()).find(|event| own(*event));
    let keeps = |event: &usize| {
        let follows = |other: usize| *event == other || order.before(other, *event);
        !follows(first) && !second.is_some_and(follows)
    };
    let kept: Vec<_> = (first + 1..trace.events.len()).filter(keeps).collect();
    let footprint = |event: usize| &trace.events[event].footprint;
    let moved_on = kept.iter().any(|event| trace.events[*event].task == probe.task);
    if !moved_on && let Some(wait) = trace.wait_of(probe.task, first) {
        // It was waiting before `first` already, and nothing that is kept could have let it go on.
        if !kept.iter().any(|event| footprint(*event).conflicts(wait)) {
            return None;
        }
    }
    let is_initial = |event: &usize| !kept.iter().any(|other| order.before(*other, *event));
    let initials =
        kept.iter().filter(|event| is_initial(event)).map(|event| trace.events[*event].task).collect();
    let last_is_initial = !moved_on
        && trace.enabled_at(first).contains(&probe.task)
        && !kept.iter().any(|event| footprint(*event).conflicts(probe.footprint));
    Some(Reversal {
        at: first,
        second: probe.executed.then_some(probe.at),
        sequence: kept.iter().map(|event| (trace.events[*event].task, footprint(*event).clone())).collect(),
        last: probe.task,
        initials,
        last_is_initial,
    })
}
