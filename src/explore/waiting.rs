//! Whether the operation that a task is about to make would block, and on what.

use std::os::fd::{AsFd, RawFd};

use nix::poll::PollFlags;

use super::effect::locked;
use super::family::Process;
use super::files::{Files, Opened};
use super::footprint::Footprint;
use super::kernel::{self, Info, LockLine, Signals};
use super::operation::{Kind, Lock, LockMode, Operation, Patience, Timeout};
use super::place::Thing;
use crate::trace::Stopped;

/// A task before an operation, with what is needed to ask.
pub(crate) struct Asked<'a> {
    pub(crate) task: &'a Stopped,
    pub(crate) process: &'a Process,
    pub(crate) files: &'a mut Files,
    pub(crate) sockets: bool,
    /// The children of the process, with whether each has ended and waits to be reaped.
    pub(crate) children: &'a [(i32, bool)],
}

impl Asked<'_> {
    /// What the operation would touch and waits for; `None` if it can be made now.
    pub(crate) fn waits(&mut self, operation: &Operation) -> Option<Footprint<Thing>> {
        let own = Footprint::new().read(Thing::Signals(self.process.id));
        let waits = match &operation.kind {
            Kind::Lock(lock) if lock.blocks && lock.mode != LockMode::Unlock => self.lock(lock, own),
            Kind::Read { patience: Patience::Nothing, .. }
            | Kind::Write { patience: Patience::Nothing, .. } => None,
            Kind::Read { fd, .. } => self.pipe(*fd, PollFlags::POLLIN, own),
            Kind::Write { fd, .. } => self.pipe(*fd, PollFlags::POLLOUT, own),
            Kind::Poll { asked, timeout: Timeout::Event, .. } => self.poll(asked, own),
            Kind::Socket { waits: Some((fd, events)), .. } => self.poll(&[(*fd, *events)], own),
            Kind::Wait { pid, blocks: true, .. } => self.children(*pid, own),
            Kind::AwaitSignal { set, blocks: true } => self.signal(*set, own),
            Kind::FutexWait { address, expected } => self.futex(*address, *expected, own),
            // Who sleeps goes on when nobody else can: the lab sees to that.
            Kind::Suspend { .. } | Kind::Sleep { .. } => Some(own),
            _ => None,
        };
        // A signal interrupts whatever would block.
        waits.filter(|_| {
            let signals = Signals::of(self.task.pid());
            let blocked = match &operation.kind {
                Kind::Poll { mask: Some(mask), .. } | Kind::Suspend { mask: Some(mask) } => *mask,
                _ => signals.blocked,
            };
            signals.arriving(blocked) == 0
        })
    }

    fn lock(&mut self, lock: &Lock, own: Footprint<Thing>) -> Option<Footprint<Thing>> {
        let id = self.files.opened(self.task.pid(), lock.fd).id()?;
        let key = self.files.key_of(id)?;
        let mine: Vec<LockLine> = Info::of(self.task.pid(), lock.fd).locks(key).collect();
        let pid = self.process.pid.as_raw();
        let blocking = self.files.locks(&|other| other == key).into_iter().any(|held| {
            let overlaps = held.first <= lock.last && lock.first <= held.last;
            let excludes = held.exclusive || lock.mode == LockMode::Exclusive;
            let own = match lock.description {
                // Its own description shows the locks that it has.
                true => held.kind != "POSIX" && mine.iter().any(|mine| mine.is(&held)),
                false => held.kind == "POSIX" && held.pid == pid,
            };
            held.is_flock() == lock.flock && overlaps && excludes && !own
        });
        // What it will do when it gets it is part of what it waits for.
        blocking.then(|| own.write(locked(id, lock)))
    }

    fn pipe(&mut self, fd: RawFd, events: PollFlags, own: Footprint<Thing>) -> Option<Footprint<Thing>> {
        let opened = self.files.opened(self.task.pid(), fd);
        let (Opened::Pipe(id, end) | Opened::Socket(id, end)) = opened else { return None };
        let non_blocking = Info::of(self.task.pid(), fd).never_blocks();
        let ready = kernel::ready(self.process.pidfd.as_fd(), fd, events);
        let waits = !non_blocking && ready.is_some_and(|events| events.is_empty());
        waits.then(|| own.write(Thing::Data(id)).read(Thing::End(id, 1 - end)))
    }

    fn poll(&mut self, asked: &[(RawFd, i16)], own: Footprint<Thing>) -> Option<Footprint<Thing>> {
        let pid = self.task.pid();
        let mut waits = own;
        for &(fd, events) in asked {
            let info = Info::of(pid, fd);
            let reported = info.watched().map(|fd| Info::of(pid, fd).signals());
            for mask in reported.chain([info.signals()]).flatten() {
                // A copy of the descriptor would report the signals of whoever asks it.
                if Signals::of(pid).pending & mask != 0 {
                    return None;
                }
                waits = waits.write(Thing::Blocked(self.process.id));
            }
            if info.signals().is_none() {
                let events = PollFlags::from_bits_truncate(events);
                if kernel::ready(self.process.pidfd.as_fd(), fd, events).is_none_or(|now| !now.is_empty()) {
                    return None;
                }
            }
            waits = match self.files.opened(pid, fd) {
                Opened::Pipe(id, end) | Opened::Socket(id, end) => {
                    waits.read(Thing::Data(id)).read(Thing::End(id, 1 - end))
                }
                _ if self.sockets => waits.read(Thing::Sockets),
                _ => waits,
            };
        }
        Some(waits)
    }

    fn children(&self, pid: Option<i32>, own: Footprint<Thing>) -> Option<Footprint<Thing>> {
        let mut candidates = self.children.iter().filter(|(child, _)| pid.is_none_or(|pid| pid == *child));
        let none = candidates.clone().next().is_none();
        let ended = candidates.any(|(_, ended)| *ended);
        (!none && !ended).then(|| own.write(Thing::Children(self.process.id)))
    }

    fn signal(&self, set: u64, own: Footprint<Thing>) -> Option<Footprint<Thing>> {
        let pending = Signals::of(self.task.pid()).pending & set;
        (pending == 0).then(|| own.write(Thing::Blocked(self.process.id)))
    }

    fn futex(&self, address: u64, expected: u32, own: Footprint<Thing>) -> Option<Footprint<Thing>> {
        let waits = self.task.word(address) == Some(expected);
        waits.then(|| own.write(Thing::Memory(self.process.id)))
    }
}
