//! Schedules that a person can read: few context switches, and what one reordering changes.

use std::collections::HashMap;

use super::footprint::Place;
use super::order::Order;
use super::reversal::reversals;
use super::strategy::Trace;
use super::system::TaskId;

/// How many states are kept after each run of one task. With more, the result may have a switch too many.
const WIDTH: usize = 2_048;

/// A schedule equivalent to `trace` with as few context switches as possible.
///
/// Each task does and sees the same as in `trace`, and the state at the end is the same. States on the way need not be:
/// if it matters what was so at one moment, run the schedule and look again.
#[must_use]
pub fn fewest_switches<P: Place>(trace: &Trace<P>) -> Vec<TaskId> {
    let lanes = Lanes::of(trace);
    let mut level = vec![Progress { done: vec![0; lanes.tasks.len()], runs: Vec::new() }];
    loop {
        if let Some(end) = level.iter().find(|progress| progress.steps() == trace.events.len()) {
            return lanes.schedule(end);
        }
        // To run a task as far as it can go never costs a switch, so these are all that need to be looked at.
        let mut next: HashMap<Vec<usize>, Progress> = HashMap::new();
        for progress in &level {
            for longer in lanes.continued(progress) {
                next.entry(longer.done.clone()).or_insert(longer);
            }
        }
        level = next.into_values().collect();
        level.sort_by(|a, b| (b.steps(), &a.done).cmp(&(a.steps(), &b.done)));
        level.truncate(WIDTH);
        if level.is_empty() {
            return trace.tasks();
        }
    }
}

/// How far each task has come, and by which runs.
#[derive(Clone, Debug)]
struct Progress {
    done: Vec<usize>,
    /// A task's index, and how many steps it made.
    runs: Vec<(usize, usize)>,
}

impl Progress {
    fn steps(&self) -> usize {
        self.done.iter().sum()
    }
}

/// The events of each task, each with how many events of each task have to come before it.
struct Lanes {
    tasks: Vec<TaskId>,
    needs: Vec<Vec<Vec<usize>>>,
}

impl Lanes {
    fn of<P: Place>(trace: &Trace<P>) -> Self {
        let order = Order::of(trace);
        let mut tasks = trace.tasks();
        tasks.sort_unstable();
        tasks.dedup();
        let mut needs = vec![Vec::new(); tasks.len()];
        for (at, event) in trace.events.iter().enumerate() {
            let before = |task: &TaskId| {
                let earlier = trace.events[..at].iter().enumerate();
                earlier.filter(|(other, e)| e.task == *task && order.before(*other, at)).count()
            };
            let lane = tasks.partition_point(|task| *task < event.task);
            needs[lane].push(tasks.iter().map(before).collect());
        }
        Self { tasks, needs }
    }

    /// `progress` with one more run, of each task that can make one.
    fn continued<'a>(&'a self, progress: &'a Progress) -> impl Iterator<Item = Progress> + 'a {
        (0..self.tasks.len()).filter_map(|lane| {
            let rest = self.needs[lane][progress.done[lane]..].iter();
            let ready = |needs: &&Vec<usize>| {
                let others = needs.iter().zip(&progress.done).enumerate();
                others.filter(|(other, _)| *other != lane).all(|(_, (need, done))| need <= done)
            };
            let steps = rest.take_while(ready).count();
            let mut longer = progress.clone();
            longer.done[lane] += steps;
            longer.runs.push((lane, steps));
            (steps > 0).then_some(longer)
        })
    }

    fn schedule(&self, progress: &Progress) -> Vec<TaskId> {
        let runs = progress.runs.iter();
        runs.flat_map(|(lane, steps)| std::iter::repeat_n(self.tasks[*lane], *steps)).collect()
    }
}

/// Two operations that race, with a schedule in which they come the other way round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flip {
    /// The operation that came first, as an index into the events.
    pub first: usize,
    /// The one that comes first in `schedule`.
    pub second: usize,
    /// The schedule. What follows on the two operations may turn out otherwise: run it with
    /// [`Replay::guided`](super::Replay::guided).
    pub schedule: Vec<TaskId>,
    /// How many steps of `schedule` are sure to be possible: those before the operation that now comes first.
    pub sure: usize,
}

/// The races of `trace`: pairs of conflicting operations that nothing else orders, latest first, each turned round.
#[must_use]
pub fn flips<P: Place>(trace: &Trace<P>) -> Vec<Flip> {
    let (tasks, order) = (trace.tasks(), Order::of(trace));
    let races = reversals(trace, &order, 0).into_iter();
    let mut found: Vec<_> = races
        .filter_map(|reversal| {
            let (first, second) = (reversal.at, reversal.second?);
            let (behind, ahead): (Vec<_>, Vec<_>) =
                (first + 1..second).partition(|event| order.before(first, *event));
            let turned = (0..first).chain(ahead).chain([second, first]).chain(behind);
            let schedule = turned.chain(second + 1..tasks.len()).map(|event| tasks[event]).collect();
            Some(Flip { first, second, schedule, sure: first + reversal.sequence.len() })
        })
        .collect();
    found.sort_by_key(|flip| std::cmp::Reverse((flip.first, flip.second)));
    found
}
