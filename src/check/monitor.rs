//! `monitor`: the process that watches over the daemon.

use super::catalogue::Check;
use super::lab::Lab;
use super::outcome::{Judgement, No, UNDECLARED, broken, cannot_tell, does_not_apply};
use super::pidfile::{judge_lock, judge_name};
use super::run::Down;
use super::series::{End, Intruder};
use super::startup::{judge_failure_status, judge_what_is_left};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "monitor.supervises",
        promise: "A monitored daemon has a living parent, the monitor, and the pidfile names one of the two",
        why: "Nobody would restart it, or nobody would find it.",
        source: "Open vSwitch, --monitor; tests/daemon.at, \"daemon --monitor\"",
        judged: "Started monitored, the tree must show a daemon below a monitor, and the pidfile name one of them.",
        judge: supervises,
    },
    Check {
        id: "monitor.startup-failure",
        promise: "A monitored start that fails exits with a status other than 0 and leaves nothing",
        why: "The monitor would restart for ever what can never work, or hide that it does not.",
        source: "Open vSwitch, tests/daemon.at, \"daemon --detach --monitor startup errors\"",
        judged: "As startup.failure-status and startup.failure-leaves-nothing, with the monitor switched on.",
        judge: startup_failure,
    },
    Check {
        id: "monitor.restarts",
        promise: "A daemon that crashes is restarted by the same monitor",
        why: "That is what a monitor is for.",
        source: "Open vSwitch, --monitor; tests/daemon.at, \"daemon --monitor\"",
        judged: "The monitored daemon is killed by SIGSEGV; the monitor must live on and have a new daemon.",
        judge: restarts,
    },
    Check {
        id: "monitor.pidfile-follows",
        promise: "After a restart the pidfile names a process that runs",
        why: "The restarted daemon could not be found and stopped.",
        source: "Open vSwitch, tests/daemon.at, \"daemon --monitor\"",
        judged: "After a crash by SIGSEGV and the restart, the pid in the pidfile must be a living process.",
        judge: pidfile_follows,
    },
    Check {
        id: "monitor.still-locked",
        promise: "After a restart a process of the daemon holds the lock as before",
        why: "A second start would run beside the restarted daemon.",
        source: "Open vSwitch, lib/daemon-unix.c",
        judged: "As pidfile.locked-by-daemon, after a crash by SIGSEGV and the restart.",
        judge: still_locked,
    },
    Check {
        id: "monitor.locked-between",
        promise: "While the monitor waits to restart the daemon, a second start is refused",
        why: "It would take the pidfile, and the monitor give up, or two daemons run. Open vSwitch gets this wrong: \
              the lock goes with the daemon that crashed.",
        source: "docs/pidfile-protocol.md",
        judged: "The daemon is crashed when the monitor has to wait before the next restart, and another instance is \
                 started in the meantime, for which the monitor is stopped; it must not run.",
        judge: locked_between,
    },
    Check {
        id: "monitor.stop",
        promise: "SIGTERM to whom the pidfile of a monitored daemon names ends daemon and monitor, and no pidfile is left",
        why: "A daemon that cannot be stopped by its pidfile cannot be stopped at all: it always comes back.",
        source: "Open vSwitch, --monitor; tests/daemon.at, \"daemon --monitor\"",
        judged: "The process in the pidfile, be it daemon or monitor, is sent SIGTERM (without a pidfile, the \
                 daemon); daemon and monitor must end, and the pidfile be gone or empty.",
        judge: stop,
    },
    Check {
        id: "monitor.sigterm",
        promise: "SIGTERM to the monitor ends daemon and monitor",
        why: "A service manager signals the process that it started; the daemon would live on with nobody watching. \
              Open vSwitch gets this wrong.",
        source: "daemon(7), new-style daemons, step 1; supervise(8), svc -d",
        judged: "The monitor is sent SIGTERM; daemon and monitor must end.",
        judge: sigterm,
    },
    Check {
        id: "monitor.sigterm-pidfile",
        promise: "After SIGTERM to the monitor no pidfile names the daemon",
        why: "As for stop.pidfile-removed.",
        source: "daemon(7); docs/pidfile-protocol.md",
        judged: "Once monitor and daemon have ended, the pidfile must be gone or empty.",
        judge: sigterm_pidfile,
    },
    Check {
        id: "monitor.comm",
        promise: "The monitor's command name is the one that the profile declares",
        why: "`ps` and `pkill` tell monitor and daemon apart by it.",
        source: "The daemon's profile",
        judged: "/proc/PID/comm of the monitor; the daemon's must be another one, also after a restart. Only if the \
                 profile declares it.",
        judge: comm,
    },
    Check {
        id: "monitor.title",
        promise: "The monitor's title is the one that the profile declares",
        why: "It is how an operator sees at a glance that a daemon has crashed, and how often.",
        source: "The daemon's profile",
        judged: "/proc/PID/cmdline of the monitor, at first and after each of several crashes. Only if the profile declares it.",
        judge: title,
    },
];

fn down(run: Result<&super::lab::UpAndDown, No>) -> Result<&Down, No> {
    run?.down.as_ref().map_err(Clone::clone)
}

