//! Crash after crash under a monitor.

use super::driving::Driving;
use super::facts::Facts;
use super::lab::Lab;
use super::outcome::{No, cannot_tell, does_not_apply};
use super::profile::Declared;
use super::run::{Run, Start};
use crate::fixture::Deadline;
use crate::observe::{Process, State, from_ticks};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use std::time::{Duration, Instant};

/// How often a daemon is crashed at least, whatever its throttle.
const CRASHES: usize = 3;
/// The same where the throttle costs nothing.
const CRASHES_TIMED: usize = 5;
/// How often one is crashed whose throttle, if it has one, is not declared.
const CRASHES_UNDECLARED: usize = 10;
/// How long all of that may take.
const SERIES: Duration = Duration::from_secs(6);
/// How often another instance is started while the monitor waits, until one is in time.
const INTRUSIONS: usize = 4;
/// A monitor that has not restarted the daemon after this time throttles, whatever else it does.
const THROTTLED: Duration = Duration::from_secs(3);

/// The same where the wait costs nothing.
const LONGEST: Duration = Duration::from_secs(60);

/// Nobody sees it.
const NOT_ASKED: &str = "it was not asked for";
const RARELY: &str = "the monitor was not seen to restart the daemon again and again";

/// What a monitor did while its daemon crashed again and again.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) before: Facts,
    /// What was seen after each restart.
    pub(super) restarts: Vec<Facts>,
    /// The times from one birth of a daemon to the next, from the first restart on.
    pub(super) intervals: Vec<Duration>,
    /// For how long, at least, the monitor was seen asleep before each restart.
    pub(super) waits: Vec<Duration>,
    pub(super) end: End,
    /// How long the first restart was waited for at most.
    pub(super) limit: Duration,
    /// A start between a crash and the next restart.
    pub(super) intruder: Result<Intruder, No>,
    /// Whether the daemon that was restarted last goes on and on without ever being at rest, as the first one was.
    pub(super) is_sleepless: Result<bool, No>,
}

/// Why the series ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Enough was seen.
    Enough,
    /// The daemon was not restarted in the time that throttling takes.
    Throttled,
    /// The daemon was not restarted, and the monitor has ended.
    GivenUp,
}

/// What became of a start while the monitor waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intruder {
    Refused,
    /// It ran beside the monitor.
    Ran,
}

pub(super) fn series(lab: &Lab<'_>) -> Result<Series, No> {
    let (run, before, monitor) = lab.up_to_be_restarted()?;
    let run = &run;
    let was_at_rest = !run.is_restless();
    let mut restarts: Vec<Facts> = Vec::new();
    let (mut waits, mut seen) = (Vec::new(), Vec::new());
    let begin = Instant::now();
    let end = loop {
        let now = restarts.last().unwrap_or(&before);
        let next = crash(lab, run, now, monitor, restarts.is_empty())?;
        match next.daemon {
            Ok(facts) => restarts.push(settle_descriptors(run, now, facts)?),
            Err(end) => break end,
        }
        waits.push(next.waited);
        seen.push(next.seen);
        let crashes = if run.subject.clock().is_some() { CRASHES_TIMED } else { CRASHES };
        if is_enough(lab.driving, crashes, restarts.len(), begin.elapsed()) {
            break End::Enough;
        }
    };
    let births = match run.subject.clock() {
        Some(_) => seen,
        None => births(&restarts)?,
    };
    let intervals: Vec<_> = births.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
    let is_sleepless = match end {
        _ if !lab.is_asked_for("restart.at-rest") => does_not_apply(NOT_ASKED),
        _ if run.subject.clock().is_none() => lab.has_its_clock().map(|()| false),
        _ if !was_at_rest => does_not_apply("the first daemon is never at rest, either"),
        End::Enough => run.is_sleepless(&before),
        _ => does_not_apply(RARELY),
    };
    let intruder = match restarts.last() {
        _ if !lab.is_asked_for("monitor.locked-between") => does_not_apply(NOT_ASKED),
        Some(last) if end == End::Enough => intrude_soon_enough(lab, run, last, monitor, &intervals),
        _ => does_not_apply(RARELY),
    };
    let limit = limit(lab.driving, run, true);
    Ok(Series { before, restarts, intervals, waits, end, limit, intruder, is_sleepless })
}

pub(super) fn monitor_of(facts: &Facts) -> Result<Pid, No> {
    facts.monitor.map_or_else(|| cannot_tell("no monitor was found"), Ok)
}

