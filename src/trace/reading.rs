//! Calls that tell the time.

use super::Stopped;
use super::clock::{Nanos, SECOND, VirtualClock, Which};
use super::sleeping::{timespec_bytes, timeval_bytes};
use crate::sys::ptrace::Registers;
use crate::sys::seccomp::When;

/// Calls that read a clock.
pub(super) const READING: &[(i64, When)] = &[
    (libc::SYS_clock_gettime, When::WallClock(0)),
    (libc::SYS_gettimeofday, When::Any),
    (libc::SYS_time, When::Any),
];

/// How often in a row a task has asked what time it is.
///
/// Each look takes a little time, as on any machine, so nobody sees a clock stand still. Who looks ten thousand times
/// without ever sleeping waits for a certain time, and is given it faster and faster. (Python looks a thousand times while it
/// starts.)
#[derive(Debug, Default)]
pub(super) struct Reading {
    in_a_row: u32,
}

const LOOK: Nanos = 1_000;

/// After as many looks at the usual pace it doubles, and again after each time as many more as `DOUBLE_EVERY`.
const PATIENT: u32 = 10_000;
const DOUBLE_EVERY: u32 = 32;

/// As often at most: 2^13 µs, 8 ms.
const DOUBLINGS: u32 = 13;

impl Reading {
    /// What the call returns if it is one of [`READING`], with everything written that it writes. It takes its time, but never
    /// passes `next`, when something is due.
    pub(super) fn answer(
        &mut self,
        stopped: &Stopped,
        call: Registers,
        clock: &mut VirtualClock,
        next: Option<Nanos>,
    ) -> Option<i64> {
        let args = call.args();
        let write = |address, bytes: &[u8]| match stopped.write(address, bytes) {
            Ok(()) => 0,
            Err(_) => -i64::from(libc::EFAULT),
        };
        Some(match call.call() {
            libc::SYS_clock_gettime => {
                let which = Which::of(args[0] as i32)?;
                self.look(clock, next);
                write(args[1], &timespec_bytes(clock.show(which)))
            }
            libc::SYS_gettimeofday => {
                self.look(clock, next);
                // The time zone is nobody's business any more, and zero on most machines.
                let zone = if args[1] == 0 { 0 } else { write(args[1], &[0; 8]) };
                match args[0] {
                    0 => zone,
                    address => write(address, &timeval_bytes(clock.show(Which::Realtime))).min(zone),
                }
            }
            libc::SYS_time => {
                self.look(clock, next);
                let seconds =
                    i64::try_from(clock.show(Which::Realtime).div_euclid(SECOND)).unwrap_or(i64::MAX);
                match args[0] {
                    0 => seconds,
                    address => match write(address, &seconds.to_ne_bytes()) {
                        0 => seconds,
                        error => error,
                    },
                }
            }
            _ => return None,
        })
    }

    fn look(&mut self, clock: &mut VirtualClock, next: Option<Nanos>) {
        self.in_a_row = self.in_a_row.saturating_add(1);
        let doublings = (self.in_a_row.saturating_sub(PATIENT) / DOUBLE_EVERY).min(DOUBLINGS);
        let then = clock.passed() + (LOOK << doublings);
        clock.pass_until(next.map_or(then, |next| then.min(next)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_looks_all_the_time_sees_time_pass() {
        let (mut clock, mut reading) = (VirtualClock::from_now(), Reading::default());
        let mut looks_until = |passed: Nanos, next| {
            (1..).find(|_| {
                reading.look(&mut clock, next);
                clock.passed() >= passed
            })
        };
        assert_eq!(looks_until(LOOK * 10, None), Some(10));
        assert!(looks_until(100 * SECOND, None).is_some_and(|looks| looks < 25_000));
        // What is due is not passed; somebody else is woken then.
        let next = 100 * SECOND + 1_000_000_000;
        assert!(looks_until(next, Some(next)).is_some());
        assert_eq!(clock.passed(), next);
    }
}
