//! `stale`: a pidfile whose owner is gone.

use super::catalogue::Check;
use super::lab::Lab;
use super::outcome::{Judgement, No, broken};
use super::run::{Outcome, Start, describe};
use crate::fixture::{CommandLine, Sandbox, StartOptions};
use std::fs;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "stale.dead-pid",
        promise: "A pidfile that names a process that does not exist does not stop a start",
        why: "After a crash or a power failure the daemon would not come up again before someone removes it.",
        source: "daemon(7), SysV daemons, step 12; pidfile(3); Open vSwitch, read_pidfile__",
        judged: "A pidfile with a number that no process has is put there; the daemon must start and replace it.",
        judge: dead_pid,
    },
    Check {
        id: "stale.recycled-pid",
        promise: "A pidfile that names a process which is not the daemon does not stop a start",
        why: "Numbers are used again: after a reboot the old pid belongs to some other program, and the daemon \
              does not start.",
        source: "daemon(7), SysV daemons, step 12; pidfile(3)",
        judged: "A pidfile with the number of a living `tail -f` is put there; the daemon must start and replace it, \
                 and the `tail` live on.",
        judge: recycled_pid,
    },
    Check {
        id: "stale.empty",
        promise: "An empty pidfile that nobody has locked does not stop a start",
        why: "A crash between its creation and its first byte, or a full disk, leaves one.",
        source: "Open vSwitch, read_pidfile__; pidfile(3)",
        judged: "An empty pidfile is put there; the daemon must start and replace it.",
        judge: empty,
    },
    Check {
        id: "stale.after-kill",
        promise: "After SIGKILL the daemon can be started again",
        why: "The out-of-memory killer strikes, and the restart fails.",
        source: "pidfile(3); Open vSwitch, read_pidfile__",
        judged: "All processes of a running daemon are killed; a new start must run and take the pidfile over.",
        judge: after_kill,
    },
];

/// A pid that no process can have: the kernel's limit is 2^22.
const NO_PROCESS: &str = "2147483646\n";

fn dead_pid(lab: &Lab<'_>) -> Judgement {
    starts_over(lab, |_| Ok(NO_PROCESS.to_owned()))
}

fn empty(lab: &Lab<'_>) -> Judgement {
    starts_over(lab, |_| Ok(String::new()))
}

fn recycled_pid(lab: &Lab<'_>) -> Judgement {
    let elsewhere = Sandbox::new()?;
    let stranger =
        elsewhere.start(&CommandLine::new("tail").args(["-f", "/dev/null"]), StartOptions::new())?;
    starts_over(lab, |_| Ok(format!("{}\n", stranger.pid())))?;
    match stranger.exit_of(stranger.pid()) {
        Some(status) => {
            broken(format!("the process that the stale pidfile named has ended: {}", describe(status)))
        }
        None => Ok(()),
    }
}

/// Puts a pidfile there and starts the daemon over it.
fn starts_over(lab: &Lab<'_>, content: impl FnOnce(&Sandbox) -> Result<String, No>) -> Judgement {
    lab.driving.pidfile()?;
    lab.usual()?;
    let sandbox = lab.sandbox()?;
    let content = content(&sandbox)?;
    fs::write(sandbox.pidfile(), &content).map_err(|error| {
        No::CannotTell(format!("failed to write {}: {error}", sandbox.pidfile().display()))
    })?;
    start_must_work(lab, &sandbox)
}

fn start_must_work(lab: &Lab<'_>, sandbox: &Sandbox) -> Judgement {
    let run = lab.start_in(sandbox, Start::new(lab.driving.usual()))?;
    match run.outcome()? {
        Outcome::Ready | Outcome::NotReturned => {}
        Outcome::Ended(status) => {
            return broken(format!("the start ended with {}{}", describe(status), run.words()));
        }
        Outcome::Unclear => {
            return broken(format!("the daemon did not become ready{}", run.words()));
        }
    }
    let facts = run.settled()?;
    let usual = &lab.usual()?.up.facts;
    // `kill $(cat FILE)` reads further lines as well, and they are the old ones.
    let keeps_a_tail = facts.pidfile_has_more_lines() && !usual.pidfile_has_more_lines();
    match (facts.pidfile_names_member() && !keeps_a_tail) || !usual.pidfile_names_member() {
        true => Ok(()),
        false => broken(format!("the daemon runs, and the pidfile is: {}", facts.pidfile.content)),
    }
}

fn after_kill(lab: &Lab<'_>) -> Judgement {
    lab.driving.pidfile()?;
    lab.usual()?;
    let sandbox = lab.sandbox()?;
    let run = lab.start_in(&sandbox, Start::new(lab.driving.usual()))?;
    lab.must_run(&run, run.outcome()?)?;
    run.settled()?;
    run.subject.kill_all()?;
    start_must_work(lab, &sandbox)
}
