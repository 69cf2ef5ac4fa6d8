//! The toy as a system to be searched.

use std::convert::Infallible;
use std::sync::Arc;

use daemonproof::explore::{Choices, System, TaskId};

use super::place::{Spot, Touched};
use super::program::Program;
use super::state::State;
use super::step::{blocked, step};

/// Changes the footprints that the search is told: an error made on purpose.
pub(crate) type Lie = fn(Touched) -> Touched;

#[derive(Clone)]
pub(crate) struct Machine {
    pub(crate) program: Arc<Program>,
    pub(crate) state: State,
    lie: Lie,
}

impl Machine {
    pub(crate) fn new(program: Program) -> Self {
        Self::lying(program, |footprint| footprint)
    }

    pub(crate) fn lying(program: Program, lie: Lie) -> Self {
        Self { state: State::new(&program), program: Arc::new(program), lie }
    }

    fn living(&self) -> impl Iterator<Item = u8> + '_ {
        (0..).take(self.state.tasks.len()).filter(|task| self.state.is_alive(*task))
    }

    /// The tasks that can make a step.
    pub(crate) fn enabled(&self) -> Vec<u8> {
        self.living().filter(|task| blocked(&self.program, &self.state, *task).is_none()).collect()
    }

    /// The living tasks that are none of `enabled`, with nothing that they wait for.
    pub(crate) fn living_but(&self, enabled: &[TaskId]) -> Vec<(TaskId, Touched)> {
        let tasks = self.living().map(|task| TaskId(task.into()));
        tasks.filter(|task| !enabled.contains(task)).map(|task| (task, Touched::new())).collect()
    }

    /// The state after a step of `task`, and what it touched.
    pub(crate) fn after(&self, task: u8) -> (Self, Touched) {
        let mut next = self.clone();
        let footprint = (self.lie)(step(&self.program, &mut next.state, task));
        (next, footprint)
    }
}

impl System for Machine {
    type Place = Spot;
    type Error = Infallible;

    fn restart(&mut self) -> Result<(), Infallible> {
        self.state = State::new(&self.program);
        Ok(())
    }

    fn choices(&mut self) -> Result<Choices<Spot>, Infallible> {
        let mut choices = Choices::new(Vec::new(), Vec::new());
        for task in self.living() {
            match blocked(&self.program, &self.state, task) {
                None => choices.enabled.push(TaskId(task.into())),
                Some(footprint) => choices.waiting.push((TaskId(task.into()), (self.lie)(footprint))),
            }
        }
        Ok(choices)
    }

    fn step(&mut self, task: TaskId) -> Result<Touched, Infallible> {
        let task = u8::try_from(task.0).unwrap();
        Ok((self.lie)(step(&self.program, &mut self.state, task)))
    }

    fn class(&self, task: TaskId) -> Option<u32> {
        self.program.roots.get(usize::try_from(task.0).unwrap())?.class
    }
}
