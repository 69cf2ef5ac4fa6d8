//! `lock`: one instance at a time.

use super::catalogue::Check;
use super::lab::{Lab, Overwritten, Second};
use super::outcome::{Judgement, No, UNDECLARED, broken, cannot_tell, does_not_apply};
use super::run::{Outcome, describe};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "lock.second-start-refused",
        promise: "While the daemon runs, a second start with the same pidfile does not run beside or replace it",
        why: "Two copies write to the same data, or the first one is lost to whoever manages it.",
        source: "daemon(7), SysV daemons, step 12; pidfile(3), EEXIST; Open vSwitch, --pidfile",
        judged: "The daemon is started again while it runs; afterwards the first one, and only that, must run.",
        judge: second_start_refused,
    },
    Check {
        id: "lock.refusal-status",
        promise: "A second start that is refused exits with a status other than 0, and soon",
        why: "Whoever started it takes it for running, or waits.",
        source: "Open vSwitch, check_already_running; pidfile(3)",
        judged: "As lock.second-start-refused; the command must end within the timeout, and not with 0.",
        judge: refusal_status,
    },
    Check {
        id: "lock.refusal-message",
        promise: "A second start that is refused says so",
        why: "The operator sees nothing but a status and has to guess.",
        source: "Open vSwitch, check_already_running: \"already running as pid N, aborting\"",
        judged: "As lock.second-start-refused; something must have been written to the standard output or error, \
                 or into a file in the rundir.",
        judge: refusal_message,
    },
    Check {
        id: "lock.refusal-harmless",
        promise: "A second start that is refused leaves the pidfile and the lock of the first one alone",
        why: "The running daemon could not be found and stopped any more, and a third start would run beside it.",
        source: "pidfile(3); Open vSwitch, make_pidfile",
        judged: "Pidfile (content and inode) and locks are compared before and after the second start.",
        judge: refusal_harmless,
    },
    Check {
        id: "lock.refusal-names-owner",
        promise: "The message of a refused start is the one that the profile declares",
        why: "Scripts and people look for it.",
        source: "The daemon's profile",
        judged: "As lock.refusal-message; only if the profile declares the message.",
        judge: refusal_names_owner,
    },
    Check {
        id: "lock.overwrite-takes-over",
        promise: "A start that is told to overwrite the pidfile takes it over, and a third start is refused",
        why: "An operator overwrites because the old owner cannot be stopped; afterwards all must be as usual.",
        source: "Open vSwitch, --overwrite-pidfile",
        judged: "With the first daemon running, a second is started with the argument for it: it must run, and the \
                 pidfile name it; a start without the argument must then be refused.",
        judge: overwrite_takes_over,
    },
    Check {
        id: "lock.overwritten-is-harmless",
        promise: "The end of an overwritten daemon leaves its successor's pidfile alone",
        why: "The successor could not be found and stopped any more, and a third start would run beside it. \
              Open vSwitch gets this wrong: whoever exits deletes the pidfile by name.",
        source: "docs/pidfile-protocol.md",
        judged: "After lock.overwrite-takes-over the first daemon is sent SIGTERM; the pidfile must still name the \
                 second.",
        judge: overwritten_is_harmless,
    },
];

/// The second start, if it was refused at all.
fn refused<'a>(lab: &'a Lab<'_>) -> Result<&'a Second, No> {
    let second = lab.second()?;
    match second.runs || second.first.is_none() {
        true => cannot_tell("the second start was not refused"),
        false => Ok(second),
    }
}

fn second_start_refused(lab: &Lab<'_>) -> Judgement {
    let second = lab.second()?;
    match (second.runs, second.first.is_some()) {
        (false, true) => Ok(()),
        (true, true) => broken("the second start runs beside the first one"),
        (true, false) => broken("the first daemon has ended, and the second start runs"),
        (false, false) => broken("the first daemon has ended, and the second start does not run either"),
    }
}

