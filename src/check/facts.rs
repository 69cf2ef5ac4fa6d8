//! What one look at a running daemon shows.

use super::driving::Mode;
use super::outcome::{No, cannot_tell};
use crate::fixture::{Sandbox, Subject};
use crate::observe::{
    Descriptors, HeldLock, Inode, Lock, Observed, Pidfile, PidfileContent, Process, State, Tree,
};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// One process of the daemon's tree.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) process: Process,
    /// Empty if they may not be looked at: see [`Facts::hidden`].
    pub(super) descriptors: Vec<Descriptor>,
}

/// A descriptor, as far as checks look at it.
#[derive(Debug, Clone)]
pub(super) struct Descriptor {
    pub(super) fd: i32,
    pub(super) inode: Option<Inode>,
    pub(super) locks: Vec<Lock>,
    pub(super) shown: String,
}

/// What one look at a running daemon shows.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) pidfile: Pidfile,
    /// The living processes, by number.
    pub(super) members: Vec<Member>,
    pub(super) daemon: Pid,
    pub(super) monitor: Option<Pid>,
    /// Which processes hold locks on the rundir or what is in it, the pidfile's first.
    pub(super) locks: Vec<(OsString, HeldLock)>,
    /// Dead processes that the monitor has not waited for.
    pub(super) zombies: Vec<Pid>,
    pub(super) tree: String,
    /// A process whose descriptors may not be looked at.
    pub(super) hidden: Option<Pid>,
}

impl Facts {
    /// Looks at what runs. `None` if nothing does.
    pub(super) fn of(sandbox: &Sandbox, subject: &Subject, mode: Mode) -> Result<Option<Self>, No> {
        let Observed::Present(tree) = Tree::below(subject.reaper())? else {
            return Ok(None);
        };
        let (mut members, mut zombies, mut hidden) = (Vec::new(), Vec::new(), None);
        for pid in tree.pids().filter(|&pid| pid != subject.reaper()) {
            let Observed::Present(process) = Process::of(pid)? else {
                continue;
            };
            // A command that should have returned is no part of the daemon.
            if mode.detached && pid == subject.pid() {
                continue;
            }
            match process.is_zombie() {
                // The reaper is about to wait for its own.
                true if process.ppid == subject.reaper() => {}
                true => zombies.push((pid, process.ppid)),
                false => {
                    let seen = descriptors(pid);
                    hidden = hidden.or(seen.is_none().then_some(pid));
                    members.push(Member { descriptors: seen.unwrap_or_default(), process });
                }
            }
        }
        let pidfile = Pidfile::at(sandbox.pidfile());
        let Some(daemon) = find_daemon(&members, &pidfile, subject, mode) else {
            return Ok(None);
        };
        let monitor = monitor_of(&members, daemon, mode);
        // Workers that a daemon has not waited for yet are its own affair.
        let zombies = zombies.into_iter().filter(|(_, parent)| Some(*parent) == monitor);
        let mut facts = Self {
            zombies: zombies.map(|(pid, _)| pid).collect(),
            monitor,
            hidden,
            locks: Vec::new(),
            tree: tree.to_string(),
            pidfile,
            members,
            daemon,
        };
        facts.locks = facts.find_locks(sandbox);
        Ok(Some(facts))
    }

    fn find_locks(&self, sandbox: &Sandbox) -> Vec<(OsString, HeldLock)> {
        let locked: Vec<(Inode, HeldLock)> = self.members.iter().flat_map(Member::locks).collect();
        // Most of what a daemon puts there is of no interest, and it may be a lot.
        if locked.is_empty() {
            return Vec::new();
        }
        let mut held: Vec<(OsString, HeldLock)> = inodes(sandbox.rundir())
            .flat_map(|(name, inode)| {
                let here = locked.iter().filter(move |(of, _)| *of == inode);
                here.map(move |(_, lock)| (name.clone(), *lock))
            })
            .collect();
        held.sort_by_key(|(name, _)| name != "daemon.pid");
        held
    }

    pub(super) fn pids(&self) -> impl Iterator<Item = Pid> {
        self.members.iter().map(|member| member.process.pid)
    }

    pub(super) fn member(&self, pid: Pid) -> Option<&Member> {
        self.members.iter().find(|member| member.process.pid == pid)
    }

    pub(super) fn is_alive(&self, pid: Pid) -> bool {
        self.member(pid).is_some()
    }

    /// What the daemon executes, where that is known.
    pub(super) fn program(&self) -> Option<&Path> {
        self.member(self.daemon)?.process.exe.known().map(PathBuf::as_path)
    }

    pub(super) fn processes(&self) -> impl Iterator<Item = &Process> {
        self.members.iter().map(|member| &member.process)
    }

    /// Whether the pidfile names a living process of the tree.
    pub(super) fn pidfile_names_member(&self) -> bool {
        self.pidfile.pid().is_some_and(|pid| self.is_alive(pid))
    }

