//! `fds`: descriptors beyond the standard ones.

use super::catalogue::Check;
use super::lab::{Lab, Up};
use super::outcome::{Judgement, broken};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "fds.inherited-closed",
        promise: "A detached daemon lets go of the descriptors that it inherited",
        why: "A pipe stays open whose reader waits for its end, a lock stays locked, a deleted log keeps its disk \
              space, for as long as the daemon runs.",
        source: "daemon(7), SysV daemons, step 1; PEP 3143, files_preserve",
        judged: "The daemon is started detached with a pipe beyond descriptor 2; none of its processes may have it \
                 afterwards.",
        judge: inherited_closed,
    },
    Check {
        id: "fds.inherited-closed-by-monitor",
        promise: "The monitor of a detached daemon lets go of them as well",
        why: "As for fds.inherited-closed: one process that keeps them open is enough.",
        source: "daemon(7), SysV daemons, step 1",
        judged: "As fds.inherited-closed, started detached and monitored.",
        judge: inherited_closed_by_monitor,
    },
];

fn inherited_closed(lab: &Lab<'_>) -> Judgement {
    lab.driving.detached()?;
    none_kept(&lab.usual()?.up)
}

fn inherited_closed_by_monitor(lab: &Lab<'_>) -> Judgement {
    lab.driving.detached()?;
    none_kept(&lab.supervised()?.up)
}

fn none_kept(up: &Up) -> Judgement {
    up.facts.all_seen()?;
    let pipes = up.starters_descriptors.iter().filter(|(.., shown)| shown.starts_with("pipe"));
    let kept: Vec<String> =
        pipes.map(|(pid, fd, _)| format!("descriptor {fd} of {}", up.facts.name(*pid))).collect();
    match &kept[..] {
        [] => Ok(()),
        kept => broken(format!("a pipe of its starter is still open: {}", kept.join(", "))),
    }
}
