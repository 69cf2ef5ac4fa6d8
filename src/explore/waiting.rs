//! Whether the operation that a task is about to make would block, and on what.

use std::os::fd::{AsFd, RawFd};

use nix::poll::PollFlags;

use super::effect::locked;
use super::family::Process;
use super::files::{Files, Opened};
use super::footprint::Footprint;
use super::kernel::{self, Signals};
use super::operation::{Kind, Lock, LockMode, Operation, Timeout};
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
        let (blocked, own) = (None, Footprint::new().read(Thing::Signals(self.process.id)));
        let (waits, mask) = match &operation.kind {
            Kind::Lock(lock) if lock.blocks && lock.mode != LockMode::Unlock => {
                (self.lock(lock, own), blocked)
            }
            Kind::Read { fd } => (self.pipe(*fd, PollFlags::POLLIN, own), blocked),
            Kind::Write { fd } => (self.pipe(*fd, PollFlags::POLLOUT, own), blocked),
            Kind::Poll { asked, timeout: Timeout::Event, mask } => (self.poll(asked, own), *mask),
            Kind::Socket { waits: Some((fd, events)), .. } => (self.poll(&[(*fd, *events)], own), blocked),
            Kind::Wait { pid, blocks: true, .. } => (self.children(*pid, own), blocked),
            Kind::Suspend { mask } => (Some(own), *mask),
            Kind::AwaitSignal { set, blocks: true } => (self.signal(*set, own), blocked),
            Kind::FutexWait { address, expected } => (self.futex(*address, *expected, own), blocked),
            // Who sleeps goes on when nobody else can: the lab sees to that.
            Kind::Sleep { .. } => (Some(own), blocked),
            _ => (None, blocked),
        };
        // A signal interrupts whatever would block.
        waits.filter(|_| {
            let signals = Signals::of(self.task.pid());
            signals.arriving(mask.unwrap_or(signals.blocked)) == 0
        })
    }

    fn lock(&mut self, lock: &Lock, own: Footprint<Thing>) -> Option<Footprint<Thing>> {
        let id = self.files.opened(self.task.pid(), lock.fd).id()?;
        let key = self.files.key_of(id)?;
        let mine = kernel::fdinfo(self.task.pid(), lock.fd);
        let pid = self.process.pid.as_raw();
        let blocking = self.files.locks(&|other| other == key).into_iter().any(|held| {
            let overlaps = held.first <= lock.last && lock.first <= held.last;
            let excludes = held.exclusive || lock.mode == LockMode::Exclusive;
            let own = match lock.description {
                // Its own description shows the locks that it has.
                true => held.kind != "POSIX" && own_line(&mine, &held),
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
        let non_blocking = kernel::never_blocks(self.task.pid(), fd);
        let ready = kernel::ready(self.process.pidfd.as_fd(), fd, events);
        let waits = !non_blocking && ready.is_some_and(|events| events.is_empty());
        waits.then(|| own.write(Thing::Data(id)).read(Thing::End(id, 1 - end)))
    }

    fn poll(&mut self, asked: &[(RawFd, i16)], own: Footprint<Thing>) -> Option<Footprint<Thing>> {
        let pid = self.task.pid();
        let pending = Signals::of(pid).pending;
        let mut waits = own;
        for &(fd, events) in asked {
            let watched = kernel::epoll_targets(pid, fd);
            for fd in watched.into_iter().chain([fd]) {
                if let Some(mask) = kernel::signalfd_mask(pid, fd) {
                    // A copy of the descriptor would report the signals of whoever asks it.
                    if pending & mask != 0 {
                        return None;
                    }
                    waits = waits.write(Thing::Blocked(self.process.id));
                }
            }
            if kernel::signalfd_mask(pid, fd).is_none() {
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

/// Whether one of the lines of fdinfo is about the lock that `/proc/locks` shows.
fn own_line(fdinfo: &str, held: &kernel::LockLine) -> bool {
    let last = if held.last == i64::MAX { "EOF".to_owned() } else { held.last.to_string() };
    let range = format!(" {} {last}", held.first);
    fdinfo
        .lines()
        .any(|line| line.starts_with("lock:") && line.contains(&held.kind) && line.ends_with(&range))
}