/// A descriptor that the monitor closes a moment later is no leak: it may be about to.
fn settle_descriptors(run: &Run<'_>, before: &Facts, after: Facts) -> Result<Facts, No> {
    let limit = before.monitor_descriptors();
    match after.monitor_descriptors() <= limit {
        true => Ok(after),
        false => {
            run.settled_when(|facts| facts.daemon == after.daemon && facts.monitor_descriptors() <= limit)
        }
    }
}

fn is_enough(driving: &Driving, crashes: usize, restarts: usize, elapsed: Duration) -> bool {
    match driving.declared.restart_interval {
        Some(_) => restarts >= crashes,
        None => restarts >= CRASHES_UNDECLARED || restarts >= crashes && elapsed >= SERIES,
    }
}

/// What followed a daemon's death.
#[derive(Debug)]
pub(super) struct Next {
    pub(super) daemon: Result<Facts, End>,
    /// When it was seen, or given up, after the start.
    pub(super) seen: Duration,
    /// For how long, at least, the monitor was seen asleep. Unlike the time until the next daemon is there, it
    /// does not grow with the load of the machine.
    pub(super) waited: Duration,
}

/// Crashes the daemon and waits for the next one.
pub(super) fn crash(
    lab: &Lab<'_>,
    run: &Run<'_>,
    facts: &Facts,
    monitor: Pid,
    first: bool,
) -> Result<Next, No> {
    if !run.dies_of(facts.daemon, Signal::SIGSEGV)? {
        return does_not_apply("the daemon does not die of SIGSEGV");
    }
    wait_for_restart(run, facts, monitor, limit(lab.driving, run, first))
}

/// How long the monitor may take to restart the daemon, for the first time or again.
pub(super) fn limit(driving: &Driving, run: &Run<'_>, first: bool) -> Duration {
    let Declared { restart_interval, longest_restart_interval, .. } = driving.declared;
    let longest = longest_restart_interval.max(restart_interval);
    match (if first { restart_interval } else { longest }, run.subject.clock()) {
        (_, Some(_)) => LONGEST.max(longest.unwrap_or_default() * 2),
        (Some(interval), None) => interval + driving.timeout,
        (None, None) if first => driving.timeout,
        (None, None) => driving.timeout.min(THROTTLED),
    }
}

/// Waits for the daemon that comes after the one in `before`, which is dead.
pub(super) fn wait_for_restart(
    run: &Run<'_>,
    before: &Facts,
    monitor: Pid,
    limit: Duration,
) -> Result<Next, No> {
    let program = before.program();
    // While it waits a monitor may have another child: the sleep(1) of a shell script.
    let is_daemon = |facts: &Facts| facts.program() == program || facts.pidfile.pid() == Some(facts.daemon);
    let restarted =
        |facts: &Facts| facts.daemon != before.daemon && facts.monitor == Some(monitor) && is_daemon(facts);
    let crashed = run.passed();
    let (mut asleep_since, mut waited, mut seen) = (None, Duration::ZERO, Duration::ZERO);
    let look = || -> Result<Option<Option<()>>, No> {
        let facts = run.facts()?;
        let watch = facts.as_ref().and_then(|facts| facts.member(monitor));
        seen = run.passed();
        if facts.as_ref().is_some_and(restarted) {
            // On a clock of its own, no time passes but while all are asleep.
            let asleep_since = asleep_since.filter(|_| run.subject.clock().is_some());
            waited = asleep_since.map_or(waited, |since| seen - since);
            return Ok(Some(Some(())));
        }
        let Some(watch) = watch else { return Ok(Some(None)) };
        if watch.process.state == State::Sleeping {
            waited = seen - *asleep_since.get_or_insert(seen);
        }
        Ok(None)
    };
    let outcome = run.subject.wait_until("the daemon to be restarted", Deadline::by_its_clock(limit), look);
    let daemon = match outcome {
        Ok(Some(())) => {
            if run.subject.clock().is_some() && before.pidfile_names_member() {
                run.wait_for_pidfile(restarted);
            }
            let facts = run.settled_when(|facts| restarted(facts) && run.is_settled_but_for_rest(facts))?;
            run.remember_but_for_rest(&facts);
            Ok(facts)
        }
        Ok(None) => Err(End::GivenUp),
        // The machine's time is over, not the daemon's.
        Err(no) if run.subject.clock().is_some() && run.passed() - crashed < limit => return Err(no),
        Err(No::CannotTell(_)) if run.facts()?.is_some() => Err(End::Throttled),
        Err(no) => return Err(no),
    };
    Ok(Next { daemon, seen, waited })
}

