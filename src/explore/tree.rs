//! What an exhaustive search has run and still has to run: the tree of the executions.

use super::footprint::{Footprint, Place};
use super::order::Order;
use super::reversal::{Reversal, reversals};
use super::strategy::Trace;
use super::system::TaskId;

pub(super) type NodeId = usize;

/// Tasks that need not run: what begins with their operation, which touches this, is covered elsewhere.
pub(super) type Sleep<P> = Vec<(TaskId, Footprint<P>)>;

/// The tree of which each node is a state, reached by the steps that lead to it, with what is run from there.
///
/// It holds only the nodes below which something is left to run.
#[derive(Debug)]
pub(super) struct Tree<P> {
    nodes: Vec<Option<Node<P>>>,
    free: Vec<NodeId>,
    root: Option<NodeId>,
    begun: bool,
    running: usize,
    /// How many subtrees have been met, if they are dealt out.
    dealt: u32,
}

/// A state in which someone can go on.
#[derive(Debug)]
pub(super) struct Node<P> {
    pub(super) enabled: Vec<TaskId>,
    /// The class of each enabled task that has made no step.
    pub(super) classes: Vec<(TaskId, u32)>,
    pub(super) sleep: Sleep<P>,
    branches: Vec<Branch<P>>,
    /// Reversals that are covered if the branch of their last task turns out to leave their sequence as it is.
    doubts: Vec<Reversal<P>>,
}

/// A task that is run from a state.
#[derive(Debug)]
struct Branch<P> {
    task: TaskId,
    progress: Progress,
    /// What its step touched, once it has been made.
    footprint: Option<Footprint<P>>,
    /// Whom to run after it, as far as possible.
    hint: Vec<TaskId>,
    child: Option<NodeId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Open,
    Running,
    Run,
}

/// An execution to be run: steps made before, the last of them perhaps not.
#[derive(Clone, Debug)]
pub(super) struct Plan<P> {
    /// The nodes on the way, and from each the branch taken.
    way: Vec<(NodeId, usize)>,
    pub(super) steps: Vec<(TaskId, Option<Footprint<P>>)>,
    /// Who sleeps once the last of the steps is about to be made.
    pub(super) sleep: Sleep<P>,
    pub(super) hint: Vec<TaskId>,
}

/// What the tree answers to someone who wants to run an execution.
pub(super) enum Next<P> {
    Run(Plan<P>),
    /// Others are running executions that may leave more to run.
    Wait,
    Nothing,
}

impl<P: Place> Node<P> {
    pub(super) fn new(enabled: Vec<TaskId>, classes: Vec<(TaskId, u32)>, sleep: Sleep<P>) -> Self {
        Self { enabled, classes, sleep, branches: Vec::new(), doubts: Vec::new() }
    }

    /// The task that is run in place of `task`: of those that are interchangeable here, the first.
    fn representative(&self, task: TaskId) -> TaskId {
        let class_of =
            |task| self.classes.iter().find(|(member, _)| *member == task).map(|(_, class)| *class);
        let Some(class) = class_of(task) else {
            return task;
        };
        let members = self.classes.iter().filter(|(_, other)| *other == class);
        members.map(|(member, _)| *member).min().unwrap_or(task)
    }

    /// The tasks that would make a difference here.
    pub(super) fn awake(&self) -> Vec<TaskId> {
        let worth =
            |task: &TaskId| self.representative(*task) == *task && !self.sleep.iter().any(|(s, _)| s == task);
        self.enabled.iter().copied().filter(worth).collect()
    }

    fn add(&mut self, task: TaskId, hint: Vec<TaskId>) {
        let task = self.representative(task);
        if self.awake().contains(&task) && !self.branches.iter().any(|branch| branch.task == task) {
            self.branches.push(Branch { task, progress: Progress::Open, footprint: None, hint, child: None });
        }
    }

