//! Runs one given schedule.

use super::footprint::Place;
use super::strategy::{Divergence, Strategy, Trace};
use super::system::{Choices, TaskId};

/// Runs a schedule once.
#[derive(Clone, Debug)]
pub struct Replay {
    schedule: Vec<TaskId>,
    /// How many steps must go exactly as scheduled.
    exact: usize,
    /// How many steps of the schedule have been made or, where that is allowed, skipped.
    next: usize,
    begun: bool,
}

impl Replay {
    /// Runs `schedule` exactly. If a task cannot make its step, or the execution goes on beyond the schedule, that is an
    /// error.
    #[must_use]
    pub fn exactly(schedule: Vec<TaskId>) -> Self {
        Self { exact: usize::MAX, ..Self::guided(schedule, 0) }
    }

    /// Runs the first `exact` steps of `schedule` exactly and follows the rest as far as possible: tasks that cannot go on
    /// are passed over, and beyond the schedule each task goes on as long as it can.
    #[must_use]
    pub fn guided(schedule: Vec<TaskId>, exact: usize) -> Self {
        Self { schedule, exact, next: 0, begun: false }
    }
}

impl<P: Place> Strategy<P> for Replay {
    fn begin(&mut self) -> bool {
        !std::mem::replace(&mut self.begun, true)
    }

    fn choose(&mut self, choices: &Choices<P>, trace: &Trace<P>) -> Result<Option<TaskId>, Divergence> {
        let step = trace.events.len();
        while let Some(task) = self.schedule.get(self.next).copied() {
            self.next += 1;
            if choices.enabled.contains(&task) {
                return Ok(Some(task));
            }
            if step < self.exact {
                return Err(Divergence::NotEnabled { step, task, enabled: choices.enabled.clone() });
            }
        }
        if self.exact == usize::MAX && !choices.enabled.is_empty() {
            return Err(Divergence::GoesOn { step, enabled: choices.enabled.clone() });
        }
        let last = trace.events.last().map(|event| event.task).filter(|task| choices.enabled.contains(task));
        Ok(last.or_else(|| choices.enabled.first().copied()))
    }

    fn finish(&mut self, _: &Trace<P>) {}
}
