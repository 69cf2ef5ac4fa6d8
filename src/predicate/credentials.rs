//! Claims about who a process acts as.

use std::fmt;

use nix::unistd::{Gid, Uid};

use super::subject::{list, of_process};
use super::{Claim, Finding};
use crate::observe::{Ids, View};

/// Its real, effective, saved and file system user are all `uid`: it can become no other one again.
pub fn uid(uid: Uid) -> Claim<View> {
    of_process(format!("its user is {uid} in all respects"), move |process| of_ids(&process.uids, uid))
}

/// Its real, effective, saved and file system group are all `gid`.
pub fn gid(gid: Gid) -> Claim<View> {
    of_process(format!("its group is {gid} in all respects"), move |process| of_ids(&process.gids, gid))
}

fn of_ids<T: Copy + PartialEq + fmt::Display>(ids: &Ids<T>, wanted: T) -> Finding {
    let all = [ids.real, ids.effective, ids.saved, ids.filesystem];
    let finding = Finding::new(all.iter().all(|id| *id == wanted));
    ["real", "effective", "saved", "file system"]
        .into_iter()
        .zip(all)
        .fold(finding, |finding, (name, id)| finding.with(name, id))
}

/// Its supplementary groups are these, in whatever order.
pub fn groups(groups: impl IntoIterator<Item = Gid>) -> Claim<View> {
    let wanted = sorted(groups);
    let text = match &wanted[..] {
        [] => "it has no supplementary groups".to_owned(),
        wanted => format!("its supplementary groups are {}", list(wanted)),
    };
    of_process(text, move |process| {
        let found = sorted(process.groups.iter().copied());
        Finding::new(found == wanted).with("groups", list(found))
    })
}

fn sorted(groups: impl IntoIterator<Item = Gid>) -> Vec<Gid> {
    let mut groups: Vec<Gid> = groups.into_iter().collect();
    groups.sort_unstable_by_key(|group| group.as_raw());
    groups.dedup();
    groups
}

/// It has no capability in force and can put none in force.
pub fn no_capabilities() -> Claim<View> {
    of_process("it has no capabilities", |process| {
        let found = process.capabilities;
        Finding::new(found.effective | found.permitted == 0)
            .with("effective", capability_names(found.effective))
            .with("permitted", capability_names(found.permitted))
    })
}

/// The capabilities that it can put in force are exactly `set`, bit *n* standing for capability *n* of [capabilities(7)].
///
/// ```
/// const CAP_NET_BIND_SERVICE: u64 = 1 << 10;
/// let claim = daemonproof::predicate::capabilities(CAP_NET_BIND_SERVICE);
/// assert_eq!(claim.to_string(), "its permitted capabilities are NET_BIND_SERVICE");
/// ```
///
/// [capabilities(7)]: https://man7.org/linux/man-pages/man7/capabilities.7.html
pub fn capabilities(set: u64) -> Claim<View> {
    of_process(format!("its permitted capabilities are {}", capability_names(set)), move |process| {
        let found = process.capabilities.permitted;
        Finding::new(found == set).with("permitted", capability_names(found))
    })
}

/// By number, without `CAP_`.
const CAPABILITIES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// `SETUID, NET_BIND_SERVICE`, newer ones by number; or all but a few, if those are fewer.
fn capability_names(set: u64) -> String {
    let known = (1_u64 << CAPABILITIES.len()) - 1;
    let missing = known & !set;
    let name = |number: usize| CAPABILITIES.get(number).map_or(number.to_string(), |name| (*name).to_owned());
    let names = |set: u64| list((0..64).filter(|number| set & 1 << number != 0).map(name));
    match missing.count_ones() {
        0 => "all".to_owned(),
        1..10 => format!("all but {}", names(missing)),
        _ => names(set),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_have_names() {
        assert_eq!(capability_names(0), "none");
        assert_eq!(capability_names(1 << 7 | 1 << 10), "SETUID, NET_BIND_SERVICE");
        assert_eq!(capability_names(1 << 40 | 1 << 63), "CHECKPOINT_RESTORE, 63");
        assert_eq!(capability_names(u64::MAX), "all");
        assert_eq!(capability_names((1 << 41) - 1 - (1 << 21)), "all but SYS_ADMIN");
    }
}
