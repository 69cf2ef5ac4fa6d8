//! Calls that sleep until a certain time: which they are, how they sleep without a timeout, and how they end.

use super::Stopped;
use super::clock::{Deadline, Nanos, SECOND, VirtualClock, Which};
use crate::sys::ptrace::Registers;
use crate::sys::seccomp::{FUTEX_LOCK_PI2, When};

/// Calls that have a timeout, when they have one.
pub(super) const SLEEPING: &[(i64, When)] = &[
    (libc::SYS_nanosleep, When::Any),
    (libc::SYS_clock_nanosleep, When::WallClock(0)),
    (libc::SYS_poll, When::Positive(2)),
    (libc::SYS_ppoll, When::Given(2)),
    (libc::SYS_select, When::Given(4)),
    (libc::SYS_pselect6, When::Given(4)),
    (libc::SYS_epoll_wait, When::Positive(3)),
    (libc::SYS_epoll_pwait, When::Positive(3)),
    (libc::SYS_epoll_pwait2, When::Given(3)),
    (libc::SYS_futex, When::TimedFutex),
    (libc::SYS_futex_waitv, When::Given(3)),
    (libc::SYS_rt_sigtimedwait, When::Given(2)),
    (libc::SYS_semtimedop, When::Given(3)),
    (libc::SYS_mq_timedsend, When::Given(4)),
    (libc::SYS_mq_timedreceive, When::Given(4)),
    (libc::SYS_io_getevents, When::Given(4)),
    // What a call is after a signal that the program does not handle.
    (libc::SYS_restart_syscall, When::Any),
];

/// What the kernel says when a call was interrupted: that it is to be made again, unless the program handles the signal,
/// in different ways; errno.h of the kernel.
const ERESTARTSYS: i64 = -512;
const ERESTARTNOINTR: i64 = -513;
const ERESTARTNOHAND: i64 = -514;
const ERESTART_RESTARTBLOCK: i64 = -516;
const INTERRUPTED: [i64; 5] =
    [-(libc::EINTR as i64), ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND, ERESTART_RESTARTBLOCK];

/// A call that sleeps until something happens or its time has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sleep {
    /// The call as the program makes it.
    call: Registers,
    /// The same without a timeout.
    endless: Registers,
    pub(super) deadline: Deadline,
    /// What it returns when its time has come.
    in_time: i64,
    /// Whether it goes on as `restart_syscall` after a signal that is not handled.
    resumes: bool,
    left: Left,
    /// The sets of select(2), which are empty when its time has come.
    sets: Option<Sets>,
    /// Whether its time has come.
    pub(super) is_over: bool,
}

/// Where the call writes how much of its time was left.
#[derive(Clone, Copy, Debug)]
enum Left {
    Nowhere,
    /// A timespec, if it was interrupted.
    IfInterrupted(u64),
    /// A timespec, whatever happened.
    Always(u64),
    /// A timeval, whatever happened.
    AlwaysAsMicros(u64),
}

#[derive(Clone, Copy, Debug)]
struct Sets {
    addresses: [u64; 3],
    length_bytes: usize,
}

