//! The happens-before order of an execution, as vector clocks.

use super::footprint::{Footprint, Place};
use super::strategy::Trace;
use super::system::TaskId;

/// How many events of each task happened before, the event itself included.
type Clock = Vec<usize>;

/// Which event of an execution happened before which.
///
/// Those of one task are in the order in which it made them, a task's first is after the one that brought it about, and
/// two whose footprints conflict are in the order in which they were executed. Executions with the same order are
/// equivalent: the tasks saw the same and the state at the end is the same.
#[derive(Clone, Debug)]
pub struct Order {
    tasks: Vec<TaskId>,
    clocks: Vec<Clock>,
    /// For each event, the index of its task in `tasks`, and the how manieth event of that task it is, from 1.
    places: Vec<(usize, usize)>,
}

impl Order {
    /// The order of `trace`.
    #[must_use]
    pub fn of<P: Place>(trace: &Trace<P>) -> Self {
        let mut tasks = trace.tasks();
        tasks.sort_unstable();
        tasks.dedup();
        let mut order = Self { tasks, clocks: Vec::new(), places: Vec::new() };
        for (at, event) in trace.events.iter().enumerate() {
            let (_, mut clock) = order.latest(trace, at, event.task, &event.footprint);
            let index = order.tasks.partition_point(|task| *task < event.task);
            clock[index] += 1;
            order.places.push((index, clock[index]));
            order.clocks.push(clock);
        }
        order
    }

    /// Whether event `first` happened before event `second`. No event happened before itself.
    #[must_use]
    pub fn before(&self, first: usize, second: usize) -> bool {
        first != second && self.reached(&self.clocks[second], first)
    }

    /// What is the same for equivalent executions, and for no others: each event's task with its clock.
    #[must_use]
    pub fn class(&self) -> Vec<(TaskId, Vec<(TaskId, usize)>)> {
        let mut class: Vec<_> = (self.clocks.iter().zip(&self.places))
            .map(|(clock, (index, _))| {
                let seen = self.tasks.iter().copied().zip(clock.iter().copied());
                (self.tasks[*index], seen.filter(|(_, count)| *count > 0).collect::<Vec<_>>())
            })
            .collect();
        class.sort_unstable();
        class
    }

    /// For an operation of `task` with `footprint` at position `at`, executed there or only thought of: the conflicting
    /// events of other tasks that no other event stands between, latest first, and all that happened before it.
    pub(super) fn latest<P: Place>(
        &self,
        trace: &Trace<P>,
        at: usize,
        task: TaskId,
        footprint: &Footprint<P>,
    ) -> (Vec<usize>, Clock) {
        let own = trace.events[..at].iter().rposition(|event| event.task == task);
        let origin = (own.map_or(0, |own| own + 1)..at).rev().find(|before| !trace.has(task, *before));
        let mut clock = vec![0; self.tasks.len()];
        for cause in own.into_iter().chain(origin) {
            join(&mut clock, &self.clocks[cause]);
        }
        let mut found = Vec::new();
        for other in (0..at).rev() {
            if !self.reached(&clock, other) && trace.events[other].footprint.conflicts(footprint) {
                found.push(other);
                join(&mut clock, &self.clocks[other]);
            }
        }
        (found, clock)
    }

    fn reached(&self, clock: &Clock, event: usize) -> bool {
        let (index, count) = self.places[event];
        clock[index] >= count
    }
}

fn join(clock: &mut Clock, other: &Clock) {
    for (mine, theirs) in clock.iter_mut().zip(other) {
        *mine = (*mine).max(*theirs);
    }
}
