//! What operations contend for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::footprint::Place;
use super::system::TaskId;

/// A file, directory, pipe or socket, by who created it and at which of its operations: the same in every execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FileId(pub(crate) u32);

/// One thing of the kernel that an operation can read or change, and so what makes two operations depend on one another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Thing {
    /// Whether a name is in a directory, and where it leads.
    Name { dir: FileId, entry: String },
    /// Which names a directory has.
    Listing(FileId),
    /// The bytes of a file.
    Content(FileId),
    /// How many bytes a file has.
    Size(FileId),
    /// Mode, owner and number of links of a file.
    Meta(FileId),
    /// Whether bytes of a file are locked, by fcntl(2) or by flock(2), which do not see one another.
    Lock { file: FileId, flock: bool, first: i64, last: i64 },
    /// The descriptors through which a lock is held: whoever closes the last one ends it.
    Held(FileId),
    /// That a process exists. Its first step follows its creation, and its exit is seen by kill(2).
    Process(TaskId),
    /// Signals that interrupt a process.
    Signals(TaskId),
    /// Signals that wait until the process asks for them.
    Blocked(TaskId),
    /// Which signals a process handles, ignores and blocks.
    Disposition(TaskId),
    /// Which children of a process have ended.
    Children(TaskId),
    /// What a pipe has to read, or room for.
    Data(FileId),
    /// Who could still read from a pipe (0) or write to it (1), or has this end of a pair of sockets.
    End(FileId, u8),
    /// All sockets with names, and who is connected to whom.
    Sockets,
    /// The memory that the threads of a process wait on.
    Memory(TaskId),
    /// That a contender has come up.
    Up(TaskId),
}

impl Place for Thing {
    fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Thing::Lock { file, flock, first, last },
                Thing::Lock { file: file2, flock: flock2, first: first2, last: last2 },
            ) => file == file2 && flock == flock2 && first <= last2 && first2 <= last,
            _ => self == other,
        }
    }

    fn told(&self) -> String {
        match self {
            Thing::Name { entry, .. } => format!("the name {entry:?}"),
            Thing::Listing(_) => "the names in a directory".to_owned(),
            Thing::Content(_) | Thing::Size(_) => "what is in a file".to_owned(),
            Thing::Meta(_) => "the mode or owner of a file".to_owned(),
            Thing::Lock { .. } | Thing::Held(_) => "a lock".to_owned(),
            Thing::Data(_) | Thing::End(..) => "a pipe".to_owned(),
            Thing::Sockets => "a socket".to_owned(),
            Thing::Memory(_) => "memory that threads share".to_owned(),
            Thing::Signals(task) | Thing::Blocked(task) | Thing::Disposition(task) => {
                format!("the signals of task {}", task.0)
            }
            Thing::Process(task) | Thing::Children(task) | Thing::Up(task) => {
                format!("the life of task {}", task.0)
            }
        }
    }
}

/// Numbers for texts: the same number for the same text, in each execution of each worker of one search.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    shared: Numbers,
    numbers: HashMap<String, u32>,
    texts: HashMap<u32, String>,
}

/// The numbers that the workers of one search have agreed upon.
pub(crate) type Numbers = Arc<Mutex<HashMap<String, u32>>>;

impl Interner {
    pub(crate) fn new(shared: Numbers) -> Self {
        Interner { shared, ..Interner::default() }
    }

    pub(crate) fn number(&mut self, text: &str) -> u32 {
        if let Some(&number) = self.numbers.get(text) {
            return number;
        }
        let number = {
            let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            let next = shared.len() as u32;
            *shared.entry(text.to_owned()).or_insert(next)
        };
        self.numbers.insert(text.to_owned(), number);
        self.texts.insert(number, text.to_owned());
        number
    }

    pub(crate) fn text(&self, number: u32) -> &str {
        self.texts.get(&number).map_or("?", String::as_str)
    }
}