    /// Sees to it that `reversal` is run from here, or something that is equivalent to a continuation of it.
    fn demand(&mut self, reversal: Reversal<P>) {
        let covers = |task: TaskId| {
            let asleep = self.sleep.iter().find(|(sleeper, _)| *sleeper == task).map(|(_, f)| Some(f));
            let branch = self.branches.iter().find(|branch| branch.task == task);
            asleep.or_else(|| branch.map(|branch| branch.footprint.as_ref()))
        };
        if reversal.initials.iter().any(|task| covers(self.representative(*task)).is_some()) {
            return;
        }
        let last = self.representative(reversal.last);
        let covered = if reversal.last_is_initial { covers(last) } else { None };
        match covered {
            Some(Some(footprint)) if reversal.commutes(footprint) => {}
            Some(None) => self.doubts.push(reversal),
            _ => self.follow(reversal, covered.is_none()),
        }
    }

    /// Adds a branch with which `reversal` can begin.
    fn follow(&mut self, reversal: Reversal<P>, last_is_new: bool) {
        let able = |task: &&TaskId| self.enabled.contains(task);
        if let Some(first) = reversal.initials.iter().find(able).copied() {
            let hint = reversal.without(first);
            self.add(first, hint);
        } else if reversal.last_is_initial && last_is_new {
            self.add(reversal.last, reversal.without(reversal.last));
            self.doubts.push(reversal);
        } else {
            for task in self.enabled.clone() {
                self.add(task, Vec::new());
            }
        }
    }

    /// Looks again at what was in doubt until the first step of branch `index` was made.
    fn resolve(&mut self, index: usize) {
        let task = self.branches[index].task;
        let doubts = std::mem::take(&mut self.doubts);
        let (now, later) = doubts.into_iter().partition(|doubt| self.representative(doubt.last) == task);
        self.doubts = later;
        for doubt in now {
            self.demand(doubt);
        }
    }

    fn is_done(&self) -> bool {
        self.branches.iter().all(|branch| branch.progress == Progress::Run && branch.child.is_none())
    }

    /// The first branch that can be run: those before it have made their first step, because it has to sleep on that.
    fn open_branch(&self) -> Option<usize> {
        let first = self.branches.iter().position(|branch| branch.footprint.is_none());
        first.filter(|index| self.branches[*index].progress == Progress::Open)
    }
}

impl<P: Place> Tree<P> {
    pub(super) fn new() -> Self {
        Self { nodes: Vec::new(), free: Vec::new(), root: None, begun: false, running: 0, dealt: 0 }
    }

    /// Whether everything has been run.
    pub(super) fn is_exhausted(&self) -> bool {
        self.begun && self.root.is_none() && self.running == 0
    }

    /// Hands out the next execution to run.
    pub(super) fn next(&mut self, sleep: bool) -> Next<P> {
        let plan = match self.root {
            None if !self.begun => {
                self.begun = true;
                Some(Plan { way: Vec::new(), steps: Vec::new(), sleep: Vec::new(), hint: Vec::new() })
            }
            None => None,
            Some(root) => self.open_way(root).map(|way| self.plan(way, sleep)),
        };
        match plan {
            Some(plan) => {
                self.running += 1;
                Next::Run(plan)
            }
            None if self.running > 0 => Next::Wait,
            None => Next::Nothing,
        }
    }

    /// The way to the deepest branch that can be run, in the part of the tree that was begun last.
    fn open_way(&self, from: NodeId) -> Option<Vec<(NodeId, usize)>> {
        let node = self.node(from);
        for (index, branch) in node.branches.iter().enumerate().rev() {
            if let Some(mut way) = branch.child.and_then(|child| self.open_way(child)) {
                way.insert(0, (from, index));
                return Some(way);
            }
        }
        node.open_branch().map(|index| vec![(from, index)])
    }

