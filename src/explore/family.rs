//! The tasks and processes of one execution.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use nix::unistd::Pid;

use super::files::Pids;
use super::operation::Operation;
use super::place::{Interner, Numbers};
use super::system::TaskId;
use crate::sys::pidfd;
use crate::trace::{End, Stopped};

/// A process of a contender.
#[derive(Debug)]
pub(crate) struct Process {
    /// The name of its first thread.
    pub(crate) id: TaskId,
    pub(crate) pid: Pid,
    pub(crate) contender: usize,
    /// The process that it is a child of, if that is one of these.
    pub(crate) parent: Option<i32>,
    pub(crate) pidfd: OwnedFd,
    pub(crate) end: Option<End>,
    /// Nobody can wait for it any more.
    pub(crate) reaped: bool,
    /// SIGKILL was sent to it, and it has not died yet.
    pub(crate) doomed: bool,
    pub(crate) executed: bool,
    /// The thread that stands before the end of the whole process: the others make no operation any more.
    pub(crate) ended_by: Option<TaskId>,
    births: u32,
}

/// A thread of a process.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) pid: Pid,
    pub(crate) process: i32,
    pub(crate) state: State,
    /// How many operations it has made.
    pub(crate) made: u32,
    /// Its end is not that of its process.
    pub(crate) leaves_alone: bool,
}

/// Where a task stands.
#[expect(clippy::large_enum_variant, reason = "nearly all stand before an operation")]
#[derive(Debug)]
pub(crate) enum State {
    /// Before an operation.
    Before(Stopped, Operation),
    /// Before its end; it has everything still.
    Ending(Stopped, i32),
    /// In vfork(2), until this child has executed or ended.
    Vfork(Stopped, i32),
    /// It has ended, and the other threads of its process have not.
    Gone,
    /// The lab works on it.
    Moving,
}

/// Everything that lives or has lived in this execution.
#[derive(Debug, Default)]
pub(crate) struct Family {
    pub(crate) tasks: BTreeMap<TaskId, Task>,
    pub(crate) processes: BTreeMap<i32, Process>,
    pub(crate) pids: Pids,
    pub(crate) names: Interner,
}

impl Family {
    pub(crate) fn new(numbers: Numbers) -> Self {
        Family { names: Interner::new(numbers), ..Family::default() }
    }

    /// Forgets this execution. Names keep their numbers.
    pub(crate) fn clear(&mut self) {
        self.tasks.clear();
        self.processes.clear();
        self.pids.clear();
    }

    pub(crate) fn name(&self, id: TaskId) -> &str {
        self.names.text(id.0)
    }

    pub(crate) fn id(&mut self, name: &str) -> TaskId {
        TaskId(self.names.number(name))
    }

    /// Takes up the first process of a contender.
    pub(crate) fn contender(&mut self, index: usize, pid: Pid) -> nix::Result<TaskId> {
        self.process(letter(index), index, None, pid)
    }

    /// Takes up the child of a process.
    pub(crate) fn child(&mut self, parent: i32, pid: Pid) -> nix::Result<TaskId> {
        let (name, contender) = self.birth(parent, '.');
        self.process(name, contender, Some(parent), pid)
    }

    /// Takes up another thread of a process.
    pub(crate) fn thread(&mut self, process: i32, pid: Pid) -> TaskId {
        let (name, _) = self.birth(process, '/');
        let id = self.id(&name);
        self.tasks.insert(id, Task::new(pid, process));
        self.pids.insert(pid, &name);
        id
    }

    fn birth(&mut self, parent: i32, sign: char) -> (String, usize) {
        let Some(process) = self.processes.get_mut(&parent) else { return (format!("?{sign}"), 0) };
        process.births += 1;
        let (births, contender) = (process.births, process.contender);
        (format!("{}{sign}{births}", self.names.text(process.id.0)), contender)
    }

    fn process(
        &mut self,
        name: String,
        contender: usize,
        parent: Option<i32>,
        pid: Pid,
    ) -> nix::Result<TaskId> {
        let id = self.id(&name);
        let process = Process {
            id,
            pid,
            contender,
            parent,
            pidfd: pidfd::open(pid)?,
            end: None,
            reaped: false,
            doomed: false,
            executed: parent.is_some(),
            ended_by: None,
            births: 0,
        };
        self.processes.insert(pid.as_raw(), process);
        self.tasks.insert(id, Task::new(pid, pid.as_raw()));
        self.pids.insert(pid, &name);
        Ok(id)
    }

    pub(crate) fn process_of(&self, task: TaskId) -> Option<&Process> {
        self.processes.get(&self.tasks.get(&task)?.process)
    }

    /// A task stands before its end, which is that of its process unless it leaves alone.
    pub(crate) fn ends(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get(&id).filter(|task| !task.leaves_alone) else { return };
        if let Some(process) = self.processes.get_mut(&task.process) {
            process.ended_by.get_or_insert(id);
        }
    }

    pub(crate) fn is_ended_by_another(&self, id: TaskId) -> bool {
        self.process_of(id).and_then(|process| process.ended_by).is_some_and(|by| by != id)
    }

    /// The children of a process, each with whether it has ended.
    pub(crate) fn children(&self, parent: i32) -> Vec<(i32, bool)> {
        let all = self.processes.iter().filter(|(_, child)| child.parent == Some(parent) && !child.reaped);
        all.map(|(pid, child)| (*pid, child.end.is_some())).collect()
    }

    /// The living threads of a process, the first one last.
    pub(crate) fn threads(&self, process: i32) -> Vec<TaskId> {
        let mut all: Vec<_> =
            self.tasks.iter().filter(|(_, task)| task.process == process).map(|(id, _)| *id).collect();
        all.sort_by_key(|id| self.tasks.get(id).is_some_and(|task| task.pid.as_raw() == process));
        all
    }

    /// The living processes of a contender, the eldest first.
    pub(crate) fn alive(&self, contender: usize) -> Vec<&Process> {
        let mut all: Vec<_> = self
            .processes
            .values()
            .filter(|process| process.contender == contender && process.end.is_none())
            .collect();
        all.sort_by_key(|process| {
            let name = self.names.text(process.id.0);
            (name.matches('.').count(), name.len(), name.to_owned())
        });
        all
    }
}

impl Task {
    fn new(pid: Pid, process: i32) -> Self {
        Task { pid, process, state: State::Moving, made: 0, leaves_alone: false }
    }
}

/// What a contender is called.
pub(crate) fn letter(index: usize) -> String {
    char::from(b'A' + (index % 26) as u8).to_string()
}
