//! What is searched: tasks that make one step at a time, and can be begun again.

use super::footprint::{Footprint, Place};

/// A task: a process or thread, or an event of the scenario. The same number means the same task in each execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u32);

/// What each living task can do now.
#[derive(Clone, Debug)]
pub struct Choices<P> {
    /// The tasks of which one may make the next step.
    pub enabled: Vec<TaskId>,
    /// The tasks whose next operation would block, each with what that operation would touch: what it is waiting for at
    /// least.
    pub waiting: Vec<(TaskId, Footprint<P>)>,
    /// The class of each enabled task that has one and has not made a step. The search fills this in.
    pub(super) classes: Vec<(TaskId, u32)>,
}

impl<P: Place> Choices<P> {
    /// One of `enabled` may go next; `waiting` are alive and would block.
    #[must_use]
    pub fn new(enabled: Vec<TaskId>, waiting: Vec<(TaskId, Footprint<P>)>) -> Self {
        Self { enabled, waiting, classes: Vec::new() }
    }
}

/// Several tasks over shared state, deterministic but for who goes next.
///
/// The search relies on this, beside what [`Footprint`] says:
///
/// * begun again and given the same steps, it makes the same choices possible, with the same footprints;
/// * whether an operation would block depends on what its waiting footprint names: an operation that enables or
///   disables it conflicts with that, and with what it touches when it runs;
/// * a task whose next operation is changed from outside (it is killed, say) has a place for that in each footprint;
/// * a task that appears was brought about by the step before.
pub trait System {
    /// What its operations touch.
    type Place: Place;
    /// Why a step could not be made. It ends the search.
    type Error;

    /// Begins again.
    ///
    /// # Errors
    ///
    /// The initial state could not be reached.
    fn restart(&mut self) -> Result<(), Self::Error>;

    /// Who can go next. With none enabled, the execution has ended.
    ///
    /// # Errors
    ///
    /// The tasks could not be examined.
    fn choices(&mut self) -> Result<Choices<Self::Place>, Self::Error>;

    /// Executes the next operation of `task`, which is enabled, and tells what it touched.
    ///
    /// # Errors
    ///
    /// The operation could not be executed; that it failed for the task is no error.
    fn step(&mut self, task: TaskId) -> Result<Footprint<Self::Place>, Self::Error>;

    /// Which other tasks `task` could change places with, as long as neither has made a step: those of the same class.
    ///
    /// No other task may name one of them before it has made a step.
    fn class(&self, task: TaskId) -> Option<u32>;
}
