//! Programs of the toy.

/// What can be written and read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Value {
    Number(u8),
    /// The number of a task. A task that writes its own number writes another than its neighbour.
    Task(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Number(u8),
    OwnTask,
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Victim {
    Task(u8),
    /// Whose number was read last.
    Read,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Probe,
    Term,
    Kill,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Flags {
    pub(crate) create: bool,
    pub(crate) exclusive: bool,
    pub(crate) truncate: bool,
}

/// How a lock is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Want {
    pub(crate) exclusive: bool,
    pub(crate) wait: bool,
}

/// One visible operation. A `slot` is a descriptor, a name a number; the bytes of a file that can be locked are 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Open {
        name: u8,
        slot: u8,
        flags: Flags,
    },
    Close {
        slot: u8,
    },
    Unlink {
        name: u8,
    },
    Rename {
        from: u8,
        to: u8,
    },
    Link {
        from: u8,
        to: u8,
    },
    /// Fails unless the name leads to the file that is open.
    Same {
        name: u8,
        slot: u8,
    },
    Read {
        slot: u8,
    },
    Write {
        slot: u8,
        source: Source,
    },
    Lock {
        slot: u8,
        first: u8,
        last: u8,
        want: Want,
    },
    Unlock {
        slot: u8,
        first: u8,
        last: u8,
    },
    /// Fails if a lock on these bytes would be refused.
    GetLock {
        slot: u8,
        first: u8,
        last: u8,
    },
    Flock {
        slot: u8,
        want: Want,
    },
    Funlock {
        slot: u8,
    },
    Signal {
        victim: Victim,
        signal: Signal,
    },
    /// The `nth` child of this task begins at `entry`.
    Fork {
        nth: u8,
        entry: u8,
    },
    Wait,
    /// Waits for a signal.
    Pause,
    Exit {
        code: u8,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) op: Op,
    /// Where to go on if it fails; otherwise it makes no difference.
    pub(crate) on_failure: Option<u8>,
}

/// A task that is there from the beginning.
#[derive(Clone, Debug, Default)]
pub(crate) struct Root {
    /// At the end of its code it exits with 0.
    pub(crate) code: Vec<Instruction>,
    /// Where SIGTERM leads; it kills otherwise.
    pub(crate) on_term: Option<u8>,
    pub(crate) class: Option<u32>,
    /// Its ends of the one pipe: at slot 2 the one to read from, at slot 3 the one to write to.
    pub(crate) reads_pipe: bool,
    pub(crate) writes_pipe: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Program {
    pub(crate) roots: Vec<Root>,
    /// The names that lead to a file at the beginning, with its content.
    pub(crate) files: Vec<(u8, Option<Value>)>,
}

/// How many children a root can have. Children have none.
pub(crate) const CHILDREN: usize = 2;
pub(crate) const NAMES: usize = 3;
pub(crate) const SLOTS: usize = 4;

impl Program {
    /// How many tasks there can be: the roots, then each root's children.
    pub(crate) fn tasks(&self) -> usize {
        self.roots.len() * (1 + CHILDREN)
    }

    pub(crate) fn child(&self, parent: u8, nth: u8) -> Option<u8> {
        let (parent, nth) = (usize::from(parent), usize::from(nth));
        let number = self.roots.len() + parent * CHILDREN + nth;
        (parent < self.roots.len() && nth < CHILDREN).then_some(u8::try_from(number).unwrap())
    }

    /// The root whose code `task` runs.
    pub(crate) fn root(&self, task: u8) -> &Root {
        &self.roots[usize::from(self.root_of(task))]
    }

    pub(crate) fn root_of(&self, task: u8) -> u8 {
        let roots = u8::try_from(self.roots.len()).unwrap();
        if task < roots { task } else { (task - roots) / u8::try_from(CHILDREN).unwrap() }
    }
}
