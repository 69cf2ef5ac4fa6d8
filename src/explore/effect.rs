//! What an operation touches: known in part before it is made, and for the rest from its result.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};

use nix::libc;
use nix::unistd::Pid;

use super::files::{Files, Named, Opened};
use super::footprint::{Access, Footprint};
use super::kernel::{self, Info, Key, LockLine};
use super::operation::{Kind, Lock, LockMode, Operation, Patience};
use super::place::{FileId, Thing};
use super::system::TaskId;

/// What is kept from before the operation.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    always: Vec<(Thing, Access)>,
    succeeded: Vec<(Thing, Access)>,
    failed: Vec<(Thing, Access)>,
    /// What a transfer has touched if nothing was transferred.
    in_vain: Vec<(Thing, Access)>,
    everything: bool,
    /// Whether sockets are followed.
    sockets: bool,
    /// A name that may lead to a new file afterwards.
    creates: Option<PathBuf>,
    /// What is opened has no name yet.
    nameless: bool,
    pipe: Option<u64>,
    /// Files whose size may change, where they are, and their size.
    sizes: Vec<(FileId, PathBuf, Option<u64>)>,
    locked: Vec<LockLine>,
    note: Option<String>,
}

/// What the operation turned out to have done.
#[derive(Debug)]
pub(crate) struct Effect {
    pub(crate) footprint: Footprint<Thing>,
    pub(crate) created: Option<FileId>,
    /// The locks that ended, or were taken.
    pub(crate) released: Vec<FileId>,
    pub(crate) note: Option<String>,
}

/// Who makes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Maker {
    pub(crate) pid: Pid,
    pub(crate) process: TaskId,
}

impl Plan {
    pub(crate) fn of(operation: &Operation, maker: Maker, files: &mut Files, sockets: bool) -> Self {
        let mut plan = Plan { sockets, ..Plan::default() };
        match &operation.kind {
            Kind::Open { at, flags } => plan.open(at, *flags),
            Kind::Remove { at } => {
                plan.name(at, Access::Write);
                plan.links_of(at);
            }
            Kind::Rename { from, to } => {
                plan.name(from, Access::Write);
                plan.name(to, Access::Write);
                plan.links_of(to);
                plan.note = Some(moved(from, to));
            }
            Kind::Link { from, to } => {
                plan.name(from, Access::Read);
                plan.name(to, Access::Write);
                plan.links_of(from);
            }
            Kind::Make { at } => {
                plan.name(at, Access::Write);
                plan.creates = Some(at.path.clone());
            }
            Kind::Name { at, file } => {
                plan.name(at, Access::Write);
                plan.succeeded.extend(file.map(|id| (Thing::Meta(id), Access::Write)));
            }
            Kind::Look { at, meta } => {
                plan.name(at, Access::Read);
                if *meta && let Some((id, _)) = at.there {
                    plan.stat(id);
                }
            }
            Kind::Change { at, content } => {
                plan.name(at, Access::Read);
                if let Some((id, _)) = at.there {
                    plan.succeeded.push((inside(id, *content), Access::Write));
                    plan.measure(id, &at.path);
                }
            }
            Kind::Execute { at } => {
                if let Some(at) = at {
                    plan.name(at, Access::Read);
                    plan.always.extend(at.there.map(|(id, _)| (Thing::Content(id), Access::Read)));
                }
                let closing = kernel::descriptors(maker.pid).into_iter();
                let closing: Vec<_> =
                    closing.filter(|fd| Info::of(maker.pid, *fd).closes_on_exec()).collect();
                plan.closing(&closing, maker.pid, files);
            }
            kind => plan.of_descriptors(kind, maker, files),
        }
        plan
    }

    /// The end of a process: every descriptor and lock of it.
    pub(crate) fn of_end(maker: Maker, files: &mut Files, sockets: bool) -> Self {
        let mut plan = Plan { sockets, ..Plan::default() };
        plan.closing(&kernel::descriptors(maker.pid), maker.pid, files);
        plan
    }