fn supervises(lab: &Lab<'_>) -> Judgement {
    let facts = &lab.supervised()?.up.facts;
    if facts.monitor.is_none() {
        return broken(format!("there is no process above the daemon:\n{}", facts.tree));
    }
    match lab.driving.has_pidfile() {
        true => judge_name(facts),
        false => Ok(()),
    }
}

fn startup_failure(lab: &Lab<'_>) -> Judgement {
    let failing = lab.failing_monitored()?;
    if failing.status.is_none() && lab.driving.detach.is_none() && lab.driving.fail.is_none() {
        return does_not_apply(format!("{} it runs all the same", failing.cause));
    }
    judge_failure_status(lab, failing)?;
    judge_what_is_left(failing)
}

fn restarts(lab: &Lab<'_>) -> Judgement {
    let series = lab.series()?;
    match (series.restarts.is_empty(), series.end) {
        (false, _) => Ok(()),
        (true, End::GivenUp) => broken("the daemon was killed by SIGSEGV, and the monitor ended"),
        (true, _) => {
            broken(format!("the daemon was killed by SIGSEGV, and not restarted within {:?}", series.limit))
        }
    }
}

/// What was seen after the first restart.
fn restarted<'a>(lab: &'a Lab<'_>) -> Result<&'a super::facts::Facts, No> {
    match lab.series()?.restarts.first() {
        Some(facts) => Ok(facts),
        None => cannot_tell("the monitor does not restart the daemon"),
    }
}

fn pidfile_follows(lab: &Lab<'_>) -> Judgement {
    lab.driving.pidfile()?;
    judge_name(restarted(lab)?)
}

fn still_locked(lab: &Lab<'_>) -> Judgement {
    lab.driving.pidfile()?;
    let facts = restarted(lab)?;
    match lab.series()?.before.locks.is_empty() {
        true => cannot_tell("there was no lock before the crash either"),
        false => judge_lock(facts),
    }
}

fn locked_between(lab: &Lab<'_>) -> Judgement {
    lab.driving.pidfile()?;
    match lab.series()?.intruder.as_ref().map_err(Clone::clone)? {
        Intruder::Refused => Ok(()),
        Intruder::Ran => broken("an instance that was started while the monitor waited runs beside it"),
    }
}

fn stop(lab: &Lab<'_>) -> Judgement {
    // Without one, whoever wants to stop it has to know the monitor.
    lab.driving.pidfile()?;
    let down = down(lab.supervised())?;
    all_ended(lab, down, "SIGTERM by the pidfile")?;
    down.pidfile_is_gone()
}

fn all_ended(lab: &Lab<'_>, down: &Down, after: &str) -> Judgement {
    match (down.ended, down.empty || down.left.is_empty()) {
        (true, true) => Ok(()),
        (false, _) => {
            broken(format!("{:?} after {after}, {} still runs", lab.driving.timeout, down.left.join(" and ")))
        }
        (true, false) => broken(format!("after {after}, {} runs", down.left.join(" and "))),
    }
}

fn sigterm(lab: &Lab<'_>) -> Judgement {
    all_ended(lab, down(lab.monitor_stopped())?, "SIGTERM to the monitor")
}

fn sigterm_pidfile(lab: &Lab<'_>) -> Judgement {
    lab.driving.pidfile()?;
    let down = down(lab.monitor_stopped())?;
    match down.ended && (down.empty || down.left.is_empty()) {
        true => down.pidfile_is_gone(),
        false => cannot_tell("SIGTERM to the monitor does not end the daemon"),
    }
}

fn comm(lab: &Lab<'_>) -> Judgement {
    let Some(declared) = &lab.driving.declared.monitor_comm else {
        return does_not_apply(UNDECLARED);
    };
    let mut looks = vec![&lab.supervised()?.up.facts];
    looks.extend(lab.series()?.restarts.first());
    for facts in looks {
        let of = |pid| facts.member(pid).map(|member| &member.process);
        let (Some(monitor), Some(daemon)) = (facts.monitor.and_then(of), of(facts.daemon)) else {
            return cannot_tell("no monitor was found");
        };
        if monitor.comm != declared.as_str() {
            return broken(format!("the monitor's is {:?}, not {declared:?}", monitor.comm));
        }
        if daemon.comm == declared.as_str() {
            return broken(format!("the daemon's is {declared:?} as well"));
        }
    }
    Ok(())
}

fn title(lab: &Lab<'_>) -> Judgement {
    let declared = &lab.driving.declared;
    let Some(healthy) = &declared.monitor_title else {
        return does_not_apply(UNDECLARED);
    };
    let series = lab.series()?;
    expect_title(&series.before, &healthy.replace("{pid}", &series.before.daemon.to_string()))?;
    let Some(crashed) = &declared.monitor_title_after_crash else {
        return Ok(());
    };
    let mut before = &series.before;
    for (index, facts) in series.restarts.iter().enumerate() {
        let expected = crashed.replace("{crashed}", &before.daemon.to_string());
        let expected = expected.replace("{crashes}", &(index + 1).to_string());
        expect_title(facts, &expected.replace("{pid}", &facts.daemon.to_string()))?;
        before = facts;
    }
    Ok(())
}

fn expect_title(facts: &super::facts::Facts, expected: &str) -> Judgement {
    let title = facts.monitor_title();
    match title.contains(expected) {
        true => Ok(()),
        false => broken(format!("the monitor's title is {title:?}, without {expected:?}")),
    }
}