/// When the daemons were born, which the kernel counts in clock ticks.
fn births(restarts: &[Facts]) -> Result<Vec<Duration>, No> {
    let births =
        restarts.iter().filter_map(|facts| Some(facts.member(facts.daemon)?.process.start_time_ticks));
    let births = births.map(from_ticks).collect::<Option<Vec<Duration>>>();
    births.map_or_else(|| cannot_tell("the kernel does not say how long its clock ticks are"), Ok)
}

/// As [`intrude`], and again where the monitor was faster.
fn intrude_soon_enough(
    lab: &Lab<'_>,
    run: &Run<'_>,
    facts: &Facts,
    monitor: Pid,
    intervals: &[Duration],
) -> Result<Intruder, No> {
    lab.driving.pidfile()?;
    let throttle = intervals.iter().min().copied().unwrap_or_default();
    if throttle < Duration::from_millis(100) {
        return does_not_apply("the monitor restarts the daemon at once: there is no time between");
    }
    let mut facts = facts.clone();
    for _ in 1..INTRUSIONS {
        match intrude(lab, run, &facts, monitor) {
            Err(No::CannotTell(_)) => {}
            outcome => return outcome,
        }
        match wait_for_restart(run, &facts, monitor, limit(lab.driving, run, false))?.daemon {
            Ok(restarted) => facts = restarted,
            Err(_) => return cannot_tell("the monitor did not restart the daemon once more"),
        }
    }
    match intrude(lab, run, &facts, monitor) {
        // Not for want of trying: on this machine, now, the time between is too short.
        Err(No::CannotTell(why)) => does_not_apply(format!("{why}, {INTRUSIONS} times")),
        outcome => outcome,
    }
}

/// Crashes the daemon once more and starts another instance while the monitor waits.
fn intrude(lab: &Lab<'_>, run: &Run<'_>, facts: &Facts, monitor: Pid) -> Result<Intruder, No> {
    if !run.dies_of(facts.daemon, Signal::SIGSEGV)? {
        return cannot_tell("the daemon did not die of SIGSEGV");
    }
    if !is_asleep_without(run, facts.daemon, monitor)? {
        return cannot_tell("the monitor had restarted the daemon before another could be started");
    }
    if run.subject.clock().is_some() {
        return intrude_beside(lab, run, monitor);
    }
    // The monitor is held where it waits: however long the other start takes on this machine, it is in time.
    run.subject.signal(monitor, Signal::SIGSTOP)?;
    let outcome = intrude_beside(lab, run, monitor);
    run.subject.signal(monitor, Signal::SIGCONT)?;
    outcome
}

/// Waits until the monitor has taken note of the death of `dead` and sleeps; false if it restarts the daemon first.
pub(super) fn is_asleep_without(run: &Run<'_>, dead: Pid, monitor: Pid) -> Result<bool, No> {
    let look = || -> Result<Option<bool>, No> {
        // On the machine's clock it may be asleep because it has just started the next daemon.
        let (found, calm) = run.calmly(|| {
            if !is_without_daemon(run.facts()?, monitor) {
                return Ok(Some(false));
            }
            let (dead, monitor) = (Process::of(dead)?, Process::of(monitor)?);
            let asleep = monitor.present().is_some_and(|monitor| monitor.state == State::Sleeping);
            Ok((dead.is_gone() && asleep).then_some(true))
        })?;
        Ok(found.filter(|without| calm || !without))
    };
    run.subject.wait_until("the monitor to wait", Deadline::by_its_clock(run.timeout()), look)
}

fn is_without_daemon(facts: Option<Facts>, monitor: Pid) -> bool {
    facts.is_some_and(|facts| facts.daemon == monitor || facts.monitor != Some(monitor))
}

fn intrude_beside(lab: &Lab<'_>, run: &Run<'_>, monitor: Pid) -> Result<Intruder, No> {
    if !is_without_daemon(run.facts()?, monitor) {
        return cannot_tell("the monitor had restarted the daemon before another could be started");
    }
    let intruder = lab.start_in(&run.sandbox, Start::new(lab.driving.usual()).instance(2))?;
    let status = lab.second_status(&intruder)?;
    let ran = match status {
        Some(status) if !status.success() => false,
        _ => !intruder.subject.live_pids()?.is_empty(),
    };
    Ok(if ran { Intruder::Ran } else { Intruder::Refused })
}
