//! The files of the sandbox, and which of them a path or a descriptor leads to.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::Pid;

use super::kernel::{self, Info, Key, LockLine};
use super::place::{FileId, Interner, Numbers};

/// Files by what the kernel calls them, and by what they are called in every execution.
#[derive(Debug)]
pub(crate) struct Files {
    rundir: PathBuf,
    known: HashMap<Key, FileId>,
    /// The second ends of pairs of sockets.
    seconds: HashSet<Key>,
    names: Interner,
    /// Every process of this execution.
    processes: Vec<Pid>,
}

/// A name in the sandbox, and what it leads to just now.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) dir: FileId,
    pub(crate) entry: String,
    /// Where it is, for the tracer.
    pub(crate) path: PathBuf,
    pub(crate) there: Option<(FileId, u32)>,
    /// The symbolic links on the way.
    pub(crate) links: Vec<(FileId, String)>,
}

/// What a descriptor stands for, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    File(FileId),
    Directory(FileId),
    /// With which end it is: 0 to read, 1 to write.
    Pipe(FileId, u8),
    /// With which end of the pair it is.
    Socket(FileId, u8),
    /// A file elsewhere, a terminal, an event descriptor.
    Outside,
}

/// Where programs look for their libraries: no link in there leads to a sandbox, and asking each time takes long.
const SYSTEM: [&str; 7] = ["/lib", "/lib64", "/usr", "/etc", "/proc", "/sys", "/dev"];

impl Opened {
    pub(crate) fn id(self) -> Option<FileId> {
        match self {
            Opened::File(id) | Opened::Directory(id) | Opened::Pipe(id, _) | Opened::Socket(id, _) => {
                Some(id)
            }
            Opened::Outside => None,
        }
    }
}

/// As many symbolic links are followed as the kernel follows.
const LINKS_MAX: usize = 40;

impl Files {
    pub(crate) fn new(rundir: PathBuf, numbers: Numbers) -> Self {
        let names = Interner::new(numbers);
        Files { rundir, known: HashMap::new(), seconds: HashSet::new(), names, processes: Vec::new() }
    }

    /// Forgets everything but the files that are there at the beginning.
    pub(crate) fn begin(&mut self) {
        self.known.clear();
        self.processes.clear();
        self.seconds.clear();
        let rundir = self.rundir.clone();
        self.found(&rundir, "start:");
    }

    fn found(&mut self, path: &Path, name: &str) {
        let Ok(meta) = fs::symlink_metadata(path) else { return };
        self.name_key((meta.dev(), meta.ino()), name);
        if meta.is_dir() {
            for entry in fs::read_dir(path).into_iter().flatten().flatten() {
                let below = format!("{name}/{}", entry.file_name().to_string_lossy());
                self.found(&entry.path(), &below);
            }
        }
    }

    /// Takes up both ends of a pipe or of a pair of sockets.
    pub(crate) fn pair(&mut self, keys: [Key; 2], creator: &str) {
        for key in keys {
            self.name_key(key, creator);
        }
        self.seconds.insert(keys[1]);
    }

    pub(crate) fn name_key(&mut self, key: Key, name: &str) -> FileId {
        let id = FileId(self.names.number(name));
        self.known.insert(key, id);
        id
    }

    /// Gives a file that was just created the name of its creator.
    pub(crate) fn created(&mut self, path: &Path, creator: &str) -> Option<FileId> {
        let meta = fs::symlink_metadata(path).ok()?;
        Some(self.name_key((meta.dev(), meta.ino()), creator))
    }

    pub(crate) fn key_of(&self, id: FileId) -> Option<Key> {
        self.known.iter().find(|(_, known)| **known == id).map(|(key, _)| *key)
    }

    pub(crate) fn id_of(&self, key: Key) -> Option<FileId> {
        self.known.get(&key).copied()
    }

    /// Takes up a process that may hold locks.
    pub(crate) fn joined(&mut self, process: Pid) {
        self.processes.push(process);
    }

    /// The locks on the files that are wanted.
    pub(crate) fn locks(&self, wanted: &dyn Fn(Key) -> bool) -> Vec<LockLine> {
        kernel::locks(&self.processes, wanted)
    }

    pub(crate) fn opened(&mut self, pid: Pid, fd: RawFd) -> Opened {
        let Some(found) = kernel::descriptor(pid, fd) else { return Opened::Outside };
        let id = self.id_of(found.key);
        match (id, found.format) {
            (Some(id), libc::S_IFDIR) => Opened::Directory(id),
            (Some(id), libc::S_IFIFO) => Opened::Pipe(id, u8::from(Info::of(pid, fd).can_write())),
            (Some(id), libc::S_IFSOCK) => Opened::Socket(id, u8::from(self.seconds.contains(&found.key))),
            (Some(id), _) => Opened::File(id),
            (None, _) => Opened::Outside,
        }
    }

