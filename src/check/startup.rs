//! `startup`: what the command that starts the daemon tells about the outcome.

use super::catalogue::Check;
use super::lab::{Failing, Lab};
use super::outcome::{Judgement, No, UNDECLARED, broken, cannot_tell, does_not_apply};
use super::run::describe;
use crate::observe::PidfileContent;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "startup.ready-on-return",
        promise: "When the command returns 0, the daemon runs and its pidfile names it",
        why: "Whoever starts the daemon goes on at that moment, reads the pidfile and finds nothing, or a number \
              of no meaning.",
        source: "daemon(7), SysV daemons, steps 14 and 15; Open vSwitch, tests/daemon.at, \"daemon --detach\"",
        judged: "The pidfile is read as soon as the command has ended; it must name a process that runs, and goes on to.",
        judge: ready_on_return,
    },
    Check {
        id: "startup.failure-status",
        promise: "A start that fails exits with a status other than 0",
        why: "A boot script, or a service manager, takes the service for running.",
        source: "daemon(7), SysV daemons, step 15; Open vSwitch, tests/daemon.at, \"startup errors\"",
        judged: "The daemon is made to fail, by the profile's argument for it or by a directory where its pidfile \
                 should be; its command must not exit 0.",
        judge: failure_status,
    },
    Check {
        id: "startup.failure-message",
        promise: "A start that fails says something",
        why: "The operator sees nothing but a status and has to guess.",
        source: "Open vSwitch, tests/daemon.at, \"startup errors\"",
        judged: "As startup.failure-status; something must have been written to the standard output or error.",
        judge: failure_message,
    },
    Check {
        id: "startup.failure-leaves-nothing",
        promise: "A start that fails leaves no process and no pidfile behind",
        why: "Half a daemon holds ports and locks, and the next start fails because of it.",
        source: "Open vSwitch, tests/daemon.at, \"startup errors\"",
        judged: "As startup.failure-status; afterwards nothing that was started may run, nor may a pidfile name a \
                 process.",
        judge: failure_leaves_nothing,
    },
    Check {
        id: "startup.failure-exit-status",
        promise: "A start that fails exits with the status that the profile declares",
        why: "Scripts tell the reasons for a failure apart by it.",
        source: "The daemon's profile",
        judged: "As startup.failure-status; only if the profile declares the status.",
        judge: failure_exit_status,
    },
];

fn ready_on_return(lab: &Lab<'_>) -> Judgement {
    lab.driving.detached()?;
    let usual = lab.usual();
    if lab.vanished.get() {
        return broken("the command returned 0, and nothing runs");
    }
    lab.driving.pidfile()?;
    let up = &usual?.up;
    if !up.returned {
        return cannot_tell("the command did not return");
    }
    match &up.pidfile_at_once.content {
        PidfileContent::Pid { pid, .. } if up.facts.is_alive(*pid) => Ok(()),
        // That it names another process is for pidfile.names-daemon to say, if it still does later.
        PidfileContent::Pid { pid, .. } if up.facts.pidfile.pid() == Some(*pid) => Ok(()),
        PidfileContent::Malformed(_) if up.facts.pidfile.content == up.pidfile_at_once.content => Ok(()),
        other => broken(format!("the command returned 0, and the pidfile was: {other}")),
    }
}

fn failing<'a>(lab: &'a Lab<'_>) -> Result<&'a Failing, No> {
    let failing = lab.failing()?;
    match failing.status {
        // In the foreground it may well run without a pidfile; only a detached one has promised it by exiting.
        None if lab.driving.detach.is_none() => {
            does_not_apply(format!("{} it runs all the same", failing.cause))
        }
        _ => Ok(failing),
    }
}

fn failure_status(lab: &Lab<'_>) -> Judgement {
    judge_failure_status(lab, failing(lab)?)
}

pub(super) fn judge_failure_status(lab: &Lab<'_>, failing: &Failing) -> Judgement {
    let cause = &failing.cause;
    match failing.status {
        Some(status) if status.success() && failing.left.is_empty() => {
            broken(format!("{cause}, the command exited 0, and nothing runs{}", failing.words))
        }
        Some(status) if status.success() => broken(format!("{cause}, the command exited 0{}", failing.words)),
        Some(_) => Ok(()),
        None => broken(format!("{cause}, the command has not ended within {:?}", lab.driving.timeout)),
    }
}

fn failure_message(lab: &Lab<'_>) -> Judgement {
    let failing = failing(lab)?;
    match (failing.said, failing.status) {
        (true, _) => Ok(()),
        (false, Some(status)) => {
            broken(format!("{}, the command ended with {} and said nothing", failing.cause, describe(status)))
        }
        (false, None) => cannot_tell("the command did not end"),
    }
}

fn failure_leaves_nothing(lab: &Lab<'_>) -> Judgement {
    judge_what_is_left(failing(lab)?)
}

pub(super) fn judge_what_is_left(failing: &Failing) -> Judgement {
    let cause = &failing.cause;
    match (&failing.left[..], failing.pidfile) {
        ([], None) => Ok(()),
        ([], Some(pid)) => broken(format!("{cause}, a pidfile is left that names pid {pid}")),
        (left, _) => broken(format!("{cause}, {} still runs", left.join(" and "))),
    }
}

fn failure_exit_status(lab: &Lab<'_>) -> Judgement {
    let Some(declared) = lab.driving.declared.failure_status else {
        return does_not_apply(UNDECLARED);
    };
    let failing = lab.failing()?;
    match failing.status.and_then(|status| status.code()) {
        Some(code) if code == declared => Ok(()),
        _ => broken(format!(
            "{}, the command ended with {}, not with {declared}",
            failing.cause,
            failing.status.map_or_else(|| "nothing".to_owned(), describe)
        )),
    }
}
