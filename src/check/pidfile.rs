//! `pidfile`: the file that says which process is the daemon.

use super::catalogue::Check;
use super::facts::Facts;
use super::lab::Lab;
use super::outcome::{Judgement, No, UNDECLARED, broken, cannot_tell, does_not_apply};
use super::run::Start;
use crate::observe::PidfileContent;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "pidfile.names-daemon",
        promise: "The pidfile names a process of the daemon that runs",
        why: "Whoever signals by the pidfile signals nobody, or a stranger.",
        source: "daemon(7), SysV daemons, step 12; pidfile(3); FHS 3.0, 3.15.2",
        judged: "The pid in the pidfile of a running daemon must be one of its living processes.",
        judge: names_daemon,
    },
    Check {
        id: "pidfile.well-formed",
        promise: "The first line of the pidfile is a pid in plain decimal digits",
        why: "`kill $(cat FILE)` and every other reader fails.",
        source: "FHS 3.0, 3.15.2; pidfile(3)",
        judged: "The first line must be digits, blanks around them aside; a newline and further lines may follow.",
        judge: well_formed,
    },
    Check {
        id: "pidfile.mode",
        promise: "Only the daemon's user may write to its pidfile",
        why: "Anyone else could make whoever stops the daemon as root kill any process instead.",
        source: "pidfile(3), mode 0600; CVE-2017-14610 and its kind; Open vSwitch",
        judged: "Started with umask 022, the pidfile must not be writable by group or others.",
        judge: mode,
    },
    Check {
        id: "pidfile.locked-by-daemon",
        promise: "While the daemon runs, one of its processes holds a lock on the pidfile, on a file beside it, or on \
                  their directory",
        why: "A pid alone does not tell a running daemon from a dead one whose number has been given to another \
              process; a lock does, since the kernel drops it with its owner.",
        source: "pidfile(3); Open vSwitch, lib/daemon-unix.c, make_pidfile; fcntl(2), flock(2)",
        judged: "/proc/PID/fdinfo of the daemon's processes must show a lock, of whatever kind, on the directory \
                 of the pidfile or on anything in it.",
        judge: locked_by_daemon,
    },
    Check {
        id: "pidfile.in-foreground",
        promise: "A daemon that stays in the foreground keeps the same promises about its pidfile",
        why: "A service manager that runs it in the foreground, and an operator who debugs it there, rely on them \
              as well.",
        source: "Open vSwitch, tests/daemon.at, \"daemon\"",
        judged: "Started in the foreground, the pidfile must name one of its living processes, and a lock be held.",
        judge: in_foreground,
    },
    Check {
        id: "pidfile.declared-mode",
        promise: "The pidfile has the mode that the profile declares, whatever the umask",
        why: "With umask 0 anyone could write to it; with 077 nobody else could read it.",
        source: "The daemon's profile",
        judged: "Started with umask 0 and with umask 077; only if the profile declares the mode.",
        judge: declared_mode,
    },
];

fn names_daemon(lab: &Lab<'_>) -> Judgement {
    lab.driving.pidfile()?;
    judge_name(&lab.usual()?.up.facts)
}

pub(super) fn judge_name(facts: &Facts) -> Judgement {
    match &facts.pidfile.content {
        PidfileContent::Pid { pid, .. } if facts.is_alive(*pid) => Ok(()),
        PidfileContent::Pid { pid, .. } => broken(format!(
            "the pidfile names pid {pid}, which is none of the daemon's processes:\n{}",
            facts.tree
        )),
        PidfileContent::Malformed(content) if padded_pid(content).is_some_and(|pid| names(facts, pid)) => {
            Ok(())
        }
        PidfileContent::Malformed(_) => cannot_tell("the pidfile is malformed"),
        other => broken(format!("the daemon runs, and the pidfile is: {other}")),
    }
}

fn names(facts: &Facts, pid: i32) -> bool {
    facts.pids().any(|member| member.as_raw() == pid)
}

/// FHS 3.0 asks readers to tolerate blanks around the pid.
fn padded_pid(content: &[u8]) -> Option<i32> {
    let line = content.split(|&byte| byte == b'\n').next()?;
    let line = line.trim_ascii();
    let digits = !line.is_empty() && line.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(line).ok().filter(|_| digits)?.parse().ok()
}

fn well_formed(lab: &Lab<'_>) -> Judgement {
    lab.driving.pidfile()?;
    match &lab.usual()?.up.facts.pidfile.content {
        PidfileContent::Pid { .. } => Ok(()),
        PidfileContent::Malformed(content) if padded_pid(content).is_some() => Ok(()),
        PidfileContent::Missing => cannot_tell("there is no pidfile"),
        other => broken(format!("the pidfile is: {other}")),
    }
}

fn mode(lab: &Lab<'_>) -> Judgement {
    lab.driving.pidfile()?;
    let Some(file) = &lab.usual()?.up.facts.pidfile.file else {
        return cannot_tell("there is no pidfile");
    };
    match file.mode & 0o022 {
        0 => Ok(()),
        _ => broken(format!("the mode of the pidfile is {:04o}", file.mode & 0o7777)),
    }
}

fn locked_by_daemon(lab: &Lab<'_>) -> Judgement {
    lab.driving.pidfile()?;
    let up = &lab.usual()?.up;
    if up.facts.locks.is_empty() {
        lab.is_ready(up)?;
    }
    judge_lock(&up.facts)
}

pub(super) fn judge_lock(facts: &Facts) -> Judgement {
    match facts.locks.is_empty() {
        false => Ok(()),
        true if facts.hidden.is_some() => facts.all_seen().map(drop),
        true => broken(
            "none of the daemon's processes holds a lock on the pidfile, on a file beside it, or on their directory",
        ),
    }
}

fn in_foreground(lab: &Lab<'_>) -> Judgement {
    lab.driving.pidfile()?;
    let facts = &lab.foreground()?.up.facts;
    judge_name(facts)?;
    // Where it is never locked, pidfile.locked-by-daemon says so.
    match lab.usual()?.up.facts.locks.is_empty() {
        true => Ok(()),
        false => judge_lock(facts),
    }
}

fn declared_mode(lab: &Lab<'_>) -> Judgement {
    lab.driving.pidfile()?;
    let Some(declared) = lab.driving.declared.pidfile_mode else {
        return does_not_apply(UNDECLARED);
    };
    lab.usual()?;
    for umask in [0, 0o077] {
        let start = Start::new(lab.driving.usual()).options(|options| options.umask(umask));
        let run = lab.start(start)?;
        lab.must_run(&run, run.outcome()?)?;
        let file = run.settled()?.pidfile.file;
        let file = file.ok_or_else(|| No::CannotTell("there is no pidfile".to_owned()))?;
        let mode = file.mode & 0o7777;
        if mode != declared {
            return broken(format!(
                "with umask {umask:03o} the mode of the pidfile is {mode:04o}, not {declared:04o}"
            ));
        }
    }
    Ok(())
}
