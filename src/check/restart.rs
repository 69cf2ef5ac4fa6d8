//! `restart`: how a monitor restarts a daemon that crashes again and again.

use super::catalogue::Check;
use super::facts::Facts;
use super::lab::Lab;
use super::outcome::{Judgement, No, UNDECLARED, broken, cannot_tell, does_not_apply};
use super::run::Run;
use super::series::{End, Series, crash, is_asleep_without, limit, wait_for_restart};
use crate::fixture::Deadline;
use crate::observe::Process;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use std::num::NonZeroU32;
use std::time::Duration;

/// How many restarts must show a wait. A few may come at once before that: many supervisors allow for it.
const LAST: usize = 5;

/// Below this the monitor has not waited, only worked.
const WAIT: Duration = Duration::from_millis(50);

/// Above this no loop is tight, whatever the monitor was seen to do.
const TIGHT: Duration = Duration::from_millis(600);

/// By how much the wall clock is set.
const STEP: Duration = Duration::from_secs(3600);

/// What a monitor may take longer than before.
const MARGIN: Duration = Duration::from_secs(10);

/// A monitor may wait longer each time.
const TWICE: u32 = 2;

/// Some monitors count whole seconds; and on the machine's clock, births are counted in ticks of 10 ms, and a monitor under
/// load forks late.
const TOLERANCE: f64 = 0.7;

/// By how much the times of a monitor that counts whole seconds differ from what it was told.
const WHOLE_SECONDS: Duration = Duration::from_secs(1);

/// To what a poll(2) rounds.
const RESOLUTION: Duration = Duration::from_millis(2);