    fn of_descriptors(&mut self, kind: &Kind, maker: Maker, files: &mut Files) {
        let opened = |files: &mut Files, fd: RawFd| files.opened(maker.pid, fd);
        match kind {
            Kind::Close { fds } => self.closing(fds, maker.pid, files),
            Kind::Read { fd, patience } | Kind::Write { fd, patience } => {
                let writes = matches!(kind, Kind::Write { .. });
                match opened(files, *fd) {
                    Opened::Pipe(id, end) | Opened::Socket(id, end) => {
                        let other = Thing::End(id, 1 - end);
                        self.always.push((Thing::Data(id), Access::Write));
                        // What there is to read is read whether the other end is closed or not.
                        match writes || *patience == Patience::All {
                            true => self.always.push((other, Access::Read)),
                            false => self.in_vain.push((other, Access::Read)),
                        }
                    }
                    opened => {
                        if let Some(id) = opened.id().filter(|_| writes) {
                            self.measure(id, &opened_path(maker.pid, *fd));
                        }
                        let access = if writes { Access::Write } else { Access::Read };
                        self.always.extend(opened.id().map(|id| (Thing::Content(id), access)));
                    }
                }
            }
            Kind::List { fd } => {
                let listed = opened(files, *fd).id().map(|id| (Thing::Listing(id), Access::Read));
                self.always.extend(listed);
            }
            Kind::Stat { fd } => {
                if let Some(id) = opened(files, *fd).id() {
                    self.stat(id);
                }
            }
            Kind::ChangeOpened { fd, content } => {
                if let Some(id) = opened(files, *fd).id() {
                    self.succeeded.push((inside(id, *content), Access::Write));
                    self.measure(id, &opened_path(maker.pid, *fd));
                }
            }
            Kind::Lock(lock) => self.lock(lock, opened(files, lock.fd)),
            Kind::TestLock(lock) => {
                self.always.extend(opened(files, lock.fd).id().map(|id| (locked(id, lock), Access::Read)));
            }
            Kind::MakePipe { fds } => self.pipe = Some(*fds),
            Kind::Poll { asked, .. } => {
                for (fd, _) in asked {
                    self.polled(opened(files, *fd), maker, *fd);
                }
            }
            Kind::Socket { at, .. } => {
                if self.sockets {
                    self.always.push((Thing::Sockets, Access::Write));
                }
                if let Some(at) = at {
                    self.name(at, Access::Write);
                    self.creates = Some(at.path.clone());
                }
            }
            Kind::Unknown => self.everything = true,
            // Processes and signals are the business of the lab.
            _ => {}
        }
    }

    fn open(&mut self, at: &Named, flags: i32) {
        if flags & libc::O_TMPFILE == libc::O_TMPFILE {
            self.name(at, Access::Read);
            self.nameless = true;
            return;
        }
        match at.there {
            None if flags & libc::O_CREAT != 0 => {
                self.name(at, Access::Write);
                self.creates = Some(at.path.clone());
            }
            None => self.name(at, Access::Read),
            Some((id, _)) => {
                self.name(at, Access::Read);
                if flags & libc::O_TRUNC != 0 {
                    self.succeeded.push((Thing::Content(id), Access::Write));
                    self.measure(id, &at.path);
                }
            }
        }
    }

    /// The size of a file may change, which fstat(2) tells.
    fn measure(&mut self, id: FileId, path: &Path) {
        self.sizes.push((id, path.to_owned(), size(path)));
    }

    /// A name that the operation looks at or, if it succeeds, changes.
    fn name(&mut self, at: &Named, access: Access) {
        for (dir, entry) in &at.links {
            self.always.push((Thing::Name { dir: *dir, entry: entry.clone() }, Access::Read));
        }
        let name = Thing::Name { dir: at.dir, entry: at.entry.clone() };
        if access == Access::Write {
            self.succeeded.push((Thing::Listing(at.dir), Access::Release));
            self.succeeded.push((name.clone(), Access::Write));
            self.failed.push((name, Access::Read));
        } else {
            self.always.push((name, access));
        }
    }

    /// The number of links changes, which fstat(2) tells.
    fn links_of(&mut self, at: &Named) {
        self.succeeded.extend(at.there.map(|(id, _)| (Thing::Meta(id), Access::Write)));
    }

    fn stat(&mut self, id: FileId) {
        self.always.extend([(Thing::Meta(id), Access::Read), (Thing::Size(id), Access::Read)]);
    }

    fn lock(&mut self, lock: &Lock, opened: Opened) {
        let Some(id) = opened.id() else { return };
        let access = if lock.mode == LockMode::Unlock { Access::Release } else { Access::Write };
        self.succeeded.push((locked(id, lock), access));
        self.failed.push((locked(id, lock), Access::Read));
    }

    fn polled(&mut self, opened: Opened, maker: Maker, fd: RawFd) {
        match opened {
            Opened::Pipe(id, end) | Opened::Socket(id, end) => {
                let other = Thing::End(id, 1 - end);
                self.always.extend([(Thing::Data(id), Access::Read), (other, Access::Read)]);
            }
            Opened::Outside => {
                let info = Info::of(maker.pid, fd);
                let found = kernel::descriptor(maker.pid, fd);
                let is_socket = found.is_some_and(|found| found.is(libc::S_IFSOCK));
                if self.sockets && (is_socket || info.watched().next().is_some()) {
                    self.always.push((Thing::Sockets, Access::Read));
                }
                let reports = |fd| Info::of(maker.pid, fd).signals().is_some();
                if info.signals().is_some() || info.watched().any(reports) {
                    self.always.push((Thing::Blocked(maker.process), Access::Read));
                }
            }
            _ => {}
        }
    }

