//! Who holds which lock on a file.

use super::process::{comm, named};
use crate::observe::{
    Lock, LockKind, LockState, Locker, ObserveError, lock_state, locks_on, posix_write_locker,
};
use nix::unistd::Pid;
use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// Every lock on the file with its holders, a line each.
///
/// `/proc/locks` has them all, but names no holder of an OFD lock, and for an flock the process that took it. Those
/// that share its open file description are found by their descriptors, as far as this user may see them.
pub(super) fn locks(path: &Path) -> Result<Vec<String>, ObserveError> {
    let LockState { held, awaited, .. } = lock_state(path)?;
    let is_shared = |lock: &Lock| matches!(lock.kind, LockKind::Flock | LockKind::Ofd);
    let holders = match held.iter().any(is_shared) {
        true => holders(path),
        false => HashMap::new(),
    };
    let held = held.iter().map(|lock| match holders.get(lock) {
        Some(pids) if is_shared(lock) => held_by(lock, pids),
        _ => taken_by(lock),
    });
    let awaited = awaited.iter().map(|lock| format!("waiting: {}", taken_by(lock)));
    let mut lines: Vec<_> = held.chain(awaited).collect();
    // The kernel does not list a lock of another PID namespace, but it does refuse one because of it.
    if lines.is_empty() && matches!(posix_write_locker(path), Ok(Some(Locker::OtherNamespace))) {
        lines.push(format!("write lock of {}", Locker::OtherNamespace));
    }
    Ok(lines)
}

fn taken_by(lock: &Lock) -> String {
    match lock.pid() {
        Some(pid) => format!("{lock}{}", in_parentheses(pid)),
        None => lock.to_string(),
    }
}

fn held_by(lock: &Lock, pids: &[Pid]) -> String {
    let pids = pids.iter().map(|pid| named(*pid)).collect::<Vec<_>>().join(", ");
    format!("{lock}, held by {pids}")
}

/// The process's name, to stand behind its pid.
fn in_parentheses(pid: Pid) -> String {
    comm(pid).map_or_else(String::new, |comm| format!(" ({comm})"))
}

/// Which processes hold each shared lock on the file.
fn holders(path: &Path) -> HashMap<Lock, Vec<Pid>> {
    let mut holders: HashMap<Lock, Vec<Pid>> = HashMap::new();
    for pid in all_pids() {
        // Those of other users are hidden, and what is gone holds nothing.
        for held in locks_on(path, &[pid]).unwrap_or_default() {
            let pids = holders.entry(held.lock).or_default();
            if pids.last() != Some(&pid) {
                pids.push(pid);
            }
        }
    }
    holders
}

fn all_pids() -> Vec<Pid> {
    let names = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.file_name());
    let mut pids: Vec<_> = names.filter_map(|name| name.to_str()?.parse().ok()).map(Pid::from_raw).collect();
    pids.sort_unstable();
    pids
}
