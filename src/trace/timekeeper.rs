//! Keeps the clock of a tree of processes, in a thread of its own.
//!
//! The tasks run freely, but for the calls that read a clock, which are answered here, and those that sleep for a time.
//! Those are made without a timeout; when their time has come, the sleep is interrupted and returns what it returns at its
//! timeout. So everything else that may end it is the kernel's own: readiness, wake-ups, signals.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use nix::errno::Errno;
use nix::sys::ptrace as nix_ptrace;
use nix::sys::signal::SigSet;
use nix::unistd::Pid;

use super::alarms::{Alarms, Answer, Created, TIMERS};
use super::clock::{Deadline, Nanos};
use super::handle::{Shared, State};
use super::idle::{Idle, Rest, Seen, Status};
use super::reading::{READING, Reading};
use super::sleeping::{SLEEPING, Sleep};
use super::tracer::{following, stop};
use super::vdso::hide_vdso;
use super::{Running, Stop, Stopped, TraceError};
use crate::sys::bell::Bell;
use crate::sys::launch::Gate;
use crate::sys::ptrace::{self, Registers, Resume};
use crate::sys::seccomp::Filter;
use crate::sys::timers::disguise_alarm;

/// Starts the thread, and has it wait for the command that is about to pass the gate.
pub(super) fn start(shared: Arc<Shared>) -> io::Result<(Gate, JoinHandle<()>)> {
    let (ours, theirs) = UnixStream::pair()?;
    let calls = [READING, SLEEPING, TIMERS].concat();
    let gate =
        Gate { socket: Arc::new(OwnedFd::from(theirs)), filter: Arc::new(Filter::tracing_when(&calls)) };
    let keep = move || {
        // A handler of the program that this thread works for has no business here.
        SigSet::all().thread_block().ok();
        let outcome = follow(&shared, ours);
        shared.end(outcome);
    };
    let thread = thread::Builder::new().name("dp-clock".into()).spawn(keep)?;
    Ok((gate, thread))
}

/// Lets the command through and follows it, and all that descends from it, to the end.
fn follow(shared: &Arc<Shared>, gate: UnixStream) -> Result<(), TraceError> {
    let gate = Opener(gate);
    let mut number = [0; 4];
    if (&gate.0).read_exact(&mut number).is_err() {
        // It could not be started, and whoever wanted that knows.
        return Ok(());
    }
    let command = Pid::from_raw(i32::from_ne_bytes(number));
    let bell = Bell::hang(shared.rope()).map_err(TraceError::Nest)?;
    let parent = Status::of(command).map(|status| status.parent);
    nix_ptrace::seize(command, following()).map_err(TraceError::seizing)?;
    let mut keeper = Timekeeper {
        shared: Arc::clone(shared),
        bell,
        parent,
        tasks: BTreeMap::new(),
        stillborn: BTreeSet::new(),
        alarms: Alarms::default(),
        idle: Idle::new(),
    };
    keeper.tasks.insert(command, Task::new(Running::new(command), command, true));
    (&gate.0).write_all(&[0]).map_err(TraceError::Nest)?;
    drop(gate);
    keeper.run()
}

/// Our end of the gate. The command has a copy of it, so to close it would tell nobody that the gate stays shut.
struct Opener(UnixStream);

impl Drop for Opener {
    fn drop(&mut self) {
        self.0.shutdown(Shutdown::Both).ok();
    }
}

struct Timekeeper {
    shared: Arc<Shared>,
    bell: Bell,
    /// The parent of the command, which is not traced. What the test waits for may be something that it has to report.
    parent: Option<Pid>,
    tasks: BTreeMap<Pid, Task>,
    /// Those that have ended before their parents' reports of their births came.
    stillborn: BTreeSet<Pid>,
    alarms: Alarms,
    idle: Idle,
}

struct Task {
    running: Running,
    /// Its thread group.
    process: Pid,
    /// Whether its parent has reported its birth, and will not do so any more.
    is_announced: bool,
    call: Call,
    /// What it was interrupted in by a signal that it may turn out not to handle.
    interrupted: Option<Box<Sleep>>,
    reading: Reading,
    /// Stopped by a signal, with its whole process.
    is_halted: bool,
    /// It waits for the child of its vfork(2).
    is_lending: bool,
}

