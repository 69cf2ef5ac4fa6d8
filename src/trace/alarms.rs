//! The timers that a program has set: alarm(2), setitimer(2), timer_create(2) and timerfd_create(2). The kernel's own are
//! never set; what they would do is done here when their time has come.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{OwnedFd, RawFd};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Stopped;
use super::clock::{Deadline, Nanos, SECOND, VirtualClock, Which};
use super::sleeping::{timespec, timespec_bytes, timeval, timeval_bytes};
use crate::sys::pidfd;
use crate::sys::ptrace::{Registers, copy_descriptor};
use crate::sys::seccomp::When;
use crate::sys::timers::{self, Receiver};

/// Calls about timers.
pub(super) const TIMERS: &[(i64, When)] = &[
    (libc::SYS_alarm, When::Any),
    (libc::SYS_setitimer, When::Any),
    (libc::SYS_getitimer, When::Any),
    (libc::SYS_timerfd_settime, When::Any),
    (libc::SYS_timerfd_gettime, When::Any),
    (libc::SYS_timer_create, When::WallClock(0)),
    (libc::SYS_timer_settime, When::Any),
    (libc::SYS_timer_gettime, When::Any),
    (libc::SYS_timer_delete, When::Any),
];

/// All timers of a tree of processes.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    set: Vec<Alarm>,
    /// Those of timer_create(2), by process and number.
    created: BTreeMap<(Pid, i32), Created>,
}

/// A timer that is set.
#[derive(Debug)]
struct Alarm {
    whose: Whose,
    deadline: Deadline,
    /// How long after that it is due again; 0 if it is not.
    interval: Nanos,
}

#[derive(Debug)]
enum Whose {
    /// The one that each process has for SIGALRM.
    Process(Pid),
    Created(Pid, i32),
    /// A copy of the descriptor, and its number in the process that has set it.
    Descriptor {
        copy: OwnedFd,
        fd: RawFd,
    },
}

/// A timer of timer_create(2).
#[derive(Clone, Copy, Debug)]
pub(super) struct Created {
    clock: Which,
    signal: Option<(i32, Receiver)>,
    /// What goes with the signal; the number of the timer if the program does not say.
    value: Option<u64>,
}

/// What has become of a call about a timer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    /// It returns this, and is not made.
    Returns(i64),
    /// The kernel makes it, because it concerns no timer of ours, or is wrong.
    Kernel,
    /// The kernel makes it, and at its end the timer has its number.
    Creates(Created),
}

/// A call, and who makes it when.
struct Asked<'a> {
    stopped: &'a Stopped,
    process: Pid,
    args: [u64; 6],
    clock: &'a VirtualClock,
}

/// What a timer is set to, and what is told of one: how long until it is due, and how long after that again; 0 if never.
#[derive(Clone, Copy, Default)]
struct Setting {
    value: Nanos,
    interval: Nanos,
}

impl Alarms {
    /// Answers a call about a timer that `stopped`, a thread of `process`, is about to make.
    pub(super) fn answer(
        &mut self,
        stopped: &Stopped,
        process: Pid,
        call: Registers,
        clock: &VirtualClock,
    ) -> Answer {
        let asked = Asked { stopped, process, args: call.args(), clock };
        self.try_answer(call.call(), &asked).unwrap_or(Answer::Kernel)
    }

    fn try_answer(&mut self, call: i64, asked: &Asked<'_>) -> Option<Answer> {
        let (process, args) = (asked.process, asked.args);
        let id = args[0] as i32;
        match call {
            libc::SYS_alarm => Some(Answer::Returns(self.alarm(process, args[0] as u32, asked.clock))),
            libc::SYS_setitimer | libc::SYS_getitimer if id != libc::ITIMER_REAL => None,
            libc::SYS_setitimer => self.set_process(asked),
            libc::SYS_getitimer => self.tell(asked, args[1], |whose| whose.is_of(process), timeval_bytes),
            libc::SYS_timerfd_settime => self.set_descriptor(asked),
            libc::SYS_timerfd_gettime => {
                let is_it = |whose: &Whose| whose.is_descriptor(process, id);
                self.set.iter().find(|alarm| is_it(&alarm.whose))?;
                self.tell(asked, args[1], is_it, timespec_bytes)
            }
            libc::SYS_timer_create => creation(asked),
            libc::SYS_timer_settime => self.set_created(asked),
            libc::SYS_timer_gettime => {
                self.created.get(&(process, id))?;
                self.tell(asked, args[1], |whose| whose.is_created(process, id), timespec_bytes)
            }
            libc::SYS_timer_delete => {
                self.created.remove(&(process, id));
                self.unset(|whose| whose.is_created(process, id));
                None
            }
            _ => None,
        }
    }