const NO_WAIT: &str = "the monitor was not seen to wait before it restarts the daemon";
const RARER: &str = "the monitor does not restart the daemon as often as before";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "restart.throttled",
        promise: "A daemon that crashes again and again is not restarted in a tight loop",
        why: "The machine does nothing but start it, and its log fills the disk.",
        source: "Open vSwitch, monitor_daemon; systemd.unit(5), StartLimitIntervalSec=; inetd(8)",
        judged: "The daemon is killed by SIGSEGV whenever it is up again, ten times if nothing is declared. Broken \
                 if the last five restarts come without a wait: the monitor was never seen asleep for 50 ms, and \
                 they are less than 600 ms apart (median), or than the interval that a profile declares.",
        judge: throttled,
    },
    Check {
        id: "restart.interval",
        promise: "Two restarts are at least as far apart as the profile declares",
        why: "As for restart.throttled.",
        source: "The daemon's profile",
        judged: "The times between the births of restarted daemons, on a clock of their own; with --real-time those that \
                 the kernel notes. Only if the profile declares the interval; three tenths of it, and on a clock of their \
                 own a second at most, are allowed to monitors that count whole seconds and machines under load.",
        judge: interval,
    },
    Check {
        id: "restart.first-at-once",
        promise: "The first crash is followed by a restart at once, if the profile declares it",
        why: "A daemon that crashes once a week is away for the whole throttle, for nothing.",
        source: "The daemon's profile",
        judged: "Broken if the monitor sleeps for 50 ms or more between the first crash and the restart. Only on a clock of \
                 the daemon's own (not with --real-time), and if the profile declares it.",
        judge: first_at_once,
    },
    Check {
        id: "restart.back-off",
        promise: "While crashes follow each other restarts come further apart, up to what the profile declares",
        why: "What keeps crashing is not mended by more starts, which cost the machine and fill its log.",
        source: "The daemon's profile",
        judged: "The times between restarts, while the daemon is crashed as soon as it is up. Broken if one of them is longer \
                 than declared, if one is much shorter than that before it, or if the last is no longer than the first. Only \
                 on a clock of the daemon's own (not with --real-time), and if the profile declares the longest.",
        judge: back_off,
    },
    Check {
        id: "restart.gives-up",
        promise: "After as many crashes in a row as the profile declares, and no fewer, the monitor gives up",
        why: "Whoever watches the monitor never learns that the daemon does not work; or it is down after a few crashes.",
        source: "The daemon's profile",
        judged: "The daemon is crashed as soon as it is up, as often as declared: each time but the last it must be restarted, \
                 and the last time the monitor must end. Only on a clock of the daemon's own (not with --real-time), and if \
                 the profile declares how often.",
        judge: gives_up,
    },
    Check {
        id: "restart.wall-clock",
        promise: "Setting the wall clock back does not keep a daemon from being restarted",
        why: "A machine whose clock is put right by an hour after it was started is without the daemon for that hour.",
        source: "clock_gettime(2): CLOCK_MONOTONIC for intervals",
        judged: "While the monitor waits to restart a daemon that has crashed, CLOCK_REALTIME is set back by an hour. \
                 Broken if the restart then takes over four times as long as the longest before and ten seconds more. \
                 Only on a clock of the daemon's own (not with --real-time).",
        judge: wall_clock,
    },
    Check {
        id: "restart.wall-clock-forward",
        promise: "Setting the wall clock forward does not end the throttle",
        why: "While the clock of a machine is put right again and again, a daemon that keeps crashing is restarted in a tight \
              loop.",
        source: "clock_gettime(2): CLOCK_MONOTONIC for intervals",
        judged: "The daemon is crashed until the monitor waits before it restarts it, and then once as often in a new run; this \
                 time CLOCK_REALTIME is set forward by an hour before that last crash. Broken if the monitor then waits less than \
                 half as long as it ever did from that crash on. Only on a clock of the daemon's own (not with --real-time).",
        judge: wall_clock_forward,
    },
    Check {
        id: "restart.none-after-sigterm",
        promise: "A monitor that is told to stop while it waits to restart the daemon stops, and starts none",
        why: "Whoever has stopped it finds it running, and the pidfile with a daemon that nobody wants.",
        source: "Open vSwitch, monitor_daemon; daemon(7), SIGTERM",
        judged: "While the monitor waits to restart a daemon that has crashed, it is sent SIGTERM. Broken if it is still \
                 there, or another daemon is, when it should have restarted one. Only on a clock of the daemon's own \
                 (not with --real-time).",
        judge: none_after_sigterm,
    },
    Check {
        id: "restart.as-before",
        promise: "A restarted daemon has the same standard descriptors, session and directory as the first one",
        why: "What the first daemon let go of would be held by the second.",
        source: "Open vSwitch, lib/daemon-unix.c",
        judged: "After a restart, descriptors 0 to 2, session and working directory must be those of the first daemon; \
                 both may lead sessions of their own, and pipes and sockets may be new ones.",
        judge: as_before,
    },
    Check {
        id: "restart.at-rest",
        promise: "A restarted daemon sleeps when it has nothing to do, as the first one does",
        why: "After a crash at night it keeps a processor busy until someone notices.",
        source: "docs/findings.md, ovsdb-server",
        judged: "After several restarts all processes must be seen asleep at the same time, as they were before the first crash. \
                 Broken if they were not in 2 s, in which they have used 1 s of a processor and twice what the first one needed \
                 to get there. Only on a clock of the daemon's own (not with --real-time).",
        judge: at_rest,
    },
    Check {
        id: "restart.no-descriptor-leak",
        promise: "The monitor has no more descriptors after each restart",
        why: "After enough crashes the monitor cannot open anything any more, and the daemon stays down.",
        source: "docs/pidfile-protocol.md",
        judged: "The descriptors of the monitor are counted after each of several restarts; broken if every restart \
                 adds to them.",
        judge: no_descriptor_leak,
    },
    Check {
        id: "restart.no-zombies",
        promise: "The monitor waits for the daemons that crashed",
        why: "Each crash leaves an entry in the process table, until no process can be started any more.",
        source: "wait(2)",
        judged: "After restarts no dead process may be left in the tree.",
        judge: no_zombies,
    },
    Check {
        id: "restart.signals",
        promise: "The monitor restarts the daemon after the signals that the profile declares, and after no other",
        why: "A daemon that was killed on purpose comes back, or one that crashed does not.",
        source: "The daemon's profile",
        judged: "A monitored daemon is killed by each of the declared signals (those that it ignores or survives \
                 aside), and by SIGKILL and SIGUSR2 if they are not among them.",
        judge: signals,
    },
];

/// The series, if the monitor restarts the daemon at all.
fn restarted<'a>(lab: &'a Lab<'_>) -> Result<&'a Series, No> {
    let series = lab.series()?;
    match series.restarts.is_empty() {
        true => cannot_tell("the monitor does not restart the daemon"),
        false => Ok(series),
    }
}

