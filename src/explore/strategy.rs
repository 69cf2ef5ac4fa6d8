//! How a search decides who goes next, and what it is told about the execution.

use super::footprint::{Footprint, Place};
use super::system::{Choices, TaskId};

/// Decides who goes next, in one execution after another.
pub trait Strategy<P: Place> {
    /// Begins an execution. `false`: nothing is left to run.
    fn begin(&mut self) -> bool;

    /// Who goes next, after `trace`; one of the enabled tasks. `None`: none of them, because
    /// there is none, or because the rest of this execution is covered elsewhere.
    ///
    /// # Errors
    ///
    /// This execution should have gone like an earlier one, and did not.
    fn choose(&mut self, choices: &Choices<P>, trace: &Trace<P>) -> Result<Option<TaskId>, Divergence>;

    /// Ends the execution and learns from it.
    fn finish(&mut self, trace: &Trace<P>);

    /// Whether everything that could make a difference has been run.
    fn exhausted(&self) -> bool {
        false
    }
}

/// One execution, or how far it has come.
#[derive(Clone, Debug)]
pub struct Trace<P> {
    /// The steps, in the order in which they were made.
    pub events: Vec<Event<P>>,
    /// Whether the execution came to its end. Otherwise it was pruned: the rest is covered by other executions.
    pub ended: bool,
    /// The tasks that could still make a step at the end; none if the execution came to its end.
    pub enabled: Vec<TaskId>,
    /// The tasks that would block at the end.
    pub waiting: Vec<(TaskId, Footprint<P>)>,
}

impl<P> Default for Trace<P> {
    fn default() -> Self {
        Self { events: Vec::new(), ended: false, enabled: Vec::new(), waiting: Vec::new() }
    }
}

/// One step of a task.
#[derive(Clone, Debug)]
pub struct Event<P> {
    /// Who made it.
    pub task: TaskId,
    /// What it touched.
    pub footprint: Footprint<P>,
    /// Who could have made a step instead.
    pub enabled: Vec<TaskId>,
    /// Who would have blocked then.
    pub waiting: Vec<(TaskId, Footprint<P>)>,
}

impl<P: Place> Trace<P> {
    /// Who made each step.
    #[must_use]
    pub fn tasks(&self) -> Vec<TaskId> {
        self.events.iter().map(|event| event.task).collect()
    }

    /// Who could make step `at`, or, after the last one, another step.
    pub(super) fn enabled_at(&self, at: usize) -> &[TaskId] {
        self.events.get(at).map_or(&self.enabled, |event| &event.enabled)
    }

    /// Who would have blocked before step `at`, or after the last one.
    pub(super) fn waiting_at(&self, at: usize) -> &[(TaskId, Footprint<P>)] {
        self.events.get(at).map_or(&self.waiting, |event| &event.waiting)
    }

    /// What `task` is waiting for before step `at`.
    pub(super) fn wait_of(&self, task: TaskId, at: usize) -> Option<&Footprint<P>> {
        self.waiting_at(at).iter().find(|(waiter, _)| *waiter == task).map(|(_, footprint)| footprint)
    }

    /// Whether `task` is there before step `at`.
    pub(super) fn has(&self, task: TaskId, at: usize) -> bool {
        self.enabled_at(at).contains(&task) || self.wait_of(task, at).is_some()
    }
}

/// The first difference between an execution and the one that it should have repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Divergence {
    /// A task could not make the step that it made before.
    #[error("step {}: task {} cannot go on here; {}", step + 1, task.0, able(enabled))]
    NotEnabled {
        /// The step, from 0.
        step: usize,
        /// Who should have made it.
        task: TaskId,
        /// Who could have made it.
        enabled: Vec<TaskId>,
    },
    /// A task did something else than before.
    #[error("step {}: task {} {found}, and before it {expected}", step + 1, task.0)]
    Footprint {
        /// The step, from 0.
        step: usize,
        /// Who made it.
        task: TaskId,
        /// What it did before, and not now.
        expected: String,
        /// What it did now, and not before.
        found: String,
    },
    /// The schedule is at its end, and the execution is not.
    #[error("the schedule ends after {step} steps, but the execution goes on; {}", able(enabled))]
    GoesOn {
        /// How many steps were made.
        step: usize,
        /// Who can make another.
        enabled: Vec<TaskId>,
    },
}

impl Divergence {
    /// The same with the tasks by their names.
    pub(crate) fn told(&self, name: impl Fn(TaskId) -> String) -> String {
        let able = |enabled: &[TaskId]| match enabled {
            [] => "nobody can".to_owned(),
            tasks => format!(
                "those who can are {}",
                tasks.iter().map(|task| name(*task)).collect::<Vec<_>>().join(", ")
            ),
        };
        match self {
            Divergence::NotEnabled { step, task, enabled } => {
                format!("at step {}, {} cannot go on; {}", step + 1, name(*task), able(enabled))
            }
            Divergence::GoesOn { step, enabled } => {
                format!("after step {step}, the last one, the execution goes on; {}", able(enabled))
            }
            Divergence::Footprint { .. } => self.to_string(),
        }
    }
}

fn able(enabled: &[TaskId]) -> String {
    let names: Vec<_> = enabled.iter().map(|task| task.0.to_string()).collect();
    if names.is_empty() { "no task can".into() } else { format!("able to are: {}", names.join(", ")) }
}
