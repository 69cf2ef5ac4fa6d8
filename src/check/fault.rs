//! `fault`: a start in which a system call fails.

use super::catalogue::Check;
use super::crash::judge;
use super::lab::Lab;
use super::outcome::Judgement;
use crate::explore::sweep::{Blow, HarmKind};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "fault.all-or-nothing",
        promise: "When a system call of its start fails, the daemon comes up and is right, or its command fails and nothing runs",
        why: "On a full disk the daemon runs with an empty pidfile, and nobody can stop it; or the boot script takes it for \
              running.",
        source: "docs/explorer.md, Sweeps; daemon(7), SysV daemons, step 15; errno(3)",
        judged: "The start is traced, and one of its system calls that another process could notice returns an error, each in \
                 turn and each error that it can give (ENOSPC, EIO, EACCES, EMFILE …), as `daemonproof fault` does. Broken if \
                 the command says that it has failed and the daemon runs, or the other way round, if the daemon does not own \
                 its pidfile, hangs, or is killed by a signal. In the usual mode, and for some seconds; --deep adds the other \
                 modes and a start over a stale pidfile.",
        judge: all_or_nothing,
    },
    Check {
        id: "fault.message",
        promise: "When a system call makes its start fail, its command says something",
        why: "The operator sees a status and has to guess that the disk is full.",
        source: "docs/explorer.md, Sweeps; Open vSwitch, tests/daemon.at, \"startup errors\"",
        judged: "As fault.all-or-nothing; something must have been written to standard output or error.",
        judge: message,
    },
    Check {
        id: "fault.next-start",
        promise: "What a start leaves that failed so does not stop the next one",
        why: "The disk has space again, and the daemon still does not start.",
        source: "docs/explorer.md, Sweeps; pidfile(3)",
        judged: "As fault.all-or-nothing; if any file is left, the daemon is started once more, without an error: it must come \
                 up and own the pidfile. That nothing at all is left is for `daemonproof fault` to judge.",
        judge: next_start,
    },
];

fn all_or_nothing(lab: &Lab<'_>) -> Judgement {
    judge(lab, Blow::Fail, &[HarmKind::Wrong])
}

fn message(lab: &Lab<'_>) -> Judgement {
    judge(lab, Blow::Fail, &[HarmKind::Silent])
}

fn next_start(lab: &Lab<'_>) -> Judgement {
    judge(lab, Blow::Fail, &[HarmKind::Lasting])
}