fn throttled(lab: &Lab<'_>) -> Judgement {
    let series = restarted(lab)?;
    if matches!(series.end, End::Throttled | End::GivenUp) {
        return Ok(());
    }
    let waited =
        series.waits[series.waits.len().saturating_sub(LAST)..].iter().max().copied().unwrap_or_default();
    let Some(apart) = median(&series.intervals[series.intervals.len().saturating_sub(LAST)..]) else {
        return cannot_tell("too few restarts were seen");
    };
    let limit = lab.driving.declared.restart_interval.map_or(TIGHT, |interval| interval.mul_f64(TOLERANCE));
    match waited < WAIT && apart < limit {
        true => broken(format!(
            "{} restarts, the last of them {apart:?} apart, with no wait between",
            series.restarts.len()
        )),
        false => Ok(()),
    }
}

/// What [`in_the_throttle`] comes to: a run whose monitor waits for the moment to restart the daemon.
struct Throttled<'r, 'l> {
    run: &'r Run<'l>,
    monitor: Pid,
    /// The last daemon, which has crashed since.
    before: &'r Facts,
    /// How long the monitor waited at most, before.
    longest: Duration,
}

/// Crashes the daemon until its monitor waits before it restarts it, and then does `what`.
fn in_the_throttle(lab: &Lab<'_>, what: impl FnOnce(Throttled<'_, '_>) -> Judgement) -> Judgement {
    let series = restarted(lab)?;
    lab.has_its_clock()?;
    let longest = series.intervals.iter().max().copied().unwrap_or_default();
    if series.end != End::Enough || longest < WAIT {
        return does_not_apply(NO_WAIT);
    }
    let (run, mut facts, monitor) = lab.up_to_be_restarted()?;
    let run = &run;
    for _ in 0..=series.restarts.len() {
        let dead = facts.daemon;
        if !run.dies_of(dead, Signal::SIGSEGV)? {
            return does_not_apply("the daemon does not die of SIGSEGV");
        }
        let crashed = run.passed();
        if is_asleep_without(run, dead, monitor)? && run.passed() - crashed < WAIT {
            return what(Throttled { run, monitor, before: &facts, longest });
        }
        match wait_for_restart(run, &facts, monitor, TWICE * longest)?.daemon {
            Ok(next) => facts = next,
            Err(_) => return cannot_tell(RARER),
        }
    }
    cannot_tell("the monitor was not seen to wait once more")
}

fn wall_clock(lab: &Lab<'_>) -> Judgement {
    in_the_throttle(lab, |throttled| {
        let limit = throttled.longest * 4 + MARGIN;
        if limit >= STEP {
            return does_not_apply(format!("the monitor waits for {:?}", throttled.longest));
        }
        if let Some(clock) = throttled.run.subject.clock() {
            clock.step_realtime(-(STEP.as_secs().cast_signed()));
        }
        match wait_for_restart(throttled.run, throttled.before, throttled.monitor, limit)?.daemon {
            Ok(_) => Ok(()),
            Err(End::GivenUp) => broken("the monitor ended when the wall clock was set back"),
            Err(_) => broken(format!(
                "the wall clock was set back by an hour, and {limit:?} later the daemon was not restarted; before that \
                 it took {:?} at most",
                throttled.longest
            )),
        }
    })
}

fn wall_clock_forward(lab: &Lab<'_>) -> Judgement {
    let series = restarted(lab)?;
    lab.has_its_clock()?;
    let crashes = series.waits.iter().position(|waited| *waited >= TWICE * WAIT);
    let Some(crashes) = crashes else { return does_not_apply(NO_WAIT) };
    let usual = series.waits[crashes..].iter().min().copied().unwrap_or_default();
    let (run, mut facts, monitor) = lab.up_to_be_restarted()?;
    let run = &run;
    for count in 0..=crashes {
        if let Some(clock) = run.subject.clock().filter(|_| count == crashes) {
            clock.step_realtime(STEP.as_secs().cast_signed());
        }
        let next = crash(lab, run, &facts, monitor, count == 0)?;
        match next.daemon {
            Ok(_) if count == crashes && next.waited < usual / TWICE => {
                return broken(format!(
                    "the wall clock was set forward by an hour, and the monitor restarted the daemon after {:?}, not {usual:?}",
                    next.waited
                ));
            }
            Ok(next) => facts = next,
            Err(_) => return cannot_tell(RARER),
        }
    }
    Ok(())
}