    fn alarm(&mut self, process: Pid, seconds: u32, clock: &VirtualClock) -> i64 {
        let before = self.setting(|whose| whose.is_of(process), clock).value;
        self.unset(|whose| whose.is_of(process));
        let new = Setting { value: Nanos::from(seconds) * SECOND, interval: 0 };
        self.start(Whose::Process(process), clock.after(new.value), new);
        // Rounded, but never to nothing if there was one.
        let rounded = (before + SECOND / 2) / SECOND;
        i64::try_from(if before > 0 { rounded.max(1) } else { 0 }).unwrap_or(i64::MAX)
    }

    fn set_process(&mut self, asked: &Asked<'_>) -> Option<Answer> {
        let &Asked { stopped, process, args, clock } = asked;
        let field = |address| timeval(stopped, address).filter(|_| is_below_a_second(stopped, address));
        let new = Setting { interval: field(args[1])?, value: field(args[1] + 16)? };
        self.replace(asked, args[2], |whose| whose.is_of(process), timeval_bytes)?;
        self.start(Whose::Process(process), clock.after(new.value), new);
        Some(Answer::Returns(0))
    }

    fn set_created(&mut self, asked: &Asked<'_>) -> Option<Answer> {
        let &Asked { stopped, process, args, clock } = asked;
        let id = args[0] as i32;
        let timer = *self.created.get(&(process, id))?;
        let new = Setting::read(stopped, args[2])?;
        self.replace(asked, args[3], |whose| whose.is_created(process, id), timespec_bytes)?;
        let is_absolute = args[1] as i32 & libc::TIMER_ABSTIME != 0;
        self.start(Whose::Created(process, id), new.deadline(timer.clock, is_absolute, clock), new);
        Some(Answer::Returns(0))
    }

    fn set_descriptor(&mut self, asked: &Asked<'_>) -> Option<Answer> {
        let &Asked { stopped, process, args, clock } = asked;
        let (fd, flags) = (args[0] as RawFd, args[1] as i32);
        let new = Setting::read(stopped, args[2])?;
        let copy = copy_descriptor(pidfd::open(process).ok()?, fd).ok()?;
        let which = Which::of(timers::clock_of(&copy)?)?;
        if flags & !(libc::TFD_TIMER_ABSTIME | libc::TFD_TIMER_CANCEL_ON_SET) != 0 {
            return None;
        }
        self.replace(asked, args[3], |whose| whose.is_descriptor(process, fd), timespec_bytes)?;
        timers::stop(&copy).ok()?;
        let is_absolute = flags & libc::TFD_TIMER_ABSTIME != 0;
        self.start(Whose::Descriptor { copy, fd }, new.deadline(which, is_absolute, clock), new);
        Some(Answer::Returns(0))
    }

    /// Writes what a timer is set to where the program wants it.
    fn tell(
        &self,
        asked: &Asked<'_>,
        address: u64,
        is_it: impl Fn(&Whose) -> bool,
        encode: fn(Nanos) -> [u8; 16],
    ) -> Option<Answer> {
        let now = self.setting(is_it, asked.clock);
        asked.stopped.write(address, &now.bytes(encode)).ok()?;
        Some(Answer::Returns(0))
    }

    /// Makes room for a new setting of a timer, having told the old one if the program wants to know.
    fn replace(
        &mut self,
        asked: &Asked<'_>,
        address: u64,
        is_it: impl Fn(&Whose) -> bool,
        encode: fn(Nanos) -> [u8; 16],
    ) -> Option<()> {
        if address != 0 {
            self.tell(asked, address, &is_it, encode)?;
        }
        self.unset(is_it);
        Some(())
    }

    fn start(&mut self, whose: Whose, deadline: Deadline, new: Setting) {
        if new.value != 0 {
            self.set.push(Alarm { whose, deadline, interval: new.interval });
        }
    }

    fn unset(&mut self, is_it: impl Fn(&Whose) -> bool) {
        self.set.retain(|alarm| !is_it(&alarm.whose));
    }

    fn setting(&self, is_it: impl Fn(&Whose) -> bool, clock: &VirtualClock) -> Setting {
        let alarm = self.set.iter().find(|alarm| is_it(&alarm.whose));
        alarm.map_or(Setting::default(), |alarm| Setting {
            value: clock.left(alarm.deadline).max(1),
            interval: alarm.interval,
        })
    }

    /// A timer of timer_create(2) has got its number.
    pub(super) fn create(&mut self, process: Pid, id: i32, created: Created) {
        self.created.insert((process, id), created);
    }

    /// The process has executed a program, which leaves it only the one for SIGALRM.
    pub(super) fn executed(&mut self, process: Pid) {
        self.created.retain(|(of, _), _| *of != process);
        self.unset(|whose| matches!(whose, Whose::Created(of, _) if *of == process));
    }

