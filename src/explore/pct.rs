//! Probabilistic concurrency testing: random priorities with few changes, which finds bugs of small depth soon.

use super::footprint::Place;
use super::random::Numbers;
use super::strategy::{Divergence, Strategy, Trace};
use super::system::{Choices, TaskId};

/// Runs the enabled task of the highest priority. Priorities are drawn for each execution, and at `depth - 1` random steps
/// the task that would go next falls behind all others.
///
/// If a bug needs `depth` orderings, among `n` tasks that make `k` steps, each execution hits it with a probability of at
/// least `1 / (n * k^(depth - 1))`. The reference is Burckhardt, Kothari, Musuvathi and Nagarakatte, "A randomized scheduler
/// with probabilistic guarantees of finding bugs" (2010). How many steps there are is learnt from the executions.
#[derive(Clone, Debug)]
pub struct Pct {
    numbers: Numbers,
    depth: usize,
    longest: usize,
    /// Higher goes first.
    priorities: Vec<(TaskId, u64)>,
    /// The steps before which a task falls behind.
    changes: Vec<usize>,
    /// The priority of the next that falls behind; below all that were drawn.
    lowest: u64,
}

/// Priorities below this are given to those that fall behind.
const DRAWN_FROM: u64 = 1 << 32;

impl Pct {
    /// A sequence of executions for bugs that need `depth` orderings (1 at least), which `seed` determines.
    #[must_use]
    pub fn new(depth: usize, seed: u64) -> Self {
        let numbers = Numbers::new(seed);
        let (priorities, changes) = (Vec::new(), Vec::new());
        Self { numbers, depth, longest: 0, priorities, changes, lowest: DRAWN_FROM }
    }

    /// The priority of `task`, drawn when it is first asked for.
    fn priority(&mut self, task: TaskId) -> u64 {
        if let Some((_, priority)) = self.priorities.iter().find(|(there, _)| *there == task) {
            return *priority;
        }
        let priority = self.numbers.next() | DRAWN_FROM;
        self.priorities.push((task, priority));
        priority
    }

    fn first(&mut self, enabled: &[TaskId]) -> Option<TaskId> {
        enabled.iter().copied().max_by_key(|task| self.priority(*task))
    }
}

impl<P: Place> Strategy<P> for Pct {
    fn begin(&mut self) -> bool {
        self.priorities.clear();
        self.lowest = DRAWN_FROM;
        let changes = self.depth.saturating_sub(1);
        self.changes = (0..changes).map(|_| self.numbers.below(self.longest)).collect();
        true
    }

    fn choose(&mut self, choices: &Choices<P>, trace: &Trace<P>) -> Result<Option<TaskId>, Divergence> {
        let step = trace.events.len();
        for _ in 0..self.changes.iter().filter(|change| **change == step).count() {
            if let Some(task) = self.first(&choices.enabled) {
                self.lowest -= 1;
                self.priorities.retain(|(there, _)| *there != task);
                self.priorities.push((task, self.lowest));
            }
        }
        Ok(self.first(&choices.enabled))
    }

    fn finish(&mut self, trace: &Trace<P>) {
        self.longest = self.longest.max(trace.events.len());
    }
}
