//! Whether and when a monitor restarts a daemon that died.

use nix::sys::signal::Signal;
use std::time::Duration;

/// The signals whose delivery is a crash rather than a wish: what Open vSwitch's monitor restarts on.
const ERROR_SIGNALS: [Signal; 9] = [
    Signal::SIGABRT,
    Signal::SIGALRM,
    Signal::SIGBUS,
    Signal::SIGFPE,
    Signal::SIGILL,
    Signal::SIGPIPE,
    Signal::SIGSEGV,
    Signal::SIGXCPU,
    Signal::SIGXFSZ,
];

/// The signals by which somebody asks a daemon to end.
const REQUESTS: [Signal; 3] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP];

/// Which deaths of a ready daemon lead to a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RestartOn {
    /// Death by an error signal: `SIGABRT`, `SIGALRM`, `SIGBUS`, `SIGFPE`, `SIGILL`, `SIGPIPE`, `SIGSEGV`,
    /// `SIGXCPU`, `SIGXFSZ`.
    #[default]
    ErrorSignals,
    /// Any exit status but 0, and death by any signal but `SIGTERM`, `SIGINT` and `SIGHUP`, which say that
    /// somebody asked it to end. (`SIGKILL` may come from the kernel, out of memory.)
    Failure,
    /// Every death.
    Always,
}

/// A throttle that grows while the daemon keeps crashing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// By what the interval is multiplied at each further restart, at least 1.
    pub factor: f64,
    /// The longest interval.
    pub limit: Duration,
}

/// When a monitor restarts its daemon, how fast, and when it gives up.
///
/// ```
/// use daemonproof::daemon::{Backoff, RestartOn, RestartPolicy};
/// use std::time::Duration;
///
/// let policy = RestartPolicy::default()
///     .on(RestartOn::Failure)
///     .interval(Duration::from_secs(1))
///     .backoff(Backoff { factor: 2.0, limit: Duration::from_secs(60) })
///     .give_up_after(10);
/// # let _ = policy;
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RestartPolicy {
    on: RestartOn,
    interval: Duration,
    backoff: Option<Backoff>,
    give_up_after: Option<u32>,
}

impl Default for RestartPolicy {
    /// On error signals, at most once every 10 seconds, for ever.
    fn default() -> Self {
        Self {
            on: RestartOn::default(),
            interval: Duration::from_secs(10),
            backoff: None,
            give_up_after: None,
        }
    }
}

impl RestartPolicy {
    /// Which deaths lead to a restart.
    #[must_use]
    pub fn on(self, on: RestartOn) -> Self {
        Self { on, ..self }
    }

    /// The throttle: the minimum time from one restart to the next. The first restart happens at once.
    #[must_use]
    pub fn interval(self, interval: Duration) -> Self {
        Self { interval, ..self }
    }

    /// Lets the throttle grow while crashes follow each other. A daemon that has been ready for longer than
    /// the throttle in force counts as healthy again, and the throttle is back at its beginning.
    #[must_use]
    pub fn backoff(self, backoff: Backoff) -> Self {
        Self { backoff: Some(backoff), ..self }
    }

    /// After how many crashes in a row the monitor gives up and exits 1. See [`RestartPolicy::backoff`] for
    /// what ends a row.
    #[must_use]
    pub fn give_up_after(self, crashes: u32) -> Self {
        Self { give_up_after: Some(crashes), ..self }
    }

    /// Whether a ready daemon that ended like this is restarted.
    pub(super) fn restarts(&self, death: Death) -> bool {
        match (self.on, death) {
            (RestartOn::Always, _) => true,
            (RestartOn::ErrorSignals, Death::Signaled(signal)) => is_among(&ERROR_SIGNALS, signal),
            (RestartOn::ErrorSignals, Death::Exited(_)) => false,
            (RestartOn::Failure, Death::Exited(status)) => status != 0,
            (RestartOn::Failure, Death::Signaled(signal)) => !is_among(&REQUESTS, signal),
        }
    }

    /// Whether a daemon that ended like this before it was ready is tried again, if one had been ready before.
    /// The machine may be short of something for a while; but nobody asked it to end.
    pub(super) fn retries(&self, death: Death) -> bool {
        let requested = matches!(death, Death::Signaled(signal) if is_among(&REQUESTS, signal));
        !requested || self.restarts(death)
    }

    /// Whether some exit status would be restarted: the daemon cannot know its own in an exit handler.
    pub(super) fn may_restart_after_exit(&self) -> bool {
        self.restarts(Death::Exited(1))
    }

    /// The throttle in force at the `crashes`-th crash in a row, from 1.
    pub(super) fn throttle(&self, crashes: u32) -> Duration {
        let Some(Backoff { factor, limit }) = self.backoff else {
            return self.interval;
        };
        let exponent = crashes.saturating_sub(1).min(i32::MAX as u32) as i32;
        let grown = self.interval.as_secs_f64() * factor.max(1.0).powi(exponent);
        Duration::try_from_secs_f64(grown).unwrap_or(limit).min(limit).max(self.interval)
    }

    pub(super) fn gives_up(&self, crashes: u32) -> bool {
        self.give_up_after.is_some_and(|limit| crashes >= limit)
    }
}

fn is_among(signals: &[Signal], number: i32) -> bool {
    signals.iter().any(|&signal| signal as i32 == number)
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Death {
    /// By `exit`, with this status.
    Exited(i32),
    /// By the signal of this number, which may be a real-time one.
    Signaled(i32),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_error_signals_restart_by_default() {
        let policy = RestartPolicy::default();
        for signal in Signal::iterator() {
            assert_eq!(policy.restarts(Death::Signaled(signal as i32)), ERROR_SIGNALS.contains(&signal));
        }
        assert!(!policy.restarts(Death::Exited(0)) && !policy.restarts(Death::Exited(1)));
    }

    #[test]
    fn failure_restarts_what_nobody_asked_for() {
        let policy = RestartPolicy::default().on(RestartOn::Failure);
        assert!(policy.restarts(Death::Exited(3)) && !policy.restarts(Death::Exited(0)));
        assert!(policy.restarts(Death::Signaled(Signal::SIGUSR1 as i32)));
        assert!(!policy.restarts(Death::Signaled(Signal::SIGTERM as i32)));
    }

    #[test]
    fn a_start_is_tried_again_unless_somebody_ended_it() {
        let policy = RestartPolicy::default();
        for death in [Death::Exited(0), Death::Exited(1), Death::Signaled(Signal::SIGKILL as i32)] {
            assert!(policy.retries(death), "{death:?}");
        }
        let ended = Death::Signaled(Signal::SIGTERM as i32);
        assert!(!policy.retries(ended) && policy.on(RestartOn::Always).retries(ended));
    }

    #[test]
    fn the_throttle_grows_to_its_limit_and_not_below_the_interval() {
        let second = Duration::from_secs(1);
        let fixed = RestartPolicy::default().interval(second);
        assert_eq!(fixed.throttle(1000), second);
        let growing = fixed.backoff(Backoff { factor: 2.0, limit: 5 * second });
        let throttles: Vec<_> = (1..=4).map(|crash| growing.throttle(crash)).collect();
        assert_eq!(throttles, [second, 2 * second, 4 * second, 5 * second]);
        assert_eq!(growing.throttle(u32::MAX), 5 * second);
        let low = fixed.backoff(Backoff { factor: f64::NAN, limit: Duration::ZERO });
        assert_eq!(low.throttle(3), second);
    }
}