    /// The process has ended.
    pub(super) fn ended(&mut self, process: Pid) {
        self.executed(process);
        self.unset(|whose| whose.is_of(process));
    }

    pub(super) fn deadlines(&self) -> impl Iterator<Item = Deadline> {
        self.set.iter().map(|alarm| alarm.deadline)
    }

    /// Does what the timers do whose time has come; returns whether there was one. `processes` tells all that there are.
    pub(super) fn ring(&mut self, clock: &VirtualClock, processes: impl FnOnce() -> BTreeSet<Pid>) -> bool {
        if !self.deadlines().any(|deadline| clock.is_due(deadline)) {
            return false;
        }
        let processes = processes();
        let (due, rest) = std::mem::take(&mut self.set)
            .into_iter()
            .partition::<Vec<_>, _>(|alarm| clock.is_due(alarm.deadline));
        self.set = rest;
        for mut alarm in due {
            let late = clock.passed() - clock.due(alarm.deadline);
            let times = 1 + if alarm.interval > 0 { late / alarm.interval } else { 0 };
            let goes_on = self.expire(&alarm.whose, times, &processes);
            if goes_on && alarm.interval > 0 {
                alarm.deadline = alarm.deadline.plus(times * alarm.interval);
                self.set.push(alarm);
            }
        }
        true
    }

    /// Returns whether there is still somebody who has the timer. A signal that cannot be sent has nobody to receive it.
    fn expire(&self, whose: &Whose, times: Nanos, processes: &BTreeSet<Pid>) -> bool {
        match whose {
            Whose::Process(process) => kill(*process, Signal::SIGALRM).is_ok(),
            Whose::Created(process, id) => {
                let Some(Created { signal, value, .. }) = self.created.get(&(*process, *id)) else {
                    return false;
                };
                signal.is_none_or(|(signo, to)| {
                    let overrun = i32::try_from(times - 1).unwrap_or(i32::MAX);
                    let value = value.unwrap_or(u64::from(id.cast_unsigned()));
                    timers::announce(to, signo, *id, overrun, value).is_ok()
                })
            }
            // Who has closed it must not be told by epoll(7), which would see it in our copy.
            Whose::Descriptor { copy, fd } => {
                processes.iter().any(|&process| timers::is_same_file(copy, process, *fd))
                    && timers::expire(copy, u64::try_from(times).unwrap_or(u64::MAX)).is_ok()
            }
        }
    }
}

impl Whose {
    fn is_of(&self, process: Pid) -> bool {
        matches!(self, Whose::Process(of) if *of == process)
    }

    fn is_created(&self, process: Pid, id: i32) -> bool {
        matches!(self, Whose::Created(of, number) if (*of, *number) == (process, id))
    }

    /// It may have another number there than where it was set.
    fn is_descriptor(&self, process: Pid, fd: RawFd) -> bool {
        matches!(self, Whose::Descriptor { copy, .. } if timers::is_same_file(copy, process, fd))
    }
}

impl Setting {
    /// From an itimerspec.
    fn read(stopped: &Stopped, address: u64) -> Option<Self> {
        Some(Setting { interval: timespec(stopped, address)?, value: timespec(stopped, address + 16)? })
    }

    fn bytes(self, encode: fn(Nanos) -> [u8; 16]) -> Vec<u8> {
        [encode(self.interval), encode(self.value)].concat()
    }

    fn deadline(self, which: Which, is_absolute: bool, clock: &VirtualClock) -> Deadline {
        if is_absolute { clock.at(which, self.value) } else { clock.after(self.value) }
    }
}

/// setitimer(2) refuses what select(2) accepts.
fn is_below_a_second(stopped: &Stopped, address: u64) -> bool {
    stopped.long(address + 8).is_some_and(|micros| micros < 1_000_000)
}

/// Reads what a timer is to do: a sigevent, which has a value (8 bytes), a signal (4), how it is to be sent (4) and to
/// which thread (4).
fn creation(asked: &Asked<'_>) -> Option<Answer> {
    let &Asked { stopped, process, args, .. } = asked;
    let clock = Which::of(args[0] as i32)?;
    if args[1] == 0 {
        let signal = Some((libc::SIGALRM, Receiver::Process(process)));
        return Some(Answer::Creates(Created { clock, signal, value: None }));
    }
    let value = stopped.long(args[1])?;
    let int = |offset| stopped.word(args[1] + offset).map(u32::cast_signed);
    let (signo, notify) = (int(8)?, int(12)?);
    let to = match notify {
        libc::SIGEV_NONE => None,
        libc::SIGEV_THREAD_ID => Some(Receiver::Thread { process, thread: Pid::from_raw(int(16)?) }),
        _ => Some(Receiver::Process(process)),
    };
    Some(Answer::Creates(Created { clock, signal: to.map(|to| (signo, to)), value: Some(value) }))
}