    /// Whether more than a pid is in the pidfile.
    pub(super) fn pidfile_has_more_lines(&self) -> bool {
        matches!(&self.pidfile.content, PidfileContent::Pid { rest, .. } if !rest.is_empty())
    }

    /// The title of the monitor; empty without one.
    pub(super) fn monitor_title(&self) -> String {
        let monitor = self.monitor.and_then(|monitor| self.member(monitor));
        monitor.map_or_else(String::new, |member| member.process.title().to_string_lossy().into_owned())
    }

    /// How many descriptors the monitor has.
    pub(super) fn monitor_descriptors(&self) -> Option<usize> {
        Some(self.member(self.monitor?)?.descriptors.len())
    }

    /// Whom to signal in order to stop the daemon: whom the pidfile names.
    pub(super) fn to_stop(&self) -> Pid {
        self.pidfile.pid().filter(|pid| self.is_alive(*pid)).unwrap_or(self.daemon)
    }

    /// Fails unless the descriptors of all processes may be looked at.
    pub(super) fn all_seen(&self) -> Result<&Self, No> {
        match self.hidden {
            Some(pid) => cannot_tell(format!("the descriptors of {} may not be looked at", self.name(pid))),
            None => Ok(self),
        }
    }

    /// The names of all members.
    pub(super) fn names(&self) -> Vec<String> {
        self.pids().map(|pid| self.name(pid)).collect()
    }

    /// `pid 812 (mydaemon)`.
    pub(super) fn name(&self, pid: Pid) -> String {
        match self.member(pid) {
            Some(member) => format!("pid {pid} ({})", member.process.comm.display()),
            None => format!("pid {pid}"),
        }
    }
}

impl Member {
    /// The locks that it holds, and on which files.
    fn locks(&self) -> impl Iterator<Item = (Inode, HeldLock)> {
        let pid = self.process.pid;
        self.descriptors.iter().filter_map(|descriptor| Some((descriptor.inode?, descriptor))).flat_map(
            move |(inode, descriptor)| {
                let held = move |&lock| (inode, HeldLock { pid, fd: descriptor.fd, lock });
                descriptor.locks.iter().map(held)
            },
        )
    }
}

/// Whether it runs, or would if it got a processor, what it reads from a disk, or an answer about the time.
pub(super) fn is_busy(process: &Process) -> bool {
    matches!(process.state, State::Running | State::DiskSleep | State::Traced)
}

/// A directory, by the name `.`, and all that is in it.
fn inodes(directory: &Path) -> impl Iterator<Item = (OsString, Inode)> {
    let itself = fs::metadata(directory).map(|data| (OsString::from("."), Inode::of(&data)));
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let entries = entries.filter_map(|entry| Some((entry.file_name(), Inode::of(&entry.metadata().ok()?))));
    itself.into_iter().chain(entries)
}

/// `None` if they may not be looked at.
fn descriptors(pid: Pid) -> Option<Vec<Descriptor>> {
    let Observed::Present(descriptors) = Descriptors::of(pid).ok()? else {
        return Some(Vec::new());
    };
    let descriptor = |descriptor: &crate::observe::Descriptor| Descriptor {
        fd: descriptor.fd,
        inode: descriptor.inode,
        locks: descriptor.locks.clone(),
        shown: descriptor.target.to_string(),
    };
    Some(descriptors.iter().map(descriptor).collect())
}

/// The process that the pidfile names, if it is one of the tree, or what that watches over. Otherwise the topmost
/// one, or, if that is a monitor, the youngest of its children: the others help it.
fn find_daemon(members: &[Member], pidfile: &Pidfile, subject: &Subject, mode: Mode) -> Option<Pid> {
    let find = |pid: Pid| members.iter().find(|member| member.process.pid == pid);
    let children_of = |parent: Pid| members.iter().filter(move |member| member.process.ppid == parent);
    let child_of = |parent: Pid| children_of(parent).max_by_key(|member| member.process.start_time_ticks);
    if let Some(named) = pidfile.pid().and_then(find) {
        // The topmost one is the monitor, and may be who is to be signalled.
        let watches = mode.monitored && find(named.process.ppid).is_none();
        let daemon = child_of(named.process.pid).filter(|_| watches).unwrap_or(named);
        return Some(daemon.process.pid);
    }
    let top = child_of(subject.reaper()).or_else(|| child_of(subject.pid()))?.process.pid;
    let child = child_of(top).filter(|_| mode.monitored);
    Some(child.map_or(top, |child| child.process.pid))
}

fn monitor_of(members: &[Member], daemon: Pid, mode: Mode) -> Option<Pid> {
    let parent = members.iter().find(|member| member.process.pid == daemon)?.process.ppid;
    let is_member = members.iter().any(|member| member.process.pid == parent);
    (mode.monitored && is_member).then_some(parent)
}