/// What a task does in the kernel, as far as that is our business.
#[derive(Debug)]
enum Call {
    Other,
    Sleeping(Box<Sleep>),
    /// timer_create(2), which writes the timer's number to the address.
    Creating(Created, u64),
}

/// After as many reports it is looked whether something is due, though more may have arrived.
const REPORTS_MAX: usize = 64;

impl Task {
    fn new(running: Running, process: Pid, is_announced: bool) -> Self {
        let (call, interrupted, reading) = (Call::Other, None, Reading::default());
        let (is_halted, is_lending) = (false, false);
        Task { running, process, is_announced, call, interrupted, reading, is_halted, is_lending }
    }

    /// The sleep that it is in, be that just over.
    fn sleep(&self) -> Option<&Sleep> {
        match &self.call {
            Call::Sleeping(sleep) => Some(sleep),
            _ => None,
        }
    }
}

impl Timekeeper {
    fn run(mut self) -> Result<(), TraceError> {
        while !self.tasks.is_empty() && !self.shared.lock().is_retired {
            let first = match ptrace::wait_any() {
                Ok(report) => report,
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(waiting(errno)),
            };
            self.take(first)?;
            for _ in 1..REPORTS_MAX {
                let Some(report) = ptrace::wait_now().map_err(waiting)? else { break };
                self.take(report)?;
            }
            self.settle();
        }
        Ok(())
    }

    fn take(&mut self, (pid, status): (Pid, i32)) -> Result<(), TraceError> {
        if pid != self.bell.pid() {
            self.disturb();
            return self.report(pid, status);
        }
        if !libc::WIFSTOPPED(status) {
            return Err(TraceError::Nest(io::Error::other("the process that wakes the tracer was killed")));
        }
        self.bell.rouse();
        Ok(())
    }

    fn disturb(&mut self) {
        self.idle.disturb();
        self.shared.disturb(&mut self.shared.lock());
    }

    fn report(&mut self, pid: Pid, status: i32) -> Result<(), TraceError> {
        if !libc::WIFSTOPPED(status) {
            if self.tasks.remove(&pid).is_some_and(|task| !task.is_announced) {
                self.stillborn.insert(pid);
            }
            // The first thread of a process is gone when all are.
            self.alarms.ended(pid);
            return Ok(());
        }
        let stopped = Stopped::new(pid);
        self.born(pid, false);
        let stop = stop(pid, status)?;
        if let Some(task) = self.tasks.get_mut(&pid) {
            task.is_halted = matches!(stop, Stop::Group(_));
            task.is_lending = matches!(stop, Stop::Vforked(_));
        }
        let running = match stop {
            Stop::Call => return gone_or(self.call(stopped)),
            Stop::CallDone => return gone_or(self.call_done(stopped)),
            Stop::ForeignCall => return Err(TraceError::Foreign { pid: pid.as_raw() }),
            Stop::Forked(child) | Stop::Vforked(child) => {
                if !self.stillborn.remove(&child) {
                    self.born(child, true);
                }
                stopped.resume(Resume::Freely, 0)
            }
            Stop::Executed(_) => {
                self.executed(&stopped)?;
                stopped.resume(Resume::Freely, 0)
            }
            Stop::Signal(signal) => {
                if signal == libc::SIGALRM {
                    disguise_alarm(pid).ok();
                }
                stopped.resume(Resume::Freely, signal)
            }
            Stop::Group(_) => stopped.stay(),
            Stop::Born | Stop::VforkDone | Stop::Exiting(_) => stopped.resume(Resume::Freely, 0),
        };
        self.runs(running?);
        Ok(())
    }

    /// There is a task of this number, which may not be known yet: its own reports and its parent's come in any order.
    fn born(&mut self, pid: Pid, is_announced: bool) {
        if let Some(task) = self.tasks.get_mut(&pid) {
            task.is_announced |= is_announced;
        } else if let Some(status) = Status::of(pid) {
            self.tasks.insert(pid, Task::new(Running::new(pid), status.process, is_announced));
        }
    }

