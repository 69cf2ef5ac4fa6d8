//! The processes below a process.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use nix::unistd::Pid;

use super::bytes::number;
use super::observed::settle;
use super::proc_dir::{ATTEMPTS, ProcDir, is_gone, mounted, read_short};
use super::process::title;
use super::shown::Shown;
use super::stat::{Stat, State};
use super::{ObserveError, Observed, walk};

/// Processes and their parents, read from `/proc`.
///
/// That is not atomic. A process that ends or starts meanwhile may be missing or shown; rarely, one
/// whose parent ends meanwhile belongs to the reaper already and may be missing. Who must be sure
/// that none is left looks again until there is none.
///
/// Zombies are shown, as such, but not processes that `/proc` hides from this user (`hidepid`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    root: Option<Node>,
    /// Each before its children.
    nodes: Vec<Node>,
}

/// One process of a [`Tree`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Node {
    /// Its number.
    pub pid: Pid,
    /// Its parent.
    pub ppid: Pid,
    /// Its session.
    pub sid: Pid,
    /// Its short name.
    pub comm: OsString,
    /// Its command line, see [`Process::title`](super::Process::title); empty for zombies and
    /// kernel threads.
    pub title: OsString,
    /// What it is doing; if its first thread has ended, that is [`State::Zombie`], although others may go on.
    pub state: State,
    /// How many threads it has.
    pub threads: u32,
    /// Its children, by number.
    pub children: Vec<Pid>,
    depth: usize,
}

impl Tree {
    /// The descendants of the process `root`, whatever their sessions and process groups.
    ///
    /// ```
    /// use daemonproof::observe::Tree;
    /// use nix::unistd::Pid;
    ///
    /// let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn()?;
    /// let tree = Tree::below(Pid::this())?.present().expect("this process is alive");
    /// assert!(tree.pids().any(|pid| pid.as_raw() == child.id() as i32));
    /// # drop(child.stdin.take());
    /// # child.wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `/proc` cannot be read or is not as documented, or hides the process `root`.
    pub fn below(root: Pid) -> Result<Observed<Self>, ObserveError> {
        let stats = walk::below(root).map_or_else(scan, Ok)?;
        let mut nodes = family(stats, |stat| stat.pid == root);
        if nodes.is_empty() {
            // Hidden, perhaps. If it is there now, it was not when it should have been met.
            return settle(ProcDir::open(root).and_then(|dir| dir.stat())).map(|_| Observed::Gone);
        }
        let root = nodes.remove(0);
        Ok(Observed::Present(Self { root: Some(root), nodes }))
    }

    /// The processes of the session `sid`, wherever they stand.
    ///
    /// # Errors
    ///
    /// `/proc` cannot be read or is not as documented.
    pub fn of_session(sid: Pid) -> Result<Self, ObserveError> {
        let mut stats = scan()?;
        stats.retain(|_, stat| stat.sid == sid);
        let members: BTreeSet<Pid> = stats.keys().copied().collect();
        Ok(Self { root: None, nodes: family(stats, |stat| !members.contains(&stat.ppid)) })
    }

    /// The process whose descendants these are. A session has none.
    pub fn root(&self) -> Option<&Node> {
        self.root.as_ref()
    }

    /// The descendants without the root, each before its children; or the members of the session.
    pub fn nodes(&self) -> std::slice::Iter<'_, Node> {
        self.nodes.iter()
    }

    /// The pids of [`nodes`](Self::nodes).
    pub fn pids(&self) -> impl Iterator<Item = Pid> {
        self.nodes().map(|node| node.pid)
    }

    /// The first of [`nodes`](Self::nodes) that is so.
    pub fn find(&self, mut is_it: impl FnMut(&Node) -> bool) -> Option<&Node> {
        self.nodes().find(|node| is_it(node))
    }

    /// Whether there are no descendants, or no members.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

/// All processes that can be seen. There are hundreds on some machines, but who is read later is still there.
fn scan() -> Result<BTreeMap<Pid, Stat>, ObserveError> {
    mounted()?;
    let proc = Path::new("/proc");
    let entries = fs::read_dir(proc).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = entries.map_err(|error| ObserveError::new(proc, error))?;
    let mut stats = BTreeMap::new();
    for entry in entries.iter().filter(|entry| number::<i32>(entry.file_name().as_encoded_bytes()).is_some())
    {
        stats.extend(stat(&entry.path().join("stat"))?.map(|stat| (stat.pid, stat)));
    }
    Ok(stats)
}

/// Reads that of one process, or `None` if it is not there or not shown.
fn stat(path: &Path) -> Result<Option<Stat>, ObserveError> {
    for _ in 0..ATTEMPTS {
        let text = match read_short(path) {
            Ok(text) => text,
            Err(error) if is_gone(&error) || error.kind() == io::ErrorKind::PermissionDenied => {
                return Ok(None);
            }
            Err(error) => return Err(ObserveError::new(path, error)),
        };
        let stat = Stat::parse(&text);
        let stat = stat.map_err(|field| ObserveError::Syntax { path: path.to_owned(), field })?;
        // A void one was of a thread that is no more. By now there is no process, or another thread has its number.
        if !stat.is_void() {
            return Ok(Some(stat));
        }
    }
    Ok(None)
}