fn refusal_status(lab: &Lab<'_>) -> Judgement {
    let second = lab.second()?;
    match second.status {
        None if second.runs && lab.driving.detach.is_none() => {
            cannot_tell("the second start was not refused")
        }
        None => broken(format!(
            "the second start has neither been refused nor returned within {:?}",
            lab.driving.timeout
        )),
        Some(_) if second.runs || second.first.is_none() => cannot_tell("the second start was not refused"),
        Some(status) if status.success() => broken("the second start does not run, and its command exited 0"),
        Some(_) => Ok(()),
    }
}

fn refusal_message(lab: &Lab<'_>) -> Judgement {
    let second = refused(lab)?;
    match second.said.trim().is_empty() && !second.wrote {
        true => broken(format!(
            "the second start ended with {} and said nothing",
            second.status.map_or_else(|| "no status".to_owned(), describe)
        )),
        false => Ok(()),
    }
}

fn refusal_harmless(lab: &Lab<'_>) -> Judgement {
    let second = refused(lab)?;
    let (before, after) = (&second.pidfile_before, &second.pidfile_after);
    // Some write their state behind their pid, now and then.
    let same = before.content == after.content || before.pid().is_some() && before.pid() == after.pid();
    if !same {
        return broken(format!(
            "after the refused start the pidfile is: {} (before: {})",
            after.content, before.content
        ));
    }
    let identity = |pidfile: &crate::observe::Pidfile| pidfile.file.as_ref().map(|file| file.inode);
    if identity(before) != identity(after) {
        return broken("after the refused start the pidfile is another file");
    }
    let locked_before = !lab.usual()?.up.facts.locks.is_empty();
    match second.first.as_ref().is_some_and(|facts| facts.locks.is_empty()) {
        true if locked_before => broken("after the refused start the first daemon holds no lock any more"),
        _ => Ok(()),
    }
}

fn refusal_names_owner(lab: &Lab<'_>) -> Judgement {
    let Some(declared) = &lab.driving.declared.refusal_message else {
        return does_not_apply(UNDECLARED);
    };
    let second = refused(lab)?;
    let Some(owner) = second.pidfile_before.pid() else {
        return cannot_tell("the pidfile names nobody");
    };
    let expected = declared
        .replace("{pidfile}", &second.pidfile_before.path.to_string_lossy())
        .replace("{pid}", &owner.to_string());
    match second.said.contains(&expected) {
        true => Ok(()),
        false => broken(format!("it said {:?}, not {expected:?}", second.said.trim())),
    }
}

fn overwrite_takes_over(lab: &Lab<'_>) -> Judgement {
    let Overwritten { outcome, words, named, third_refused, .. } = lab.overwritten()?;
    if !lab.usual()?.up.facts.pidfile_names_member() {
        return cannot_tell("the pidfile never names the daemon");
    }
    match (outcome, named, third_refused) {
        (Outcome::Ended(status), ..) => {
            broken(format!("the second start ended with {}{words}", describe(*status)))
        }
        (Outcome::Unclear, ..) => broken(format!("the second start did not become ready{words}")),
        (_, false, _) => broken("the second start runs, and the pidfile does not name it"),
        (_, true, false) => broken("a third start, which was not told to overwrite, runs beside the second"),
        (_, true, true) => Ok(()),
    }
}

fn overwritten_is_harmless(lab: &Lab<'_>) -> Judgement {
    let Overwritten { after_the_first_ended, successor, intact, .. } = lab.overwritten()?;
    let (Some(after), Some(successor), true) = (after_the_first_ended, successor, intact) else {
        return cannot_tell("the pidfile does not name the second daemon, or the first one does not end");
    };
    match after.pid() == Some(*successor) {
        true => Ok(()),
        false => broken(format!(
            "after the overwritten daemon ended, its successor pid {successor} runs, and the pidfile is: {}",
            after.content
        )),
    }
}
