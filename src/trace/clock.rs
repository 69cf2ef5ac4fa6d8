//! A clock that goes only when it is told to, and all the clocks of clock_gettime(2) that follow it.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds. Wide enough for every sum of times that a program can pass.
pub(super) type Nanos = i128;

pub(super) const SECOND: Nanos = 1_000_000_000;

/// What a program's clocks show. All of them jump together; the wall clock can be set besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct VirtualClock {
    /// How much time has passed since the clock was made.
    passed: Nanos,
    /// What the others showed then.
    realtime: Nanos,
    monotonic: Nanos,
    raw: Nanos,
    boottime: Nanos,
    /// How far international atomic time is ahead of the wall clock.
    tai_ahead: Nanos,
}

/// A clock that a program may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Realtime,
    Tai,
    Monotonic,
    Raw,
    Boottime,
}

impl Which {
    /// The clock of that number; `None` for one that counts how long somebody has computed, and for one that is not known.
    pub(super) fn of(id: i32) -> Option<Self> {
        Some(match id {
            libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE | libc::CLOCK_REALTIME_ALARM => Self::Realtime,
            libc::CLOCK_TAI => Self::Tai,
            libc::CLOCK_MONOTONIC | libc::CLOCK_MONOTONIC_COARSE => Self::Monotonic,
            libc::CLOCK_MONOTONIC_RAW => Self::Raw,
            libc::CLOCK_BOOTTIME | libc::CLOCK_BOOTTIME_ALARM => Self::Boottime,
            _ => return None,
        })
    }
}

/// When something is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deadline {
    /// Once so much time has passed since the clock was made.
    Passed(Nanos),
    /// When the wall clock shows this, be it that it is set to it.
    Wall(Nanos),
}

impl Deadline {
    pub(super) fn plus(self, time: Nanos) -> Self {
        match self {
            Deadline::Passed(at) => Deadline::Passed(at + time),
            Deadline::Wall(at) => Deadline::Wall(at + time),
        }
    }
}

impl VirtualClock {
    /// One that shows what the machine's clocks show now.
    pub(super) fn from_now() -> Self {
        let now = |id| clock_gettime(id).map_or(0, |time| Duration::from(time).as_nanos().cast_signed());
        let realtime = now(ClockId::CLOCK_REALTIME);
        let tai_ahead = (now(ClockId::CLOCK_TAI) - realtime + SECOND / 2).div_euclid(SECOND) * SECOND;
        VirtualClock {
            passed: 0,
            realtime,
            monotonic: now(ClockId::CLOCK_MONOTONIC),
            raw: now(ClockId::CLOCK_MONOTONIC_RAW),
            boottime: now(ClockId::CLOCK_BOOTTIME),
            tai_ahead,
        }
    }

    pub(super) fn passed(&self) -> Nanos {
        self.passed
    }

    pub(super) fn show(&self, which: Which) -> Nanos {
        self.passed + self.start_of(which)
    }

    fn start_of(&self, which: Which) -> Nanos {
        match which {
            Which::Realtime => self.realtime,
            Which::Tai => self.realtime + self.tai_ahead,
            Which::Monotonic => self.monotonic,
            Which::Raw => self.raw,
            Which::Boottime => self.boottime,
        }
    }

    /// Lets time pass until `passed`, if that is not over.
    pub(super) fn pass_until(&mut self, passed: Nanos) {
        self.passed = self.passed.max(passed);
    }

    /// Sets the wall clock forward, or back if it is negative. No time passes.
    pub(super) fn step_realtime(&mut self, by: Nanos) {
        self.realtime += by;
    }

    pub(super) fn after(&self, time: Nanos) -> Deadline {
        Deadline::Passed(self.passed + time.max(0))
    }

    /// When the clock will show `time`.
    pub(super) fn at(&self, which: Which, time: Nanos) -> Deadline {
        match which {
            Which::Realtime => Deadline::Wall(time),
            Which::Tai => Deadline::Wall(time - self.tai_ahead),
            other => Deadline::Passed(time - self.start_of(other)),
        }
    }

    /// How much time will have passed when it is due, unless the wall clock is set before.
    pub(super) fn due(&self, deadline: Deadline) -> Nanos {
        match deadline {
            Deadline::Passed(passed) => passed,
            Deadline::Wall(time) => time - self.realtime,
        }
    }

    pub(super) fn is_due(&self, deadline: Deadline) -> bool {
        self.due(deadline) <= self.passed
    }

    /// How long it is until then; zero if it is due.
    pub(super) fn left(&self, deadline: Deadline) -> Nanos {
        (self.due(deadline) - self.passed).max(0)
    }
}

/// As [`Duration`] has it; the largest there is if it is too long, and zero if it is negative.
pub(super) fn duration(nanos: Nanos) -> Duration {
    let seconds = u64::try_from(nanos.max(0) / SECOND).unwrap_or(u64::MAX);
    Duration::new(seconds, u32::try_from(nanos.max(0) % SECOND).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_clocks_jump_together() {
        let mut clock = VirtualClock::from_now();
        let all = [Which::Realtime, Which::Tai, Which::Monotonic, Which::Raw, Which::Boottime];
        let before = all.map(|which| clock.show(which));
        clock.pass_until(100 * SECOND);
        clock.pass_until(50 * SECOND);
        assert_eq!(all.map(|which| clock.show(which)), before.map(|shown| shown + 100 * SECOND));
        assert_eq!(clock.passed(), 100 * SECOND);
    }

    #[test]
    fn only_what_waits_for_the_wall_clock_notices_that_it_is_set() {
        let mut clock = VirtualClock::from_now();
        let wall = clock.at(Which::Realtime, clock.show(Which::Realtime) + 3600 * SECOND);
        let tai = clock.at(Which::Tai, clock.show(Which::Tai) + 3600 * SECOND);
        let monotonic = clock.at(Which::Monotonic, clock.show(Which::Monotonic) + 3600 * SECOND);
        let relative = clock.after(3600 * SECOND);
        clock.step_realtime(3599 * SECOND);
        assert_eq!([wall, tai].map(|deadline| clock.left(deadline)), [SECOND; 2]);
        assert_eq!([monotonic, relative].map(|deadline| clock.left(deadline)), [3600 * SECOND; 2]);
        clock.step_realtime(SECOND);
        assert!(clock.is_due(wall) && clock.is_due(tai) && !clock.is_due(relative));
        clock.step_realtime(-7200 * SECOND);
        assert_eq!(clock.left(wall), 7200 * SECOND);
        clock.pass_until(3600 * SECOND);
        assert!(clock.is_due(relative) && clock.is_due(monotonic) && !clock.is_due(wall));
    }

    #[test]
    fn clocks_of_processes_are_not_ours() {
        for id in [libc::CLOCK_PROCESS_CPUTIME_ID, libc::CLOCK_THREAD_CPUTIME_ID, -6, 12] {
            assert_eq!(Which::of(id), None, "{id}");
        }
    }

    #[test]
    fn durations_are_never_negative_and_never_overflow() {
        assert_eq!(duration(-1), Duration::ZERO);
        assert_eq!(duration(1_500_000_000), Duration::from_millis(1500));
        assert_eq!(duration(Nanos::MAX).as_secs(), u64::MAX);
    }
}
