//! Claims about all processes of a daemon.

use std::collections::BTreeSet;

use super::subject::list;
use super::{Claim, Finding};
use crate::observe::{Node, Role, Roles};

/// Its processes play exactly these roles, each as often as it is named, in whatever order.
///
/// ```
/// use daemonproof::observe::Role;
/// use daemonproof::predicate::roles;
///
/// let supervised = roles([Role::Monitor, Role::Daemon]);
/// assert_eq!(supervised.to_string(), "its processes are monitor, daemon");
/// ```
pub fn roles(roles: impl IntoIterator<Item = Role>) -> Claim<Roles> {
    let mut wanted: Vec<Role> = roles.into_iter().collect();
    wanted.sort_unstable();
    Claim::new(format!("its processes are {}", list(&wanted)), move |found: &Roles| {
        let seen = found.roles();
        Finding::new(seen == wanted).with("roles", list(&seen)).with("", found)
    })
}

/// None of its processes is a zombie.
pub fn no_zombies() -> Claim<Roles> {
    Claim::new("it has no zombies", |found: &Roles| {
        Finding::new(found.find(Role::Zombie).is_none()).with("", found)
    })
}

/// It has exactly one process, and no zombie beside it.
pub fn one_process() -> Claim<Roles> {
    Claim::new("it has one process", |found: &Roles| Finding::new(found.iter().count() == 1).with("", found))
}

/// It has no processes, and no zombies.
pub fn no_processes() -> Claim<Roles> {
    Claim::new("it has no processes", |found: &Roles| Finding::new(found.iter().count() == 0).with("", found))
}

/// All its processes are of one session; there is one at least.
pub fn one_session() -> Claim<Roles> {
    Claim::new("its processes are of one session", |found: &Roles| {
        let sessions: BTreeSet<_> = found.iter().map(|(_, node): (_, &Node)| node.sid).collect();
        let finding =
            if sessions.is_empty() { Finding::unknown() } else { Finding::new(sessions.len() == 1) };
        finding.with("sessions", list(&sessions)).with("", found)
    })
}