impl Sleep {
    /// The call that the task is about to make, if it is one that sleeps for a time. Not one whose timeout is zero, for
    /// that does not sleep, nor one that is wrong.
    pub(super) fn of(stopped: &Stopped, call: Registers, clock: &VirtualClock) -> Option<Self> {
        let args = call.args();
        let flags = args[1] as i32;
        let relative =
            |address| timespec(stopped, address).filter(|&time| time > 0).map(|time| clock.after(time));
        let absolute = |id: u64, address| Some(clock.at(Which::of(id as i32)?, timespec(stopped, address)?));
        let millis = |time: u64| clock.after(Nanos::from(time as i32) * 1_000_000);
        let pausing = call.with_call(libc::SYS_pause, call.result());
        let plain = |deadline, endless| Sleep::new(call, endless, deadline);
        Some(match call.call() {
            libc::SYS_nanosleep => {
                let deadline = clock.after(timespec(stopped, args[0])?);
                plain(deadline, pausing).resuming().left(if_given(args[1]))
            }
            libc::SYS_clock_nanosleep if flags & libc::TIMER_ABSTIME != 0 => {
                plain(absolute(args[0], args[2])?, pausing).resuming()
            }
            libc::SYS_clock_nanosleep => {
                let deadline = clock.after(timespec(stopped, args[2])?);
                plain(deadline, pausing).resuming().left(if_given(args[3]))
            }
            libc::SYS_poll => plain(millis(args[2]), call.with_arg(2, FOR_EVER)).resuming(),
            libc::SYS_ppoll => plain(relative(args[2])?, call.with_arg(2, 0)).left(Left::Always(args[2])),
            libc::SYS_select => {
                let deadline = timeval(stopped, args[4]).filter(|&time| time > 0)?;
                let sleep = plain(clock.after(deadline), call.with_arg(4, 0)).clearing(args);
                sleep.left(Left::AlwaysAsMicros(args[4]))
            }
            libc::SYS_pselect6 => {
                let sleep = plain(relative(args[4])?, call.with_arg(4, 0)).clearing(args);
                sleep.left(Left::Always(args[4]))
            }
            libc::SYS_epoll_wait | libc::SYS_epoll_pwait => {
                plain(millis(args[3]), call.with_arg(3, FOR_EVER))
            }
            libc::SYS_epoll_pwait2 => plain(relative(args[3])?, call.with_arg(3, 0)),
            libc::SYS_io_getevents => plain(relative(args[4])?, call.with_arg(4, 0)),
            libc::SYS_rt_sigtimedwait => plain(relative(args[2])?, call.with_arg(2, 0)).failing(libc::EAGAIN),
            libc::SYS_semtimedop => plain(relative(args[3])?, call.with_arg(3, 0)).failing(libc::EAGAIN),
            libc::SYS_futex_waitv => {
                plain(absolute(args[4], args[3])?, call.with_arg(3, 0)).failing(libc::ETIMEDOUT)
            }
            libc::SYS_mq_timedsend | libc::SYS_mq_timedreceive => {
                let deadline = absolute(libc::CLOCK_REALTIME as u64, args[4])?;
                plain(deadline, call.with_arg(4, 0)).failing(libc::ETIMEDOUT)
            }
            libc::SYS_futex => Self::of_futex(stopped, call, clock)?,
            _ => return None,
        })
    }

    fn of_futex(stopped: &Stopped, call: Registers, clock: &VirtualClock) -> Option<Self> {
        let [_, operation, _, timeout, ..] = call.args();
        let operation = operation as i32;
        let which = match operation & libc::FUTEX_CLOCK_REALTIME {
            0 => Which::Monotonic,
            _ => Which::Realtime,
        };
        let time = timespec(stopped, timeout)?;
        let timed = |deadline| Sleep::new(call, call.with_arg(3, 0), deadline).failing(libc::ETIMEDOUT);
        Some(match operation & libc::FUTEX_CMD_MASK {
            libc::FUTEX_WAIT if time == 0 => return None,
            libc::FUTEX_WAIT => timed(clock.after(time)).resuming(),
            libc::FUTEX_WAIT_BITSET => timed(clock.at(which, time)).resuming(),
            libc::FUTEX_LOCK_PI => timed(clock.at(Which::Realtime, time)),
            FUTEX_LOCK_PI2 => timed(clock.at(which, time)),
            _ => return None,
        })
    }

    fn new(call: Registers, endless: Registers, deadline: Deadline) -> Self {
        let (left, sets) = (Left::Nowhere, None);
        Sleep { call, endless, deadline, in_time: 0, resumes: false, left, sets, is_over: false }
    }

    fn resuming(self) -> Self {
        Sleep { resumes: true, ..self }
    }

    fn left(self, left: Left) -> Self {
        Sleep { left, ..self }
    }

    fn failing(self, errno: i32) -> Self {
        Sleep { in_time: -i64::from(errno), ..self }
    }

    fn clearing(self, args: [u64; 6]) -> Self {
        let words = (args[0] as i32).clamp(0, 1 << 20).cast_unsigned().div_ceil(64);
        let sets = Sets { addresses: [args[1], args[2], args[3]], length_bytes: words as usize * 8 };
        Sleep { sets: Some(sets), ..self }
    }

    /// What the task is to do instead of the call that it stands before, which is the one that it was made of or the
    /// `restart_syscall` that goes on with it.
    pub(super) fn endless(&self) -> Registers {
        self.endless
    }

