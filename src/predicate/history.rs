//! Claims about the restarts of a daemon, as far as they were seen: see [`Daemon::history`](crate::fixture::Daemon::history).

use std::time::Duration;

use super::{Claim, Finding};
use crate::observe::{Cause, History};

/// How exactly the kernel tells when a process started. It rounds down, so that an interval may come out longer or
/// shorter by up to this.
const RESOLUTION: Duration = Duration::from_millis(10);

/// It was restarted exactly so often.
pub fn restarts(count: usize) -> Claim<History> {
    let text = if count == 0 {
        "it was not restarted".to_owned()
    } else {
        format!("it was restarted {}", times(count))
    };
    Claim::new(text, move |history: &History| of_count(history, history.restarts() == count))
}

/// It was restarted so often or more often.
pub fn restarts_at_least(count: usize) -> Claim<History> {
    Claim::new(format!("it was restarted at least {}", times(count)), move |history: &History| {
        of_count(history, history.restarts() >= count)
    })
}

/// It was restarted so often or less often. A restart between two looks at the daemon is not seen: wait for something
/// meanwhile.
pub fn restarts_at_most(count: usize) -> Claim<History> {
    Claim::new(format!("it was restarted at most {}", times(count)), move |history: &History| {
        of_count(history, history.restarts() <= count)
    })
}

fn times(count: usize) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

fn of_count(history: &History, holds: bool) -> Finding {
    // Nothing was watched, so nothing was counted.
    let finding = if history.lives.is_empty() { Finding::unknown() } else { Finding::new(holds) };
    finding.with("restarts", history.restarts()).with("lives", history)
}

/// From each of its starts to the next, as the kernel tells them, it took `interval` or longer: restarts are throttled.
///
/// Starts are known to 10 ms. An interval that is too short by no more than that holds, because it may have been long
/// enough. Without a restart nothing is known.
///
/// ```
/// use std::time::Duration;
///
/// use daemonproof::observe::{History, Life};
/// use daemonproof::predicate::{explain, intervals_at_least};
/// use nix::unistd::Pid;
/// use predicates::prelude::*;
///
/// let life = |pid, ms| Life::new(Pid::from_raw(pid), Duration::from_millis(ms));
/// let history = History { lives: vec![life(812, 5000), life(813, 5080)] };
/// let throttled = intervals_at_least(Duration::from_secs(10));
/// assert_eq!(explain(&throttled.find_case(false, &history).expect("too short")), "\
/// expected: it was restarted no sooner than 10s after each start
///    found: shortest 0.08 s
///           lives    pid 812, started after 0.00 s, runs
///                    pid 813, started after 0.08 s, runs");
/// ```
pub fn intervals_at_least(interval: Duration) -> Claim<History> {
    Claim::new(
        format!("it was restarted no sooner than {interval:?} after each start"),
        move |history: &History| {
            let Some(shortest) = history.intervals().min() else {
                return no_restart(history);
            };
            Finding::new(shortest + RESOLUTION >= interval)
                .with("shortest", seconds(shortest))
                .with("lives", history)
        },
    )
}

/// From each of its starts to the next it took `interval` or less: restarts come in time.
///
/// Starts are known to 10 ms, as for [`intervals_at_least`].
pub fn intervals_at_most(interval: Duration) -> Claim<History> {
    Claim::new(
        format!("it was restarted no later than {interval:?} after each start"),
        move |history: &History| {
            let Some(longest) = history.intervals().max() else {
                return no_restart(history);
            };
            Finding::new(longest <= interval + RESOLUTION)
                .with("longest", seconds(longest))
                .with("lives", history)
        },
    )
}

/// Every restart of it was caused by this: so the process before it ended.
///
/// Only its parent, the monitor, is told how a process ended. If nobody knows, this does not hold.
pub fn restart_cause(cause: Cause) -> Claim<History> {
    Claim::new(format!("before each restart it was {}", told(cause)), move |history: &History| {
        let Some((_, ended)) = history.lives.split_last().filter(|(_, ended)| !ended.is_empty()) else {
            return no_restart(history);
        };
        let differs =
            |found: Option<Cause>| found.is_some_and(|found| found != cause && found != Cause::Unknown);
        let finding = match () {
            () if ended.iter().all(|life| life.ended == Some(cause)) => Finding::new(true),
            () if ended.iter().any(|life| differs(life.ended)) => Finding::new(false),
            () => Finding::unknown(),
        };
        finding.with("lives", history)
    })
}

/// `killed by SIGSEGV`, to follow "it was".
fn told(cause: Cause) -> String {
    match cause {
        Cause::Status(status) => format!("ended by exit status {status}"),
        Cause::Unknown => "ended, and only its parent knows how".to_owned(),
        cause => cause.to_string(),
    }
}

/// The lock was held through restarts: between at least `gaps` pairs of lives it was looked at, at least once, and it
/// was held whenever it was looked at.
///
/// A gap in which nobody looked, because the restart was too quick, does not count. What happened between two looks is
/// not known.
pub fn lock_survives(gaps: usize) -> Claim<History> {
    let text = format!("the lock was held through {gaps} restart{}", if gaps == 1 { "" } else { "s" });
    Claim::new(text, move |history: &History| {
        let seen: Vec<_> =
            history.lives.iter().filter_map(|life| life.gap).filter(|gap| gap.looks > 0).collect();
        let lost = seen.iter().filter(|gap| gap.unlocked > 0).count();
        Finding::new(lost == 0 && seen.len() >= gaps)
            .with("restarts", history.restarts())
            .with("looked at", seen.len())
            .with("unlocked in", lost)
            .with("lives", history)
    })
}

fn no_restart(history: &History) -> Finding {
    Finding::unknown().with("restarts", "none").with("lives", history)
}

fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}
