//! Which part each process of a daemon's tree plays.

use std::fmt;

use nix::unistd::Pid;

use super::{Node, Tree};

/// What a process is for the daemon that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Role {
    /// The command that was typed, waiting for the daemon to be ready.
    Foreground,
    /// An ancestor of the daemon that stays: it restarts it.
    Monitor,
    /// The process that does the work.
    Daemon,
    /// A descendant of the daemon.
    Worker,
    /// Neither above nor below the daemon.
    Other,
    /// Ended, but not reaped.
    Zombie,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Foreground => "foreground",
            Self::Monitor => "monitor",
            Self::Daemon => "daemon",
            Self::Worker => "worker",
            Self::Other => "other",
            Self::Zombie => "zombie",
        })
    }
}

/// The processes of one daemon under test, each with its [`Role`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles(Vec<(Role, Node)>);

impl Roles {
    /// Tells the roles of the processes in `tree`, of which `daemon` does the work and `command` was typed.
    ///
    /// Zombies that the root of the tree is to reap are left out: that they are there for a moment is none of the
    /// daemon's doing.
    pub fn new(tree: &Tree, daemon: Option<Pid>, command: Pid) -> Self {
        let parent = |pid: Pid| tree.find(|node| node.pid == pid).map(|node| node.ppid);
        let is_above = |pid: Pid, below: Pid| {
            let ancestors = std::iter::successors(parent(below), |&pid| parent(pid));
            // No longer than the tree: a number used again could close a circle.
            ancestors.take(tree.nodes().len()).any(|ancestor| ancestor == pid)
        };
        let role = |node: &Node| match daemon {
            _ if node.is_zombie() => Role::Zombie,
            Some(daemon) if daemon == node.pid => Role::Daemon,
            // A monitor in the foreground is the command as well, and stays.
            Some(daemon) if is_above(node.pid, daemon) => Role::Monitor,
            _ if node.pid == command => Role::Foreground,
            Some(daemon) if is_above(daemon, node.pid) => Role::Worker,
            _ => Role::Other,
        };
        let is_reaped =
            |node: &&Node| node.is_zombie() && tree.root().is_some_and(|root| root.pid == node.ppid);
        let nodes = tree.nodes().filter(|node| !is_reaped(node));
        Self(nodes.map(|node| (role(node), node.clone())).collect())
    }

    /// These processes, as a test of a predicate makes them: of values that were kept, and perhaps changed.
    pub fn from_parts(processes: impl IntoIterator<Item = (Role, Node)>) -> Self {
        Self(processes.into_iter().collect())
    }

    /// The processes, each before its children.
    pub fn iter(&self) -> impl Iterator<Item = (Role, &Node)> {
        self.0.iter().map(|(role, node)| (*role, node))
    }

    /// The roles, sorted.
    pub fn roles(&self) -> Vec<Role> {
        let mut roles: Vec<Role> = self.0.iter().map(|(role, _)| *role).collect();
        roles.sort_unstable();
        roles
    }

    /// The first process in `role`.
    pub fn find(&self, role: Role) -> Option<&Node> {
        self.0.iter().find(|(found, _)| *found == role).map(|(_, node)| node)
    }
}

/// One process a line.
impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("no process");
        }
        for (index, (role, node)) in self.0.iter().enumerate() {
            let line = if index == 0 { "" } else { "\n" };
            write!(f, "{line}{role:<10} {node}, child of {}, session {}", node.ppid, node.sid)?;
        }
        Ok(())
    }
}
