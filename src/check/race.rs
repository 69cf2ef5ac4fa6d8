//! `race`: several starts in every order of their system calls.

use super::catalogue::Check;
use super::driving::Mode;
use super::lab::Lab;
use super::outcome::{Judgement, broken, does_not_apply};
use crate::explore::schedule::ScenarioKind;

/// With three, some holes open that two do not reach. It takes long.
const DEEP_CONTENDERS: usize = 3;

/// What every daemon keeps that lets one instance run. What a reader of the pidfile can see in between, and what files are
/// left, differs between correct ones.
const INVARIANTS: [&str; 3] = ["at-most-one-running", "running-owns-pidfile", "someone-runs"];

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "race.start",
        promise: "Of two starts at the same time one comes up and owns the pidfile, whatever the order of their system calls",
        why: "A boot script and an administrator start it at once: then two write to the same files, or nobody can stop \
              the one that runs.",
        source: "docs/explorer.md; Open vSwitch, lib/daemon-unix.c; daemon(7), SysV daemons, step 11",
        judged: "Both are traced and run one system call at a time, in every order that can make a difference, as \
                 `daemonproof race` does. Broken if in one of them two run in the end, or the one that runs is not named by \
                 the pidfile or has lost its lock, or the last was refused although none ran. In the foreground if the daemon \
                 can stay there, and for some seconds; --deep adds the other modes, three starts, and time. Skipped if a \
                 second one is not refused anyway (lock.second-start-refused).",
        judge: start,
    },
    Check {
        id: "race.stale",
        promise: "The same of two starts that both find the pidfile of a daemon that was killed",
        why: "Each removes what it takes for stale, and the slower one removes the pidfile of the faster one.",
        source: "docs/explorer.md; docs/pidfile-protocol.md",
        judged: "As race.start, beginning with what a killed daemon has left.",
        judge: stale,
    },
    Check {
        id: "race.handover",
        promise: "The same of a start while the running daemon is being stopped",
        why: "A restart stops one and starts the next; the one that ends removes the pidfile of the one that begins.",
        source: "docs/explorer.md; docs/pidfile-protocol.md",
        judged: "As race.start; the first of the two is sent SIGTERM at any moment after it is up.",
        judge: handover,
    },
    Check {
        id: "race.crash",
        promise: "The same of a start while the running daemon is being killed",
        why: "What starts it again does not wait until the last descriptor of the old one is closed.",
        source: "docs/explorer.md; docs/pidfile-protocol.md",
        judged: "As race.start; the first of the two is sent SIGKILL at any moment after it is up.",
        judge: crash,
    },
];

fn start(lab: &Lab<'_>) -> Judgement {
    judge(lab, ScenarioKind::Start)
}

fn stale(lab: &Lab<'_>) -> Judgement {
    judge(lab, ScenarioKind::Stale)
}

fn handover(lab: &Lab<'_>) -> Judgement {
    judge(lab, ScenarioKind::Handover)
}

fn crash(lab: &Lab<'_>) -> Judgement {
    judge(lab, ScenarioKind::Crash)
}

fn judge(lab: &Lab<'_>, scenario: ScenarioKind) -> Judgement {
    if lab.second()?.runs {
        return does_not_apply("a second one runs beside the first in any order (lock.second-start-refused)");
    }
    let modes = lab.driving.modes_to_race();
    for &mode in &modes {
        judge_one(lab, scenario, mode, 2)?;
    }
    match lab.driving.deep {
        true => judge_one(lab, scenario, modes[0], DEEP_CONTENDERS),
        false => Ok(()),
    }
}

fn judge_one(lab: &Lab<'_>, scenario: ScenarioKind, mode: Mode, contenders: usize) -> Judgement {
    let Some(violation) = lab.race(mode, scenario, contenders, &INVARIANTS)? else { return Ok(()) };
    let found = violation.schedule.broken.as_ref().map_or("", |broken| &broken.sentence);
    broken(format!(
        "{}, in the {}. order that was run: {found}; `daemonproof race --scenario {scenario} --contenders {contenders}` \
         shows it",
        mode.name(),
        violation.first_execution,
    ))
}