    fn runs(&mut self, running: Running) {
        if let Some(task) = self.tasks.get_mut(&running.pid()) {
            task.running = running;
        }
    }

    /// The process is a program's from its start, and has this task only.
    fn executed(&mut self, stopped: &Stopped) -> Result<(), TraceError> {
        let process = stopped.pid();
        let is_announced = self.tasks.get(&process).is_some_and(|task| task.is_announced);
        self.tasks.retain(|_, task| task.process != process);
        self.alarms.executed(process);
        let new = Task::new(Running::new(process), process, is_announced);
        self.tasks.insert(process, new);
        gone_or(hide_vdso(stopped))
    }

    /// A task is about to make a call that is traced.
    fn call(&mut self, stopped: Stopped) -> Result<(), TraceError> {
        let call = stopped.registers()?;
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        let next = self.next(&state);
        let Some(task) = self.tasks.get_mut(&stopped.pid()) else { return self.let_go(stopped) };
        if let Some(result) = task.reading.answer(&stopped, call, &mut state.clock, next) {
            return self.without_it(stopped, call, result);
        }
        let interrupted = task.interrupted.take();
        let sleep = match call.call() {
            libc::SYS_restart_syscall => interrupted,
            _ => Sleep::of(&stopped, call, &state.clock).map(Box::new),
        };
        if let Some(sleep) = sleep {
            // It does not sleep, and may be waiting for a time by looking at the clock again and again.
            if sleep.is_pause() && state.clock.is_due(sleep.deadline) {
                return self.without_it(stopped, call, 0);
            }
            task.reading = Reading::default();
            let endless = sleep.endless();
            task.call = Call::Sleeping(sleep);
            return self.enter(stopped, endless);
        }
        match self.alarms.answer(&stopped, task.process, call, &state.clock) {
            Answer::Returns(result) => self.without_it(stopped, call, result),
            Answer::Creates(created) => {
                task.call = Call::Creating(created, call.args()[2]);
                self.enter(stopped, call)
            }
            Answer::Kernel => self.let_go(stopped),
        }
    }

    /// Has the task go on behind the call, as if that had returned `result`.
    fn without_it(&mut self, stopped: Stopped, call: Registers, result: i64) -> Result<(), TraceError> {
        stopped.set_registers(call.with_call(-1, result))?;
        self.let_go(stopped)
    }

    fn let_go(&mut self, stopped: Stopped) -> Result<(), TraceError> {
        self.runs(stopped.resume(Resume::Freely, 0)?);
        Ok(())
    }

    fn enter(&mut self, stopped: Stopped, call: Registers) -> Result<(), TraceError> {
        stopped.set_registers(call)?;
        self.runs(stopped.resume(Resume::ToCallEnd, 0)?);
        Ok(())
    }

    /// A call has ended into which the task was let go.
    fn call_done(&mut self, stopped: Stopped) -> Result<(), TraceError> {
        let registers = stopped.registers()?;
        let clock = self.shared.lock().clock;
        let Some(task) = self.tasks.get_mut(&stopped.pid()) else { return self.let_go(stopped) };
        match std::mem::replace(&mut task.call, Call::Other) {
            Call::Other => {}
            Call::Sleeping(sleep) => {
                let (registers, resumes) = sleep.end(&stopped, registers, &clock);
                task.interrupted = resumes.then_some(sleep);
                stopped.set_registers(registers)?;
            }
            Call::Creating(created, address) => {
                if let (0, Some(id)) = (registers.result(), stopped.word(address)) {
                    self.alarms.create(task.process, id.cast_signed(), created);
                }
            }
        }
        self.let_go(stopped)
    }

    /// Does what is due, and lets time pass if that is wanted and all are asleep.
    fn settle(&mut self) {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        loop {
            if self.ring_due(&state) {
                self.idle.disturb();
                shared.disturb(&mut state);
            }
            if !state.is_awaited() {
                return self.bell.forget();
            }
            match self.rest() {
                Rest::LookAfter(pause) => {
                    shared.disturb(&mut state);
                    return self.bell.ring_after(pause);
                }
                Rest::Asleep => {}
            }
            self.bell.forget();
            if !self.jump(&shared, &mut state) {
                return;
            }
        }
    }

