//! The exhaustive search: one execution at least of each class that could make a difference, and few more.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::footprint::Place;
use super::strategy::{Divergence, Strategy, Trace};
use super::system::{Choices, TaskId};
use super::tree::{Next, Node, Plan, Sleep, Tree};

/// Which reductions an exhaustive search uses. Without any, it runs every order of all steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reduction {
    /// Do not run what begins with an operation whose continuations were run from an earlier state, as long as no
    /// operation conflicts with it (sleep sets).
    pub sleep: bool,
    /// Of the interchangeable tasks that have made no step, run only the first.
    pub symmetry: bool,
    /// Run another task only where a race was found (source sets).
    pub races: bool,
}

impl Reduction {
    /// All of them.
    pub const FULL: Self = Self { sleep: true, symmetry: true, races: true };
    /// None of them.
    pub const NONE: Self = Self { sleep: false, symmetry: false, races: false };
}

/// Runs every execution that could make a difference: source-set partial-order reduction with sleep sets.
///
/// After each execution it looks for races, pairs of conflicting operations with nothing in between that orders them, and
/// sees to it that each is also run the other way round. The reference is Abdulla, Aronis, Jonsson and Sagonas, "Source
/// sets: a foundation for optimal dynamic partial order reduction" (2017).
///
/// Clones share what is left to run, so that several threads, each with a clone and a system of its own, work on one
/// search. A search by one thread goes the same way each time.
#[derive(Debug)]
pub struct Exhaustive<P: Place> {
    shared: Arc<Shared<P>>,
    reduction: Reduction,
    shard: Option<Part>,
    current: Option<Current<P>>,
}

/// One of equal parts of the search: index, from 0, and how many there are.
type Part = (u32, u32);

/// The subtrees that so many steps lead to are dealt out to the parts of a search. Above them nothing is reduced by races,
/// so that each part meets the same subtrees in the same order.
const DEALT_DEPTH: usize = 5;

#[derive(Debug)]
struct Shared<P> {
    tree: Mutex<Tree<P>>,
    changed: Condvar,
}

/// The execution that is being run.
#[derive(Debug)]
struct Current<P> {
    plan: Plan<P>,
    /// The states reached beyond the plan.
    fresh: Vec<Node<P>>,
    sleep: Sleep<P>,
    hint: std::vec::IntoIter<TaskId>,
}

impl<P: Place> Shared<P> {
    fn tree(&self) -> MutexGuard<'_, Tree<P>> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Place> Exhaustive<P> {
    /// A search that has run nothing.
    #[must_use]
    pub fn new(reduction: Reduction) -> Self {
        let shared = Shared { tree: Mutex::new(Tree::new()), changed: Condvar::new() };
        Self { shared: Arc::new(shared), reduction, shard: None, current: None }
    }

    /// Part `index`, from 0, of `count` parts that together are the whole search. It must be run by one worker.
    #[must_use]
    pub fn part(reduction: Reduction, index: u32, count: u32) -> Self {
        let mut whole = Self::new(reduction);
        whole.shard = Some((index, count.max(1)));
        whole
    }

    fn abandon(&mut self) {
        if let Some(current) = self.current.take() {
            self.shared.tree().abandon(&current.plan);
            self.shared.changed.notify_all();
        }
    }
}

impl<P: Place> Clone for Exhaustive<P> {
    /// Another worker on the same search.
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), reduction: self.reduction, shard: self.shard, current: None }
    }
}

impl<P: Place> Drop for Exhaustive<P> {
    fn drop(&mut self) {
        self.abandon();
    }
}

impl<P: Place> Strategy<P> for Exhaustive<P> {
    /// Waits, if other workers may still find more to run.
    fn begin(&mut self) -> bool {
        self.abandon();
        let mut tree = self.shared.tree();
        loop {
            match tree.next(self.reduction.sleep) {
                Next::Run(plan) => {
                    let (sleep, hint) = (plan.sleep.clone(), plan.hint.clone().into_iter());
                    self.current = Some(Current { plan, fresh: Vec::new(), sleep, hint });
                    return true;
                }
                Next::Nothing => return false,
                Next::Wait => tree = self.shared.changed.wait(tree).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn choose(&mut self, choices: &Choices<P>, trace: &Trace<P>) -> Result<Option<TaskId>, Divergence> {
        let Some(current) = &mut self.current else {
            return Ok(None);
        };
        let step = trace.events.len();
        current.check(trace)?;
        if let Some((task, _)) = current.plan.steps.get(step) {
            if !choices.enabled.contains(task) {
                return Err(Divergence::NotEnabled { step, task: *task, enabled: choices.enabled.clone() });
            }
            return Ok(Some(*task));
        }
        if let Some(last) = trace.events.last() {
            current.sleep.retain(|(_, footprint)| !footprint.conflicts(&last.footprint));
        }
        if let Some((index, count)) = self.shard
            && step == DEALT_DEPTH
            && self.shared.tree().deal() % count != index
        {
            return Ok(None);
        }
        let classes = if self.reduction.symmetry { choices.classes.clone() } else { Vec::new() };
        let node = Node::new(choices.enabled.clone(), classes, current.sleep.clone());
        let awake = node.awake();
        current.fresh.push(node);
        Ok(current.pick(&awake, trace))
    }

    fn finish(&mut self, trace: &Trace<P>) {
        if let Some(current) = self.current.take() {
            let whole = match (self.reduction.races, self.shard) {
                (false, _) => usize::MAX,
                (true, Some(_)) => DEALT_DEPTH,
                (true, None) => 0,
            };
            self.shared.tree().complete(&current.plan, trace, current.fresh, whole);
            self.shared.changed.notify_all();
        }
    }

    fn exhausted(&self) -> bool {
        self.shared.tree().is_exhausted()
    }
}

impl<P: Place> Current<P> {
    /// Compares the last step with what it was before.
    fn check(&self, trace: &Trace<P>) -> Result<(), Divergence> {
        let Some((step, event)) = trace.events.iter().enumerate().next_back() else {
            return Ok(());
        };
        match self.plan.steps.get(step) {
            Some((task, Some(before))) if *before != event.footprint => {
                let (mut expected, mut found) =
                    (before.beyond(&event.footprint), event.footprint.beyond(before));
                if expected == found {
                    // The same of another file.
                    (expected, found) =
                        (format!("touched {before:?}"), format!("touched {:?}", event.footprint));
                }
                Err(Divergence::Footprint { step, task: *task, expected, found })
            }
            _ => Ok(()),
        }
    }

    /// Who goes next beyond the plan: as hinted, or on with the same task, or the first.
    fn pick(&mut self, awake: &[TaskId], trace: &Trace<P>) -> Option<TaskId> {
        if let Some(task) = self.hint.next() {
            if awake.contains(&task) {
                return Some(task);
            }
            self.hint = Vec::new().into_iter();
        }
        let last = trace.events.last().map(|event| event.task).filter(|task| awake.contains(task));
        last.or_else(|| awake.first().copied())
    }
}