    fn plan(&mut self, way: Vec<(NodeId, usize)>, sleep: bool) -> Plan<P> {
        let taken = way.iter().map(|(id, index)| &self.node(*id).branches[*index]);
        let steps = taken.map(|branch| (branch.task, branch.footprint.clone())).collect();
        let mut plan = Plan { way, steps, sleep: Vec::new(), hint: Vec::new() };
        if let Some((id, index)) = plan.way.last().copied() {
            let node = self.node_mut(id);
            if sleep {
                let earlier = node.branches[..index].iter();
                let earlier = earlier.filter_map(|branch| Some((branch.task, branch.footprint.clone()?)));
                plan.sleep = node.sleep.iter().cloned().chain(earlier).collect();
            }
            node.branches[index].progress = Progress::Running;
            plan.hint.clone_from(&node.branches[index].hint);
        }
        plan
    }

    /// The number of a subtree that is met for the first time.
    pub(super) fn deal(&mut self) -> u32 {
        self.dealt += 1;
        self.dealt - 1
    }

    /// Takes back an execution that was not completed.
    pub(super) fn abandon(&mut self, plan: &Plan<P>) {
        self.running -= 1;
        match plan.way.last() {
            Some((id, index)) => self.node_mut(*id).branches[*index].progress = Progress::Open,
            None => self.begun = false,
        }
    }

    /// Adds an execution that was run as planned, through the states `fresh` beyond the plan. From the states that fewer
    /// than `whole` steps lead to, everyone is run who would make a difference; from the others, whom races ask for.
    pub(super) fn complete(&mut self, plan: &Plan<P>, trace: &Trace<P>, fresh: Vec<Node<P>>, whole: usize) {
        self.running -= 1;
        let known = plan.way.len();
        let mut way = plan.way.clone();
        if let Some((id, index)) = way.last().copied()
            && let Some(event) = trace.events.get(known - 1)
        {
            let node = self.node_mut(id);
            node.branches[index].progress = Progress::Run;
            node.branches[index].footprint = Some(event.footprint.clone());
            node.resolve(index);
        }
        for (depth, (mut node, event)) in (known..).zip(fresh.into_iter().zip(&trace.events[known..])) {
            node.add(event.task, Vec::new());
            for task in if depth < whole { node.awake() } else { Vec::new() } {
                node.add(task, Vec::new());
            }
            if let Some(branch) = node.branches.first_mut() {
                branch.progress = Progress::Run;
                branch.footprint = Some(event.footprint.clone());
            }
            let id = self.insert(node);
            match way.last() {
                Some((parent, index)) => self.node_mut(*parent).branches[*index].child = Some(id),
                None => self.root = Some(id),
            }
            way.push((id, 0));
        }
        if whole != usize::MAX {
            for reversal in reversals(trace, &Order::of(trace), 0) {
                self.node_mut(way[reversal.at].0).demand(reversal);
            }
        }
        self.prune(&way);
    }

    /// Forgets the nodes of `way` below which nothing is left to run.
    fn prune(&mut self, way: &[(NodeId, usize)]) {
        for depth in (0..way.len()).rev() {
            let (id, _) = way[depth];
            if !self.node(id).is_done() {
                return;
            }
            self.nodes[id] = None;
            self.free.push(id);
            match depth.checked_sub(1).map(|above| way[above]) {
                Some((parent, index)) => self.node_mut(parent).branches[index].child = None,
                None => self.root = None,
            }
        }
    }

    fn insert(&mut self, node: Node<P>) -> NodeId {
        if let Some(id) = self.free.pop() {
            self.nodes[id] = Some(node);
            return id;
        }
        self.nodes.push(Some(node));
        self.nodes.len() - 1
    }

    #[expect(clippy::expect_used, reason = "a node is forgotten only when no branch leads to it any more")]
    fn node(&self, id: NodeId) -> &Node<P> {
        self.nodes[id].as_ref().expect("a node on the way to something that is left to run")
    }

    #[expect(clippy::expect_used, reason = "a node is forgotten only when no branch leads to it any more")]
    fn node_mut(&mut self, id: NodeId) -> &mut Node<P> {
        self.nodes[id].as_mut().expect("a node on the way to something that is left to run")
    }
}