    /// Whether only a signal or its time ends it.
    pub(super) fn is_pause(&self) -> bool {
        self.endless.call() == libc::SYS_pause
    }

    /// What the call returns at its end, where the task stands with `registers`, with everything written that it writes;
    /// and whether it is to go on if the program does not handle the signal that has ended it.
    pub(super) fn end(
        &self,
        stopped: &Stopped,
        registers: Registers,
        clock: &VirtualClock,
    ) -> (Registers, bool) {
        let interrupted = INTERRUPTED.contains(&registers.result());
        let resumes = interrupted && !self.is_over && self.resumes;
        let result = match interrupted {
            true if self.is_over => self.in_time,
            true if self.resumes => ERESTART_RESTARTBLOCK,
            _ => registers.result(),
        };
        if interrupted && self.is_over {
            self.clear_sets(stopped);
        }
        self.write_left(stopped, clock.left(self.deadline), resumes);
        (self.returning(registers, result), resumes)
    }

    /// As the program expects the registers behind its call, or before it once more if that is to be repeated.
    fn returning(&self, registers: Registers, result: i64) -> Registers {
        let args = self.call.args().into_iter().enumerate();
        let registers = args.fold(registers, |registers, (index, arg)| registers.with_arg(index, arg));
        registers.with_call(self.call.call(), result)
    }

    fn clear_sets(&self, stopped: &Stopped) {
        let Some(sets) = self.sets else { return };
        for address in sets.addresses.into_iter().filter(|&address| address != 0) {
            // The kernel has read them all, so they can be written but by mistake of the program.
            stopped.write(address, &vec![0; sets.length_bytes]).ok();
        }
    }

    /// What cannot be written is not: the kernel does not mind either.
    fn write_left(&self, stopped: &Stopped, left: Nanos, interrupted: bool) {
        match self.left {
            Left::IfInterrupted(address) if interrupted => stopped.write(address, &timespec_bytes(left)).ok(),
            Left::Always(address) => stopped.write(address, &timespec_bytes(left)).ok(),
            Left::AlwaysAsMicros(address) => stopped.write(address, &timeval_bytes(left)).ok(),
            Left::Nowhere | Left::IfInterrupted(_) => None,
        };
    }
}

/// -1 as an int.
const FOR_EVER: u64 = u32::MAX as u64;

fn if_given(address: u64) -> Left {
    if address == 0 { Left::Nowhere } else { Left::IfInterrupted(address) }
}

/// The time at `address`, if it is one.
pub(super) fn timespec(stopped: &Stopped, address: u64) -> Option<Nanos> {
    let [seconds, nanos] = two_longs(stopped, address)?;
    let valid = seconds >= 0 && (0..SECOND).contains(&nanos.into());
    valid.then(|| Nanos::from(seconds) * SECOND + Nanos::from(nanos))
}

/// As [`timespec`], in the form of select(2), where more than a second of microseconds is a time as well.
pub(super) fn timeval(stopped: &Stopped, address: u64) -> Option<Nanos> {
    let [seconds, micros] = two_longs(stopped, address)?;
    (seconds >= 0 && micros >= 0).then(|| Nanos::from(seconds) * SECOND + Nanos::from(micros) * 1000)
}

fn two_longs(stopped: &Stopped, address: u64) -> Option<[i64; 2]> {
    let bytes = stopped.bytes(address, 16);
    let long = |bytes: &[u8]| Some(i64::from_ne_bytes(bytes.try_into().ok()?));
    Some([long(bytes.get(..8)?)?, long(bytes.get(8..16)?)?])
}

pub(super) fn timespec_bytes(time: Nanos) -> [u8; 16] {
    two_bytes(time.div_euclid(SECOND), time.rem_euclid(SECOND))
}

pub(super) fn timeval_bytes(time: Nanos) -> [u8; 16] {
    two_bytes(time.div_euclid(SECOND), time.rem_euclid(SECOND) / 1000)
}

fn two_bytes(first: Nanos, second: Nanos) -> [u8; 16] {
    let long = |value| i64::try_from(value).unwrap_or(i64::MAX).to_ne_bytes();
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&long(first));
    bytes[8..].copy_from_slice(&long(second));
    bytes
}
