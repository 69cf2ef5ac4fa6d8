//! `stdio`: standard input, output and error of a detached daemon.

use super::catalogue::Check;
use super::lab::{Lab, Up};
use super::outcome::{Judgement, No, broken, cannot_tell};
use super::run::Start;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "stdio.released",
        promise: "A detached daemon lets go of its starter's standard output and error",
        why: "Whoever reads them waits for an end that never comes: the SSH session hangs, the CI job does not \
              finish, `$(start the daemon)` never returns.",
        source: "daemon(7), SysV daemons, step 9; PEP 3143; daemon(3)",
        judged: "No descriptor of the daemon, whatever its number, may lead to the files that the starter gave it.",
        judge: released,
    },
    Check {
        id: "stdio.monitor-released",
        promise: "The monitor of a detached daemon lets go of them as well",
        why: "As for stdio.released: one process that keeps them open is enough.",
        source: "Open vSwitch, lib/daemon-unix.c, daemonize_start",
        judged: "As stdio.released, started detached and monitored: no process may have such a descriptor.",
        judge: monitor_released,
    },
    Check {
        id: "stdio.open",
        promise: "The standard descriptors of a detached daemon lead somewhere",
        why: "Where 0, 1 or 2 is closed, the next file that the daemon opens gets that number, and a stray message \
              is written into it.",
        source: "daemon(7), SysV daemons, step 9; PEP 3143",
        judged: "Descriptors 0, 1 and 2 of the daemon must be open.",
        judge: open,
    },
    Check {
        id: "stdio.closed-at-start",
        promise: "A daemon that is started with closed standard descriptors starts, and its pidfile is right",
        why: "The pidfile itself gets the number 0, 1 or 2, and messages are written into it.",
        source: "daemon(7), SysV daemons, step 9",
        judged: "The daemon is started with descriptors 0, 1 and 2 closed; its pidfile must name it, and hold \
                 nothing else.",
        judge: closed_at_start,
    },
];

fn up<'a>(lab: &'a Lab<'_>) -> Result<&'a Up, No> {
    lab.driving.detached()?;
    Ok(&lab.usual()?.up)
}

fn released(lab: &Lab<'_>) -> Judgement {
    none_kept(up(lab)?)
}

fn monitor_released(lab: &Lab<'_>) -> Judgement {
    lab.driving.detached()?;
    none_kept(&lab.supervised()?.up)
}

/// Beyond the starter's output, an inherited descriptor is for `fds` to judge.
fn none_kept(up: &Up) -> Judgement {
    up.facts.all_seen()?;
    let output = up.starters_descriptors.iter().filter(|(.., shown)| !shown.starts_with("pipe"));
    let kept =
        output.map(|(pid, fd, shown)| format!("descriptor {fd} of {} is {shown}", up.facts.name(*pid)));
    let kept: Vec<String> = kept.collect();
    match &kept[..] {
        [] => Ok(()),
        kept => broken(format!("its starter's output is still open: {}", kept.join(", "))),
    }
}

fn open(lab: &Lab<'_>) -> Judgement {
    let up = up(lab)?;
    let Some(daemon) = up.facts.member(up.facts.daemon) else {
        return cannot_tell("the daemon has ended");
    };
    up.facts.all_seen()?;
    let is_open = |fd: &i32| daemon.descriptors.iter().any(|descriptor| descriptor.fd == *fd);
    let closed: Vec<String> = (0..3).filter(|fd| !is_open(fd)).map(|fd| fd.to_string()).collect();
    match &closed[..] {
        [] => Ok(()),
        closed => broken(format!("closed: {}", closed.join(", "))),
    }
}

fn closed_at_start(lab: &Lab<'_>) -> Judgement {
    let mode = lab.driving.detached()?;
    lab.driving.pidfile()?;
    lab.usual()?;
    let run = lab.start(Start::new(mode).options(|options| options.close_stdio()))?;
    if let Err(No::CannotTell(why)) = lab.must_run(&run, run.outcome()?) {
        return broken(why);
    }
    let facts = run.settled()?;
    let usual = &lab.usual()?.up.facts;
    if !usual.pidfile_names_member() {
        return cannot_tell("the pidfile never names the daemon");
    }
    let has_strays = facts.pidfile_has_more_lines() && !usual.pidfile_has_more_lines();
    match facts.pidfile_names_member() && !has_strays {
        true => Ok(()),
        false => broken(format!("the daemon runs, and the pidfile is: {}", facts.pidfile.content)),
    }
}