    /// While all are asleep: lets time pass as far as that is wanted and permitted. Returns whether it did.
    fn jump(&mut self, shared: &Shared, state: &mut State) -> bool {
        let next = self.next(state);
        let to = match state.advance_to {
            Some(target) if target <= state.clock.passed() => {
                shared.advanced(state);
                return true;
            }
            Some(target) => Some(next.map_or(target, |next| next.min(target))),
            None if state.flows > 0 => next,
            None => match state.take_permit() {
                Some(limit) => next.into_iter().chain(limit).min(),
                None => {
                    shared.announce(state);
                    None
                }
            },
        };
        let Some(to) = to else { return false };
        state.clock.pass_until(to);
        shared.disturb(state);
        true
    }

    fn rest(&mut self) -> Rest {
        let (tasks, parent) = (&mut self.tasks, self.parent);
        // Nothing is on its way to somebody who only sleeps, for there is nothing that it waits for.
        let all_sleep = tasks.values().all(|task| task.sleep().is_some_and(Sleep::is_pause));
        self.idle.judge(all_sleep, || look(tasks, parent))
    }

    /// How much time will have passed when something is due.
    fn next(&self, state: &State) -> Option<Nanos> {
        let sleeps = self.tasks.values().filter_map(Task::sleep).filter(|sleep| !sleep.is_over);
        let deadlines: Vec<Deadline> =
            sleeps.map(|sleep| sleep.deadline).chain(self.alarms.deadlines()).collect();
        deadlines.into_iter().map(|deadline| state.clock.due(deadline)).min()
    }

    /// Wakes who is to be woken by now; returns whether there was somebody.
    fn ring_due(&mut self, state: &State) -> bool {
        let tasks = &self.tasks;
        let processes = || tasks.values().map(|task| task.process).collect();
        let mut any = self.alarms.ring(&state.clock, processes);
        for task in self.tasks.values_mut() {
            if let Call::Sleeping(sleep) = &mut task.call
                && !sleep.is_over
                && state.clock.is_due(sleep.deadline)
            {
                sleep.is_over = true;
                any = true;
                task.running.interrupt();
            }
        }
        any
    }
}

/// Every task, and the parent of the first, if all are asleep. Forgets tasks that are not there.
fn look(tasks: &mut BTreeMap<Pid, Task>, parent: Option<Pid>) -> Option<Vec<Seen>> {
    let mut found = Vec::with_capacity(tasks.len() + 1);
    if let Some((pid, status)) = parent.and_then(|pid| Some((pid, Status::of(pid)?))) {
        (status.state == b'S' && Status::is_off_its_core(pid)).then_some(())?;
        found.push(status.seen(pid));
    }
    let mut gone = Vec::new();
    for (&pid, task) in &*tasks {
        let Some(status) = Status::of(pid) else {
            gone.push(pid);
            continue;
        };
        let rests = match status.state {
            b'S' => !task.sleep().is_some_and(|sleep| sleep.is_over) && Status::is_off_its_core(pid),
            b't' | b'T' => task.is_halted,
            // Of all waits without end, this is the one in which signals are not noticed.
            b'D' => task.is_lending && Status::is_off_its_core(pid),
            state => b"ZX".contains(&state),
        };
        if !rests {
            return None;
        }
        found.push(status.seen(pid));
    }
    tasks.retain(|pid, _| !gone.contains(pid));
    Some(found)
}

/// A task may be killed at any time, which its next report tells.
fn gone_or(outcome: Result<(), TraceError>) -> Result<(), TraceError> {
    match outcome {
        Err(TraceError::Request { errno: Errno::ESRCH, .. }) => Ok(()),
        outcome => outcome,
    }
}

fn waiting(errno: Errno) -> TraceError {
    TraceError::Request { what: "wait for a report", pid: 0, errno }
}