    /// Descriptors that are about to be closed: what hangs on them may end.
    fn closing(&mut self, fds: &[RawFd], pid: Pid, files: &mut Files) {
        let mut watched: BTreeSet<Key> = BTreeSet::new();
        for &fd in fds {
            match files.opened(pid, fd) {
                Opened::Pipe(id, end) | Opened::Socket(id, end) => {
                    self.always.push((Thing::End(id, end), Access::Release));
                }
                Opened::File(id) | Opened::Directory(id)
                    if files.key_of(id).is_some_and(|key| Info::of(pid, fd).locks(key).next().is_some()) =>
                {
                    watched.extend(files.key_of(id));
                    self.always.push((Thing::Held(id), Access::Write));
                }
                Opened::Outside
                    if self.sockets
                        && kernel::descriptor(pid, fd).is_some_and(|found| found.is(libc::S_IFSOCK)) =>
                {
                    self.always.push((Thing::Sockets, Access::Write));
                }
                _ => {}
            }
        }
        if !watched.is_empty() {
            self.locked = files.locks(&|key| watched.contains(&key));
        }
    }

    /// What the operation has done, after `result`, by the task whose operation is called `creator`.
    pub(crate) fn effect(self, result: i64, creator: &str, task: &Pipes, files: &mut Files) -> Effect {
        if self.everything {
            let footprint = Footprint::everything();
            return Effect { footprint, created: None, released: Vec::new(), note: None };
        }
        let mut footprint = Footprint::new();
        let succeeded = result >= 0;
        let depends = if succeeded { self.succeeded } else { self.failed };
        let in_vain = self.in_vain.into_iter().filter(|_| result <= 0);
        for (place, access) in self.always.into_iter().chain(depends).chain(in_vain) {
            footprint.add(place, access);
        }
        let mut created = self.creates.filter(|_| succeeded).and_then(|path| files.created(&path, creator));
        if self.nameless && succeeded {
            let found = kernel::descriptor(task.pid, result as RawFd);
            created = found.map(|found| files.name_key(found.key, creator));
        }
        if let Some(fds) = self.pipe.filter(|_| succeeded).and_then(|address| task.pair(address))
            && let [Some(first), Some(second)] = fds.map(|fd| kernel::descriptor(task.pid, fd))
        {
            files.pair([first.key, second.key], creator);
        }
        for (id, path, before) in self.sizes {
            if size(&path) != before {
                footprint.add(Thing::Size(id), Access::Write);
            }
        }
        let released = released(&self.locked, &mut footprint, files);
        let note = self.note.filter(|_| succeeded);
        Effect { footprint, created, released, note }
    }
}

/// Where pipe(2) has put its two descriptors.
pub(crate) struct Pipes<'a> {
    pub(crate) pid: Pid,
    pub(crate) task: Option<&'a crate::trace::Stopped>,
}

impl Pipes<'_> {
    fn pair(&self, address: u64) -> Option<[RawFd; 2]> {
        let task = self.task?;
        Some([task.word(address)?.cast_signed(), task.word(address + 4)?.cast_signed()])
    }
}

/// Which of these locks are gone.
fn released(before: &[LockLine], footprint: &mut Footprint<Thing>, files: &Files) -> Vec<FileId> {
    if before.is_empty() {
        return Vec::new();
    }
    let keys: BTreeSet<Key> = before.iter().map(|lock| lock.key).collect();
    let after = files.locks(&|key| keys.contains(&key));
    let mut gone = Vec::new();
    for lock in before.iter().filter(|lock| !after.iter().any(|left| left.is(lock))) {
        if let Some(file) = files.id_of(lock.key) {
            let place = Thing::Lock { file, flock: lock.is_flock(), first: lock.first, last: lock.last };
            footprint.add(place, Access::Release);
            gone.push(file);
        }
    }
    gone
}

fn size(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|meta| meta.len())
}

fn opened_path(pid: Pid, fd: RawFd) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/fd/{fd}"))
}

fn inside(id: FileId, content: bool) -> Thing {
    if content { Thing::Content(id) } else { Thing::Meta(id) }
}

pub(crate) fn locked(file: FileId, lock: &Lock) -> Thing {
    Thing::Lock { file, flock: lock.flock, first: lock.first, last: lock.last }
}

fn moved(from: &Named, to: &Named) -> String {
    format!("{} now leads to what {} led to", to.entry, from.entry)
}