/// Those of `stats` that are roots or below one, each before its children.
///
/// With a list, not by recursion: a program can make its tree as deep as it has processes. Each
/// process is taken out when it is met, because numbers used again during the scan could close a
/// circle.
fn family(mut stats: BTreeMap<Pid, Stat>, is_root: impl Fn(&Stat) -> bool) -> Vec<Node> {
    let mut children: BTreeMap<Pid, Vec<Pid>> = BTreeMap::new();
    for stat in stats.values() {
        children.entry(stat.ppid).or_default().push(stat.pid);
    }
    let roots = stats.values().filter(|stat| is_root(stat)).rev();
    let mut pending: Vec<(Pid, usize)> = roots.map(|stat| (stat.pid, 0)).collect();
    let mut nodes = Vec::new();
    while let Some((pid, depth)) = pending.pop() {
        let Some(stat) = stats.remove(&pid) else {
            continue;
        };
        let children = children.remove(&pid).unwrap_or_default();
        pending.extend(children.iter().rev().map(|&child| (child, depth + 1)));
        nodes.push(Node::new(stat, children, depth));
    }
    nodes
}

impl Node {
    fn new(stat: Stat, children: Vec<Pid>, depth: usize) -> Self {
        let Stat { pid, ppid, sid, comm, state, threads, .. } = stat;
        // What has ended since has no title any more.
        let title = title(&read_short(format!("/proc/{pid}/cmdline")).unwrap_or_default());
        Self { pid, ppid, sid, comm, title, state, threads, children, depth }
    }

    /// Whether it has ended but has not been reaped, as [`Process::is_zombie`](super::Process::is_zombie).
    pub fn is_zombie(&self) -> bool {
        self.state.is_zombie() && self.threads <= 1
    }
}

/// `812 monitor: ovsdb-server: monitoring pid 813 (healthy) (S)`.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, comm, title, state, .. } = self;
        write!(f, "{pid} {}", Shown(comm))?;
        if !title.is_empty() {
            write!(f, ": {}", Shown(title))?;
        }
        write!(f, " ({state})")
    }
}

/// How many generations are told apart by their indent. Also, the formatter panics at a width beyond 16 bits.
const INDENTED: usize = 100;

/// The root and what is below it, one process a line, indented by generation.
impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, node) in self.root.iter().chain(&self.nodes).enumerate() {
            let line = if index == 0 { "" } else { "\n" };
            write!(f, "{line}{:indent$}{node}", "", indent = 2 * node.depth.min(INDENTED))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that no process has, so that no title is read.
    const BASE: i32 = 1 << 30;

    fn stats(links: &[(i32, i32)]) -> BTreeMap<Pid, Stat> {
        let stat = |&(pid, ppid)| {
            let text =
                format!("{} (p{pid}) S {} 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 1", BASE + pid, BASE + ppid);
            Stat::parse(text.as_bytes()).unwrap()
        };
        links.iter().map(stat).map(|stat| (stat.pid, stat)).collect()
    }

    fn order(nodes: &[Node]) -> Vec<(i32, usize)> {
        nodes.iter().map(|node| (node.pid.as_raw() - BASE, node.depth)).collect()
    }

    fn from(root: i32) -> impl Fn(&Stat) -> bool {
        move |stat| stat.pid.as_raw() == BASE + root
    }

    #[test]
    fn parents_come_before_their_children() {
        let stats = stats(&[(2, 1), (3, 2), (4, 9), (5, 2), (6, 3), (7, 1)]);
        assert_eq!(order(&family(stats.clone(), from(2))), [(2, 0), (3, 1), (6, 2), (5, 1)]);
        assert_eq!(
            order(&family(stats.clone(), |stat| stat.ppid.as_raw() == BASE + 1)),
            [(2, 0), (3, 1), (6, 2), (5, 1), (7, 0)]
        );
        assert_eq!(order(&family(stats, from(8))), []);
    }

    #[test]
    fn a_circle_ends() {
        assert_eq!(order(&family(stats(&[(2, 4), (3, 2), (4, 3)]), from(2))), [(2, 0), (3, 1), (4, 2)]);
        assert_eq!(order(&family(stats(&[(2, 2)]), from(2))), [(2, 0)]);
    }

    #[test]
    fn a_tree_may_be_as_deep_as_there_are_numbers() {
        let links: Vec<_> = (1..30_000).map(|pid| (pid, pid - 1)).collect();
        let nodes = family(stats(&links), from(1));
        assert_eq!(nodes.last().map(|node| node.depth), Some(29_998));
        drop(nodes);
    }

    #[test]
    fn the_deepest_tree_is_drawn() {
        let links: Vec<_> = (1..40_000).map(|pid| (pid, pid - 1)).collect();
        let mut nodes = family(stats(&links), from(1));
        let tree = Tree { root: Some(nodes.remove(0)), nodes };
        assert_eq!(tree.to_string().lines().count(), 39_999);
    }

    #[test]
    fn it_is_drawn_by_generation() {
        let mut nodes = family(stats(&[(2, 1), (3, 2), (4, 3), (5, 2)]), from(2));
        nodes[1].title = "a\nb".into();
        let tree = Tree { root: Some(nodes.remove(0)), nodes };
        let drawn =
            "1073741826 p2 (S)\n  1073741827 p3: a\\nb (S)\n    1073741828 p4 (S)\n  1073741829 p5 (S)";
        assert_eq!(tree.to_string(), drawn);
    }
}
