//! The state of the toy.

use std::collections::BTreeMap;

use super::place::{Born, End, NOBODY};
use super::program::{NAMES, Program, SLOTS, Value};

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct File {
    pub(crate) content: Option<Value>,
    /// For each byte, the tasks that have it locked, and whether for themselves.
    pub(crate) posix: [BTreeMap<u8, bool>; 2],
    /// The descriptions that have it locked.
    pub(crate) flock: BTreeMap<Born, bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Target {
    File(Born),
    Pipe(Born, End),
}

/// An open file description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Description {
    pub(crate) target: Target,
    pub(crate) descriptors: u8,
    /// Whether more than one process has ever had it.
    pub(crate) shared: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Life {
    NotYet,
    Alive,
    Zombie(u8),
    Gone(u8),
}

/// What an operation answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Answer {
    Done,
    Failed,
    Got(Option<Value>),
    Status(u8),
    Signalled,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Task {
    pub(crate) at: u8,
    pub(crate) life: Life,
    pub(crate) parent: Option<u8>,
    pub(crate) slots: [Option<Born>; SLOTS],
    pub(crate) created: u8,
    pub(crate) read: Option<Value>,
    pub(crate) term: bool,
    pub(crate) kill: bool,
    /// All that it has seen.
    pub(crate) log: Vec<Answer>,
}

/// What differs most often comes first, because whole sets of these are sorted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct State {
    pub(crate) tasks: Vec<Task>,
    pub(crate) names: [Option<Born>; NAMES],
    pub(crate) files: BTreeMap<Born, File>,
    pub(crate) descriptions: BTreeMap<Born, Description>,
    pub(crate) pipes: BTreeMap<Born, Option<Value>>,
}

const PIPE: Born = Born { task: NOBODY, nth: 0 };

impl State {
    pub(crate) fn new(program: &Program) -> Self {
        let absent = Task {
            life: Life::NotYet,
            parent: None,
            at: 0,
            slots: [None; SLOTS],
            created: 0,
            read: None,
            term: false,
            kill: false,
            log: Vec::new(),
        };
        let mut state = Self {
            names: [None; NAMES],
            files: BTreeMap::new(),
            descriptions: BTreeMap::new(),
            pipes: BTreeMap::from([(PIPE, None)]),
            tasks: vec![absent; program.tasks()],
        };
        for (name, content) in &program.files {
            let file = Born { task: NOBODY, nth: *name };
            state.names[usize::from(*name)] = Some(file);
            state.files.insert(file, File { content: *content, ..File::default() });
        }
        for (task, root) in (0..).zip(&program.roots) {
            state.task_mut(task).life = Life::Alive;
            for (has, slot, end) in [(root.reads_pipe, 2, End::Read), (root.writes_pipe, 3, End::Write)] {
                if has {
                    state.describe(task, slot, Target::Pipe(PIPE, end));
                }
            }
        }
        state
    }

    pub(crate) fn task(&self, task: u8) -> &Task {
        &self.tasks[usize::from(task)]
    }

    pub(crate) fn task_mut(&mut self, task: u8) -> &mut Task {
        &mut self.tasks[usize::from(task)]
    }

    pub(crate) fn is_alive(&self, task: u8) -> bool {
        self.task(task).life == Life::Alive
    }

    /// A name for the next thing that `task` creates.
    pub(crate) fn born(&mut self, task: u8) -> Born {
        let creator = self.task_mut(task);
        creator.created += 1;
        Born { task, nth: creator.created }
    }

    /// Opens `target` at `slot`, which is free.
    pub(crate) fn describe(&mut self, task: u8, slot: u8, target: Target) {
        let born = self.born(task);
        self.descriptions.insert(born, Description { target, descriptors: 1, shared: false });
        self.task_mut(task).slots[usize::from(slot)] = Some(born);
    }

    pub(crate) fn opened(&self, task: u8, slot: u8) -> Option<(Born, Description)> {
        let born = self.task(task).slots[usize::from(slot)]?;
        Some((born, self.descriptions[&born]))
    }

    pub(crate) fn opened_file(&self, task: u8, slot: u8) -> Option<(Born, Description, Born)> {
        match self.opened(task, slot)? {
            (born, description @ Description { target: Target::File(file), .. }) => {
                Some((born, description, file))
            }
            _ => None,
        }
    }

    /// Whether some description leads to this end of a pipe.
    pub(crate) fn has_end(&self, pipe: Born, end: End) -> bool {
        self.descriptions.values().any(|description| description.target == Target::Pipe(pipe, end))
    }

    pub(crate) fn file_mut(&mut self, file: Born) -> &mut File {
        self.files.get_mut(&file).unwrap()
    }

    /// The same with each task under another number: `to[task]`.
    pub(crate) fn renamed(&self, to: &[u8]) -> Self {
        let name = |task: u8| if task == NOBODY { NOBODY } else { to[usize::from(task)] };
        let born = |born: Born| Born { task: name(born.task), ..born };
        let value = |value: Value| match value {
            Value::Task(task) => Value::Task(name(task)),
            Value::Number(_) => value,
        };
        let file = |file: &File| File {
            content: file.content.map(value),
            posix: file
                .posix
                .each_ref()
                .map(|byte| byte.iter().map(|(task, own)| (name(*task), *own)).collect()),
            flock: file.flock.iter().map(|(holder, own)| (born(*holder), *own)).collect(),
        };
        let target = |target| match target {
            Target::File(file) => Target::File(born(file)),
            Target::Pipe(pipe, end) => Target::Pipe(born(pipe), end),
        };
        let mut tasks = self.tasks.clone();
        for (from, task) in self.tasks.iter().enumerate() {
            let log = task.log.iter().map(|answer| match answer {
                Answer::Got(got) => Answer::Got(got.map(value)),
                other => *other,
            });
            tasks[usize::from(to[from])] = Task {
                parent: task.parent.map(name),
                slots: task.slots.map(|slot| slot.map(born)),
                read: task.read.map(value),
                log: log.collect(),
                ..*task
            };
        }
        let describe =
            |description: &Description| Description { target: target(description.target), ..*description };
        Self {
            names: self.names.map(|entry| entry.map(born)),
            files: self.files.iter().map(|(key, there)| (born(*key), file(there))).collect(),
            descriptions: self
                .descriptions
                .iter()
                .map(|(key, there)| (born(*key), describe(there)))
                .collect(),
            pipes: self.pipes.iter().map(|(key, data)| (born(*key), data.map(value))).collect(),
            tasks,
        }
    }
}
