//! `stop`: what SIGTERM does.

use super::catalogue::Check;
use super::lab::Lab;
use super::outcome::{Judgement, UNDECLARED, broken, does_not_apply};
use super::run::{Down, describe};
use nix::sys::signal::Signal;
use std::os::unix::process::ExitStatusExt;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "stop.sigterm",
        promise: "SIGTERM ends the daemon",
        why: "A shutdown waits for it, then kills it in the middle of whatever it does.",
        source: "daemon(7), new-style daemons, step 1; signal(7)",
        judged: "The daemon is sent SIGTERM and must end within the timeout.",
        judge: sigterm,
    },
    Check {
        id: "stop.clean",
        promise: "SIGTERM does not crash the daemon",
        why: "A crash while it cleans up loses what it was about to save, and looks like a failure to whoever \
              manages it.",
        source: "daemon(7), new-style daemons, step 1",
        judged: "It must end by an exit or by SIGTERM itself, not by an error signal.",
        judge: clean,
    },
    Check {
        id: "stop.pidfile-removed",
        promise: "After SIGTERM no pidfile names the daemon",
        why: "Whoever signals by the pidfile later signals nobody, or a stranger.",
        source: "daemon(7), SysV daemons; pidfile(3), pidfile_remove; Open vSwitch, tests/daemon.at",
        judged: "Once the daemon has ended, its pidfile must be gone, or be empty.",
        judge: pidfile_removed,
    },
    Check {
        id: "stop.no-process-left",
        promise: "After SIGTERM no process of the daemon is left",
        why: "A worker without its master holds ports and locks, and nobody knows how to stop it.",
        source: "daemon(7)",
        judged: "Once the daemon has ended, all processes that descend from it must end as well, shortly.",
        judge: no_process_left,
    },
    Check {
        id: "stop.start-again",
        promise: "The daemon can be started again right after it was stopped",
        why: "A restart fails because the old instance has not let go of something.",
        source: "daemon(7); LSB init scripts, restart",
        judged: "Once all of its processes have ended, it is started again in the same place and must run.",
        judge: start_again,
    },
    Check {
        id: "stop.in-foreground",
        promise: "A daemon that stays in the foreground ends on SIGTERM as well, and leaves nothing",
        why: "A service manager that runs it in the foreground stops it in just this way.",
        source: "daemon(7), new-style daemons, step 1; Open vSwitch, tests/daemon.at, \"daemon\"",
        judged: "Started in the foreground and sent SIGTERM, everything that stop.* promises must hold.",
        judge: in_foreground,
    },
    Check {
        id: "stop.litter",
        promise: "After SIGTERM only the files that the profile declares are left in the rundir",
        why: "Files that nobody removes pile up.",
        source: "The daemon's profile",
        judged: "The rundir is listed once everything has ended; only if the profile declares what may be left.",
        judge: litter,
    },
];

fn sigterm(lab: &Lab<'_>) -> Judgement {
    judge_end(lab, lab.usual_down()?)
}

fn judge_end(lab: &Lab<'_>, down: &Down) -> Judgement {
    match down.ended {
        true => Ok(()),
        false => {
            broken(format!("{:?} after SIGTERM, {} still runs", lab.driving.timeout, down.left.join(" and ")))
        }
    }
}

fn clean(lab: &Lab<'_>) -> Judgement {
    judge_status(lab.usual_down()?.ended()?)
}

fn judge_status(down: &Down) -> Judgement {
    let crashed = |status: &std::process::ExitStatus| {
        status.signal().is_some_and(|signal| signal != Signal::SIGTERM as i32)
    };
    match down.status.filter(crashed) {
        Some(status) => broken(format!("after SIGTERM the daemon was {}", describe(status))),
        None => Ok(()),
    }
}

fn pidfile_removed(lab: &Lab<'_>) -> Judgement {
    lab.driving.pidfile()?;
    lab.usual_down()?.ended()?.pidfile_is_gone()
}

fn no_process_left(lab: &Lab<'_>) -> Judgement {
    judge_left(lab.usual_down()?.ended()?)
}

fn judge_left(down: &Down) -> Judgement {
    match down.empty || down.left.is_empty() {
        true => Ok(()),
        false => broken(format!("the daemon has ended, and {} still runs", down.left.join(" and "))),
    }
}

fn start_again(lab: &Lab<'_>) -> Judgement {
    lab.usual_down()?.ended()?;
    match &lab.usual()?.again {
        Err(super::outcome::No::CannotTell(why)) => broken(why.clone()),
        other => other.clone(),
    }
}

fn in_foreground(lab: &Lab<'_>) -> Judgement {
    if lab.driving.detach.is_none() {
        return does_not_apply("the daemon is only driven in the foreground: the other checks look at that");
    }
    let down = lab.foreground()?.down.as_ref().map_err(Clone::clone)?;
    judge_end(lab, down)?;
    judge_status(down)?;
    judge_left(down)?;
    match lab.driving.has_pidfile() {
        true => down.pidfile_is_gone(),
        false => Ok(()),
    }
}

fn litter(lab: &Lab<'_>) -> Judgement {
    let Some(declared) = &lab.driving.declared.leaves else {
        return does_not_apply(UNDECLARED);
    };
    let down = lab.usual_down()?.ended()?;
    let undeclared: Vec<&str> =
        down.litter.iter().filter(|name| !declared.contains(name)).map(String::as_str).collect();
    match &undeclared[..] {
        [] => Ok(()),
        names => broken(format!("left in the rundir: {}", names.join(", "))),
    }
}