fn none_after_sigterm(lab: &Lab<'_>) -> Judgement {
    in_the_throttle(lab, |Throttled { run, monitor, longest, .. }| {
        let before = run.subject.live_pids()?;
        run.subject.signal(monitor, Signal::SIGTERM)?;
        let limit = TWICE * longest + MARGIN;
        match run.subject.wait_gone(monitor, Deadline::by_its_clock(limit)) {
            Ok(()) => {}
            Err(error) if error.is_timeout() => {
                return broken(format!("{limit:?} after SIGTERM, the monitor, pid {monitor}, still runs"));
            }
            Err(error) => return Err(error.into()),
        }
        // Workers of the daemon that crashed may be left, which is another matter.
        match run.subject.live_pids()?.iter().find(|pid| !before.contains(pid)) {
            Some(pid) => {
                broken(format!("after SIGTERM the monitor ended and left another daemon, pid {pid}"))
            }
            None => Ok(()),
        }
    })
}

/// The lower one of two.
fn median(intervals: &[Duration]) -> Option<Duration> {
    let mut sorted = intervals.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len().saturating_sub(1) / 2).copied()
}

fn interval(lab: &Lab<'_>) -> Judgement {
    let Some(declared) = lab.driving.declared.restart_interval else {
        return does_not_apply(UNDECLARED);
    };
    let series = restarted(lab)?;
    let Some(shortest) = series.intervals.iter().min() else {
        return cannot_tell("too few restarts were seen");
    };
    let tolerated = declared.mul_f64(TOLERANCE);
    let least = match lab.has_its_clock() {
        Ok(()) => tolerated.max(declared.saturating_sub(WHOLE_SECONDS)),
        Err(_) => tolerated,
    };
    match *shortest < least {
        true => broken(format!("two restarts were {shortest:?} apart, not {declared:?}")),
        false => Ok(()),
    }
}

fn first_at_once(lab: &Lab<'_>) -> Judgement {
    if !lab.driving.declared.first_restart_at_once {
        return does_not_apply(UNDECLARED);
    }
    let series = restarted(lab)?;
    lab.has_its_clock()?;
    match series.waits[0] {
        waited if waited >= WAIT => {
            broken(format!("the daemon was restarted {waited:?} after its first crash"))
        }
        _ => Ok(()),
    }
}

fn back_off(lab: &Lab<'_>) -> Judgement {
    let Some(longest) = lab.driving.declared.longest_restart_interval else {
        return does_not_apply(UNDECLARED);
    };
    let series = restarted(lab)?;
    lab.has_its_clock()?;
    let intervals = &series.intervals;
    let [first, .., last] = intervals[..] else {
        return cannot_tell("too few restarts were seen");
    };
    if let Some(beyond) = intervals.iter().find(|interval| **interval > longest + WHOLE_SECONDS) {
        return broken(format!("two restarts were {beyond:?} apart, more than {longest:?}"));
    }
    let shrinks = intervals.windows(2).any(|pair| pair[1] + WHOLE_SECONDS < pair[0]);
    let is_longest_at_once = first + RESOLUTION >= longest;
    match shrinks || last < first + RESOLUTION && !is_longest_at_once {
        true => broken(format!(
            "the restarts were {intervals:?} apart, and should come further and further apart"
        )),
        false => Ok(()),
    }
}

fn gives_up(lab: &Lab<'_>) -> Judgement {
    let Some(declared) = lab.driving.declared.gives_up_after.map(NonZeroU32::get) else {
        return does_not_apply(UNDECLARED);
    };
    lab.has_its_clock()?;
    let (run, mut facts, monitor) = lab.up_to_be_restarted()?;
    let run = &run;
    for count in 1..=declared {
        match (crash(lab, run, &facts, monitor, count == 1)?.daemon, count == declared) {
            (Ok(next), false) => facts = next,
            (Err(End::GivenUp), true) => {}
            (Err(End::GivenUp), false) => {
                return broken(format!("the monitor gave up after crash {count}, not {declared}"));
            }
            (Ok(_), true) => {
                return broken(format!("the daemon was restarted after crash {count} in a row"));
            }
            (Err(_), _) => {
                let limit = limit(lab.driving, run, count == 1);
                return broken(format!(
                    "{limit:?} after crash {count} the daemon was not restarted, and its monitor, pid {monitor}, still \
                     runs"
                ));
            }
        }
    }
    Ok(())
}

