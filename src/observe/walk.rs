//! The processes below a process, by the kernel's lists of children.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use nix::unistd::Pid;

use super::bytes::{number, words};
use super::proc_dir::read_short;
use super::stat::Stat;

/// How often the lists are read until it is given up to find them quiet.
const PASSES: u32 = 8;

/// The process `root` and all below it, or `None` if the lists cannot be read or do not come to rest. One that is below it
/// from the beginning to the end is not missed.
///
/// `/proc/PID/task/TID/children` need be read of these only, and not of all processes of the machine. But each list is
/// read at another moment, and one that is there all the time could be missed
///
/// * because the kernel passes over some when one that it has just listed leaves the list;
/// * because it leaves a list that is still to be read for one that has been: when a task ends, another thread of its
///   process inherits its children, or a subreaper above. Its parent may have been reaped before it was met itself.
///
/// So two passes in a row must find the same lists, and in the second
///
/// * each process that was listed is there afterwards, as a child of the one that lists it: none was passed over;
/// * each task that was ending after its list was read was a zombie in the first already, and had no children any more:
///   none left a list in vain.
///
/// What came into a list after the first pass had read it, and was gone when the second did, has been reaped. Its own
/// children went into the same list before that, and the second pass would have met them there, not having met them in the
/// first.
pub(super) fn below(root: Pid) -> Option<BTreeMap<Pid, Stat>> {
    let mut before = None;
    for _ in 0..PASSES {
        let pass = Pass::from(root);
        match (before, pass) {
            (Some(before), Some(pass)) if pass.confirms(&before) => return Some(pass.stats),
            (_, pass) => before = pass,
        }
    }
    None
}

/// What was read once, from the root downwards.
#[derive(Debug, Default)]
struct Pass {
    stats: BTreeMap<Pid, Stat>,
    /// The children of each thread.
    lists: BTreeMap<Pid, Vec<Pid>>,
    /// The threads that were ending after their list was read.
    ending: BTreeSet<Pid>,
    /// Those that had ended, and whose children others had inherited.
    ended: BTreeSet<Pid>,
}

impl Pass {
    /// `None` if one is not there any more, or not shown, or not where it was listed.
    fn from(root: Pid) -> Option<Self> {
        let mut pass = Self::default();
        let mut pending = vec![(root, None)];
        while let Some((pid, parent)) = pending.pop() {
            let stat = pass.read(pid, pid, &mut pending)?;
            if stat.threads > 1 {
                for thread in threads(pid)?.filter(|thread| *thread != pid) {
                    pass.read(pid, thread, &mut pending)?;
                }
            }
            let is_its_child = parent.is_none_or(|parent| stat.ppid == parent);
            let is_met_again = pass.stats.insert(pid, stat).is_some();
            if !is_its_child || is_met_again {
                return None;
            }
        }
        Some(pass)
    }

    /// Reads which children a thread of `pid` has, and then what it is doing.
    fn read(&mut self, pid: Pid, thread: Pid, pending: &mut Vec<(Pid, Option<Pid>)>) -> Option<Stat> {
        let task = format!("/proc/{pid}/task/{thread}");
        let list = read_short(format!("{task}/children")).ok()?;
        let children = words(&list).map(|word| number(word).map(Pid::from_raw));
        let children: Vec<Pid> = children.collect::<Option<_>>()?;
        let stat = Stat::parse(&read_short(format!("{task}/stat")).ok()?).ok()?;
        if stat.is_void() {
            return None;
        }
        pending.extend(children.iter().map(|child| (*child, Some(pid))));
        self.lists.insert(thread, children);
        if stat.exiting {
            self.ending.insert(thread);
        }
        if stat.state.is_zombie() {
            self.ended.insert(thread);
        }
        Some(stat)
    }

    fn confirms(&self, before: &Self) -> bool {
        self.lists == before.lists && self.ending.is_subset(&before.ended)
    }
}

fn threads(pid: Pid) -> Option<impl Iterator<Item = Pid>> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let names: Vec<_> = entries.map(|entry| Some(entry.ok()?.file_name())).collect::<Option<_>>()?;
    Some(names.into_iter().filter_map(|name| number(name.as_encoded_bytes()).map(Pid::from_raw)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::wait::{Id, WaitPidFlag, waitid};
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    /// Other tests of this process start and end children all the time.
    fn patiently(root: Pid) -> BTreeMap<Pid, Stat> {
        let began = Instant::now();
        loop {
            if let Some(stats) = below(root) {
                return stats;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "the lists of {root} never come to rest");
        }
    }

    #[test]
    fn the_child_of_a_thread_is_the_child_of_its_process() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let pid = Pid::from_raw(child.id() as i32);
        let stats = patiently(Pid::this());
        assert_eq!(stats.get(&pid).map(|stat| stat.ppid), Some(Pid::this()), "{stats:?}");
        assert_eq!(below(pid).unwrap().into_keys().collect::<Vec<_>>(), [pid]);
        drop(child.stdin.take());
        waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).unwrap();
        assert!(below(pid).unwrap()[&pid].is_zombie());
        child.wait().unwrap();
        assert_eq!(below(pid), None);
    }

    #[test]
    fn what_changed_or_ended_between_two_passes_is_read_again() {
        let [root, child] = [1, 2].map(Pid::from_raw);
        let with = |children: &[Pid], ending: &[Pid], ended: &[Pid]| Pass {
            lists: [(root, children.to_vec())].into(),
            ending: ending.iter().copied().collect(),
            ended: ended.iter().copied().collect(),
            ..Pass::default()
        };
        let quiet = with(&[child], &[], &[]);
        assert!(quiet.confirms(&quiet));
        assert!(!quiet.confirms(&with(&[], &[], &[])) && !with(&[], &[], &[]).confirms(&quiet));
        // One that is ending may pass its children on after the first pass; once it has ended, it has none.
        let (ending, ended) = (with(&[child], &[child], &[]), with(&[child], &[child], &[child]));
        assert!(!ending.confirms(&quiet) && !ended.confirms(&quiet));
        assert!(!ending.confirms(&ending) && !ended.confirms(&ending));
        assert!(ended.confirms(&ended));
    }
}