    /// The name that a path of the task leads to, if it is in the sandbox. `outside` pids are replaced in it.
    pub(crate) fn named(&self, at: (Pid, RawFd), text: &[u8], follow: bool, pids: &Pids) -> Option<Named> {
        let path = Path::new(OsStr::from_bytes(text));
        let path = match path.is_absolute() {
            true => path.to_owned(),
            false => kernel::directory(at.0, at.1)?.join(path),
        };
        if path.starts_with(&self.rundir) {
            return self.entry(&path, follow, pids, Vec::new());
        }
        if SYSTEM.iter().any(|system| path.starts_with(system)) {
            return None;
        }
        let real = path.canonicalize().ok()?;
        real.starts_with(&self.rundir).then(|| self.entry(&real, follow, pids, Vec::new()))?
    }

    fn entry(&self, path: &Path, follow: bool, pids: &Pids, links: Vec<(FileId, String)>) -> Option<Named> {
        let Some(name) = path.file_name() else {
            return self.entry(&path.canonicalize().ok()?, follow, pids, links);
        };
        let parent = path.parent()?;
        let parent = match parent == self.rundir || path == self.rundir {
            true => parent.to_owned(),
            false => self.nearest(parent),
        };
        let path = parent.join(name);
        let entry = match path == self.rundir {
            // In every run it has another.
            true => "{rundir}".to_owned(),
            false => pids.replace(&name.to_string_lossy()),
        };
        let dir = match fs::symlink_metadata(&parent) {
            Ok(meta) => self.id_of((meta.dev(), meta.ino())).unwrap_or(OUTSIDE),
            Err(_) => OUTSIDE,
        };
        let Ok(meta) = fs::symlink_metadata(&path) else {
            return Some(Named { dir, entry, path, there: None, links });
        };
        if meta.is_symlink() && follow && links.len() < LINKS_MAX {
            let target = parent.join(fs::read_link(&path).ok()?);
            let links = links.into_iter().chain([(dir, entry)]).collect();
            // One that leads out of the sandbox is a name there all the same.
            return self.entry(&target, follow, pids, links);
        }
        let there = self.id_of((meta.dev(), meta.ino())).map(|id| (id, meta.mode() & libc::S_IFMT));
        Some(Named { dir, entry, path, there, links })
    }

    /// The directory itself, or the last one above it that is there.
    fn nearest(&self, path: &Path) -> PathBuf {
        path.ancestors().find_map(|above| above.canonicalize().ok()).unwrap_or_else(|| self.rundir.clone())
    }

    pub(crate) fn rundir(&self) -> &Path {
        &self.rundir
    }

    /// What a file is called in every execution.
    pub(crate) fn name(&self, id: FileId) -> &str {
        self.names.text(id.0)
    }
}

/// A directory that is not in the sandbox.
const OUTSIDE: FileId = FileId(u32::MAX);

/// The process numbers of this execution, with what stands for them in every execution.
#[derive(Debug, Default)]
pub(crate) struct Pids(HashMap<i32, String>);

impl Pids {
    pub(crate) fn insert(&mut self, pid: Pid, name: &str) {
        self.0.insert(pid.as_raw(), name.to_owned());
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn name(&self, pid: i32) -> Option<&str> {
        self.0.get(&pid).map(String::as_str)
    }

    /// `text` with each number that is one of them replaced.
    pub(crate) fn replace(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
            let (before, from) = rest.split_at(start);
            let end = from.find(|c: char| !c.is_ascii_digit()).unwrap_or(from.len());
            let (digits, after) = from.split_at(end);
            out.push_str(before);
            match digits.parse().ok().and_then(|pid| self.0.get(&pid)) {
                Some(name) => {
                    // A number that is padded to a width has more blanks before it when it is shorter.
                    let unpadded = out.trim_end_matches(' ').len();
                    out.truncate(out.len().min(unpadded + 1));
                    out.push_str(name);
                }
                None => out.push_str(digits),
            }
            rest = after;
        }
        out.push_str(rest);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_processes_become_their_names() {
        let mut pids = Pids::default();
        pids.insert(Pid::from_raw(812), "B");
        assert_eq!(pids.replace("d.pid.tmp812"), "d.pid.tmpB");
        assert_eq!(pids.replace("8123 812\n"), "8123 B\n");
    }
}