fn as_before(lab: &Lab<'_>) -> Judgement {
    let series = restarted(lab)?;
    let (before, after) = (&series.before, &series.restarts[0]);
    let of = |facts: &Facts| facts.member(facts.daemon).map(|member| member.process.clone());
    let (Some(first), Some(second)) = (of(before), of(after)) else {
        return cannot_tell("the daemon has ended");
    };
    let leads = |process: &Process| process.is_session_leader();
    if first.sid != second.sid && !(leads(&first) && leads(&second)) {
        return broken(format!("the session was {}, and is {}", first.sid, second.sid));
    }
    if let (Some(first), Some(second)) = (first.cwd.known(), second.cwd.known())
        && first != second
    {
        return broken(format!("the working directory was {}, and is {}", first.display(), second.display()));
    }
    let standard = |facts: &Facts| {
        let descriptors = facts.member(facts.daemon).map(|member| &member.descriptors[..]);
        let standard = descriptors.unwrap_or_default().iter().filter(|descriptor| descriptor.fd < 3);
        standard
            .map(|descriptor| format!("{} {}", descriptor.fd, kind(&descriptor.shown)))
            .collect::<Vec<_>>()
    };
    match (standard(before), standard(after)) {
        (before, after) if before == after => Ok(()),
        (before, after) => broken(format!(
            "the standard descriptors were {}, and are {}",
            before.join(", "),
            after.join(", ")
        )),
    }
}

fn at_rest(lab: &Lab<'_>) -> Judgement {
    let series = restarted(lab)?;
    let count = series.restarts.len();
    match (series.is_sleepless.clone()?, series.restarts.last()) {
        (true, Some(last)) => broken(format!(
            "after {count} restarts {} does not go to sleep any more, as the first daemon did",
            last.name(last.daemon)
        )),
        _ => Ok(()),
    }
}

/// Where a descriptor leads, without the number of a pipe or socket: a monitor may make one for each daemon.
fn kind(shown: &str) -> &str {
    let numbered = ["pipe", "socket"].into_iter().find(|kind| shown.starts_with(&format!("{kind} ")));
    numbered.unwrap_or(shown)
}

fn no_descriptor_leak(lab: &Lab<'_>) -> Judgement {
    let series = restarted(lab)?;
    let counts: Vec<usize> = series.restarts.iter().filter_map(Facts::monitor_descriptors).collect();
    if counts.len() < 3 {
        return does_not_apply(format!("only {} restarts were seen", counts.len()));
    }
    match counts.windows(2).all(|pair| pair[0] < pair[1]) {
        true => broken(format!("the monitor's descriptors after each restart: {counts:?}")),
        false => Ok(()),
    }
}

fn no_zombies(lab: &Lab<'_>) -> Judgement {
    let zombies = restarted(lab)?.restarts.last().map_or(&[][..], |facts| &facts.zombies[..]);
    match zombies {
        [] => Ok(()),
        zombies => broken(format!("dead processes that nobody waits for: {zombies:?}")),
    }
}

fn signals(lab: &Lab<'_>) -> Judgement {
    lab.driving.monitored()?;
    let Some(declared) = &lab.driving.declared.restart_signals else {
        return does_not_apply(UNDECLARED);
    };
    restarted(lab)?;
    let others = [Signal::SIGKILL, Signal::SIGUSR2];
    let others = others.into_iter().filter(|signal| !declared.contains(signal)).map(|signal| (signal, false));
    for (signal, restarts) in declared.iter().map(|&signal| (signal, true)).chain(others) {
        let (run, facts, monitor) = lab.up_to_be_restarted()?;
        match is_restarted_after(lab, &run, &facts, monitor, signal)? {
            Some(false) if restarts => {
                return broken(format!("it is not restarted after {signal}"));
            }
            Some(true) if !restarts => return broken(format!("it is restarted after {signal}")),
            _ => {}
        }
    }
    Ok(())
}

/// `None` if it does not die of the signal.
fn is_restarted_after(
    lab: &Lab<'_>,
    run: &Run<'_>,
    facts: &Facts,
    monitor: Pid,
    signal: Signal,
) -> Result<Option<bool>, No> {
    let daemon = facts.member(facts.daemon).map(|member| &member.process.signals);
    if daemon.is_some_and(|signals| signals.ignored.contains(signal)) {
        return Ok(None);
    }
    if !run.dies_of(facts.daemon, signal)? {
        return Ok(None);
    }
    Ok(Some(wait_for_restart(run, facts, monitor, limit(lab.driving, run, true))?.daemon.is_ok()))
}
