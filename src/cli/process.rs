//! Facts about a process, as plain values to be reported.

use crate::observe::{Fact, Ids, ObserveError, Observed, Process, Tree, from_ticks};
use crate::report;
use nix::unistd::Pid;
use std::fs;
use std::path::PathBuf;

/// `pid 812 (mydaemon)`, or without a name if it has none any more.
pub(super) fn named(pid: Pid) -> String {
    match comm(pid) {
        Some(comm) => format!("pid {pid} ({comm})"),
        None => format!("pid {pid}"),
    }
}

/// Its short name, if there is such a process.
pub(super) fn comm(pid: Pid) -> Option<String> {
    let process = Process::of(pid).ok()?.present()?;
    Some(process.comm.to_string_lossy().into_owned())
}

/// The process, if it lives: a zombie does not.
pub(super) fn living(pid: Pid) -> Result<Option<Process>, ObserveError> {
    let process = Process::of(pid)?.present();
    Ok(process.filter(|process| !process.is_zombie()))
}

pub(super) fn facts(process: &Process) -> report::Process {
    let path = |fact: &Fact<PathBuf>| fact.known().map(|path| path.display().to_string());
    report::Process {
        pid: process.pid.as_raw(),
        comm: process.comm.to_string_lossy().into_owned(),
        title: process.title().to_string_lossy().into_owned(),
        state: process.state.letter(),
        parent: process.ppid.as_raw(),
        parent_comm: comm(process.ppid),
        group: process.pgid.as_raw(),
        session: process.sid.as_raw(),
        terminal: process.tty.map(|tty| tty.to_string()),
        exe: path(&process.exe),
        cwd: path(&process.cwd),
        uids: ids(&process.uids),
        gids: ids(&process.gids),
        umask: process.umask.map(|umask| format!("{umask:03o}")),
        threads: process.threads,
        memory_kib: process.vm_rss_kib,
        age_s: age_s(process.start_time_ticks),
    }
}

fn ids<T: Copy + Into<u32>>(ids: &Ids<T>) -> report::Ids {
    let Ids { real, effective, saved, .. } = *ids;
    report::Ids { real: real.into(), effective: effective.into(), saved: saved.into() }
}

/// By the time since the machine was started; proc_uptime(5).
fn age_s(start_time_ticks: u64) -> Option<u64> {
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let uptime_s: u64 = uptime.split(['.', ' ']).next()?.parse().ok()?;
    Some(uptime_s.saturating_sub(from_ticks(start_time_ticks)?.as_secs()))
}

/// The parent, if it is the one that restarts the process: it says so in its name or its title.
pub(super) fn monitor_of(process: &Process) -> Option<Process> {
    let parent = living(process.ppid).ok()??;
    let title = parent.title().to_string_lossy().into_owned();
    let names_it = title.split(|c: char| !c.is_alphanumeric()).any(|word| word == process.pid.to_string());
    let is_monitor = parent.comm == "monitor" || title.contains("monitor") && names_it;
    is_monitor.then_some(parent)
}

/// The tree from the topmost ancestor that is in the same process group: the group is a daemon's own since it
/// detached, and under a shell it is that of one command.
pub(super) fn tree_around(process: &Process) -> Vec<String> {
    let mut top = process.clone();
    // A pid reused during the climb could close a circle.
    for _ in 0..64 {
        match living(top.ppid) {
            Ok(Some(parent)) if parent.pgid == process.pgid => top = parent,
            _ => break,
        }
    }
    match Tree::below(top.pid) {
        Ok(Observed::Present(tree)) => tree.to_string().lines().map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}
