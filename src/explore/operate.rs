//! Making one operation of one task, to its end.

use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::decode::Decoded;
use super::effect::{Maker, Pipes, Plan};
use super::error::ExploreError;
use super::family::State;
use super::footprint::{Access, Footprint};
use super::kernel::{self, Signals, bit, stops};
use super::lab::{Evidence, Lab, Made, pretend};
use super::operation::{Kind, Operation, Target};
use super::place::{FileId, Thing};
use super::system::TaskId;
use super::words;
use crate::sys::ptrace::Resume;
use crate::trace::{End, Report, Running, Stop, Stopped};

/// What an operation tells a program about whether somebody else is there.
fn evidence(kind: &Kind, result: i64, stopped: Option<&Stopped>) -> Evidence {
    let failed = result < 0;
    let excluded = |flags: i32| flags & libc::O_CREAT != 0 && flags & libc::O_EXCL != 0;
    let shows = match kind {
        Kind::Lock(_) | Kind::Link { .. } | Kind::Name { .. } | Kind::Make { .. } | Kind::Rename { .. } => {
            failed
        }
        Kind::Open { flags, .. } => failed && excluded(*flags),
        // The kind of the lock that was found comes first in the structure that was passed.
        Kind::TestLock(_) => stopped.is_some_and(|stopped| {
            let lock = stopped.registers().ok().map(|regs| stopped.bytes(regs.args()[2], 2));
            lock.is_some_and(|kind| kind.first() != Some(&(libc::F_UNLCK as u8)))
        }),
        Kind::LookAt { .. } => !failed,
        _ => false,
    };
    let hints = matches!(kind, Kind::Read { .. } | Kind::Look { .. } | Kind::Open { .. }) && !failed;
    match (shows, hints) {
        (true, _) => Evidence::Somebody,
        (false, true) => Evidence::Perhaps,
        (false, false) => Evidence::None,
    }
}

/// Whether the call has its bytes where its second argument says.
fn is_plain(call: i64) -> bool {
    matches!(call, libc::SYS_read | libc::SYS_write | libc::SYS_pread64 | libc::SYS_pwrite64)
}

/// How a call came to its end.
enum Returned {
    With(Stopped, i64),
    /// The task ends instead.
    Ending(Stopped, i32),
}

impl Lab {
    /// Makes the operation that the task stands before.
    pub(super) fn operate(&mut self, id: TaskId) -> Result<Footprint<Thing>, ExploreError> {
        if self.family.process_of(id).is_some_and(|process| process.doomed) {
            return self.die(id);
        }
        let Some(task) = self.family.tasks.get_mut(&id) else { return Ok(Footprint::new()) };
        match std::mem::replace(&mut task.state, State::Moving) {
            State::Before(stopped, operation) => self.make(id, stopped, operation),
            State::Ending(stopped, status) => self.end(id, stopped, status),
            other => {
                task.state = other;
                Ok(Footprint::new())
            }
        }
    }

    fn make(
        &mut self,
        id: TaskId,
        stopped: Stopped,
        held: Operation,
    ) -> Result<Footprint<Thing>, ExploreError> {
        // What a name leads to may have changed since the task was stopped.
        let operation = match self.decode(id, &stopped)? {
            Decoded::Seen(operation) if !matches!(held.kind, Kind::Sleep { .. }) => operation,
            _ => held,
        };
        let Some(maker) = self.maker(id) else { return Ok(Footprint::new()) };
        let plan = Plan::of(&operation, maker, &mut self.files, self.scene.sockets);
        let mut beside = Footprint::new();
        self.before(&operation, id, &stopped, &mut beside)?;
        let pid = stopped.pid();
        let (returned, result) = match self.call(id, stopped)? {
            Returned::With(stopped, result) => {
                if let Some(errno) = self.fault.take() {
                    pretend(&stopped, -i64::from(errno as i32))?;
                }
                (Returned::With(stopped, result), result)
            }
            ending => (ending, 0),
        };
        let made = self.count(id);
        let creator = format!("{}#{made}", self.family.name(id));
        let task = match &returned {
            Returned::With(stopped, _) => Some(stopped),
            Returned::Ending(..) => None,
        };
        let effect = plan.effect(result, &creator, &Pipes { pid, task }, &mut self.files);
        let mut footprint = match operation.kind {
            // It went on because nobody else could, whatever the others had done.
            Kind::Sleep { .. } => Footprint::everything(),
            _ => effect.footprint,
        };
        for (place, access) in beside.iter() {
            footprint.add(place.clone(), *access);
        }
        self.after(&operation, result, maker, &mut footprint);
        let at = self.made.len();
        let notes = effect.created.map(|_| "new file".to_owned()).into_iter().chain(effect.note);
        let notes = notes.chain(effect.released.iter().map(|_| "unlocks".to_owned()));
        // What wait(2) returns is a process of the scenario.
        self.made.push(Made {
            task: id,
            call: operation.call,
            short: operation.short,
            result: self.shown(&operation.kind, result, task),
            evidence: evidence(&operation.kind, result, task),
            note: notes.collect::<Vec<_>>().join(", "),
            file: effect.created.or(operation.file).or(effect.released.first().copied()),
            enabled: self.enabled_now(),
        });
        match returned {
            Returned::With(stopped, _) => self.go_on(id, stopped, Stop::CallDone)?,
            Returned::Ending(stopped, status) => {
                self.set(id, State::Ending(stopped, status));
                self.family.ends(id);
            }
        }
        self.add_aside(at, &mut footprint);
        Ok(footprint)
    }

    /// A result as it is in every execution, whatever numbers the processes have.
    fn shown(&self, kind: &Kind, result: i64, task: Option<&Stopped>) -> String {
        let pids = &self.family.pids;
        let regs = task.and_then(|task| task.registers().ok());
        match (kind, task, regs) {
            (Kind::Wait { .. }, ..) if result > 0 => {
                pids.name(result as i32).map_or_else(|| words::result(result), str::to_owned)
            }
            // A number has as many digits as it happens to have.
            (Kind::Read { .. } | Kind::Write { .. }, Some(task), Some(regs))
                if result > 0 && is_plain(regs.call()) =>
            {
                let bytes = task.bytes(regs.args()[1], result as usize);
                let text = String::from_utf8_lossy(&bytes);
                let named = pids.replace(&text);
                if named == text { words::result(result) } else { named.len().to_string() }
            }
            _ => words::result(result),
        }
    }

    /// What happened on the way to the next operation belongs to this one.
    fn add_aside(&mut self, at: usize, footprint: &mut Footprint<Thing>) {
        let aside = self.take_aside();
        for (place, access) in aside.places {
            footprint.add(place, access);
        }
        if let Some(made) = self.made.get_mut(at) {
            for note in aside.notes {
                if !made.note.is_empty() {
                    made.note.push_str(", ");
                }
                made.note.push_str(&note);
            }
        }
    }

    fn maker(&self, id: TaskId) -> Option<Maker> {
        let process = self.family.process_of(id)?;
        Some(Maker { pid: process.pid, process: process.id })
    }

    fn count(&mut self, id: TaskId) -> u32 {
        let Some(task) = self.family.tasks.get_mut(&id) else { return 0 };
        task.made += 1;
        task.made
    }

    /// What must be done or known before the call is made.
    fn before(
        &mut self,
        operation: &Operation,
        id: TaskId,
        stopped: &Stopped,
        footprint: &mut Footprint<Thing>,
    ) -> Result<(), ExploreError> {
        match &operation.kind {
            Kind::Sleep { until } => {
                self.pass_time(*until);
                pretend(stopped, 0)?;
            }
            Kind::Kill { target, signal } => {
                let targets = self.targets(*target, id);
                let kills = *signal == libc::SIGKILL;
                for target in &targets {
                    self.signalled(*target, *signal, footprint);
                }
                if (kills || stops(*signal)) && !targets.is_empty() {
                    pretend(stopped, 0)?;
                }
            }
            Kind::LookAt { pid } => {
                let looked = self.process(*pid).map(|process| process.id);
                if let Some(id) = looked {
                    footprint.add(Thing::Process(id), Access::Read);
                }
            }
            _ => {}
        }
        // A descriptor is closed even if that fails; close(2).
        if !matches!(operation.kind, Kind::Close { .. })
            && let Some(errno) = self.fault.take()
        {
            pretend(stopped, -i64::from(errno as i32))?;
        }
        Ok(())
    }

    /// The living processes that a signal is for.
    fn targets(&self, target: Target, sender: TaskId) -> Vec<i32> {
        let own = self.family.process_of(sender).map_or(0, |process| process.pid.as_raw());
        match target {
            Target::Process(pid) | Target::Thread { process: pid, .. } => {
                self.process(pid).filter(|process| process.end.is_none()).map(|_| pid).into_iter().collect()
            }
            Target::Group(group) => {
                let group_of = |pid: i32| nix::unistd::getpgid(Some(Pid::from_raw(pid))).ok();
                let wanted = if group == 0 { group_of(own) } else { Some(Pid::from_raw(group)) };
                let alive = self.family.processes.values().filter(|process| process.end.is_none());
                let all = alive.map(|process| process.pid.as_raw());
                all.filter(|pid| wanted.is_some() && group_of(*pid) == wanted).collect()
            }
        }
    }

    /// A signal is sent to a process: whom that concerns depends on what it does with it.
    pub(super) fn signalled(&mut self, pid: i32, signal: i32, footprint: &mut Footprint<Thing>) {
        let Some(process) = self.family.processes.get_mut(&pid) else { return };
        let id = process.id;
        footprint.add(Thing::Process(id), Access::Read);
        if signal == libc::SIGKILL {
            process.doomed = true;
            footprint.add(Thing::Signals(id), Access::Write);
            return;
        }
        footprint.add(Thing::Disposition(id), Access::Read);
        let signals = Signals::of(process.pid);
        if signals.blocked & bit(signal) != 0 {
            footprint.add(Thing::Blocked(id), Access::Write);
        } else if signals.without_effect() & bit(signal) == 0 {
            footprint.add(Thing::Signals(id), Access::Write);
        }
    }

    /// Runs the call to its end.
    fn call(&mut self, id: TaskId, stopped: Stopped) -> Result<Returned, ExploreError> {
        let (mut stopped, mut signal) = (stopped, 0);
        loop {
            match self.tracer.wait(stopped.resume(Resume::ToCallEnd, signal)?)? {
                Report::Stopped(next, Stop::CallDone) => {
                    let result = next.registers()?.result();
                    return Ok(Returned::With(next, result));
                }
                Report::Stopped(next, Stop::Exiting(status)) => return Ok(Returned::Ending(next, status)),
                Report::Stopped(next, Stop::Executed(former)) => {
                    self.executed(id, &next, former)?;
                    (stopped, signal) = (next, 0);
                }
                Report::Stopped(next, Stop::Signal(number)) => {
                    self.took_signal(id);
                    (stopped, signal) = (next, number);
                }
                Report::Stopped(next, _) => (stopped, signal) = (next, 0),
                Report::Ended(_) => return Err(self.unsupported(id, "a process that is killed from outside")),
                Report::Stuck(running, stuck) => {
                    self.tracer.abandon(running);
                    return Err(ExploreError::stuck(self.family.name(id), stuck));
                }
            }
        }
    }

    /// What a call did to processes and signals.
    fn after(&mut self, operation: &Operation, result: i64, maker: Maker, footprint: &mut Footprint<Thing>) {
        match &operation.kind {
            Kind::Wait { reaps, .. } => {
                footprint.add(Thing::Children(maker.process), Access::Write);
                // waitid(2) returns nothing about whom; the children that are gone from /proc tell.
                let children: Vec<i32> =
                    self.family.children(maker.pid.as_raw()).iter().map(|(pid, _)| *pid).collect();
                for pid in children {
                    let gone = result >= 0 && *reaps && kernel::parent(Pid::from_raw(pid)).is_none();
                    if let Some(process) = self.family.processes.get_mut(&pid).filter(|_| gone) {
                        process.reaped = true;
                        footprint.add(Thing::Process(process.id), Access::Write);
                    }
                }
            }
            Kind::SetDisposition => {
                footprint.add(Thing::Disposition(maker.process), Access::Write);
                footprint.add(Thing::Blocked(maker.process), Access::Read);
            }
            Kind::Suspend { .. } | Kind::AwaitSignal { .. } => {
                footprint.add(Thing::Blocked(maker.process), Access::Write);
            }
            Kind::FutexWait { .. } => {
                footprint.add(Thing::Memory(maker.process), Access::Write);
            }
            _ => {}
        }
    }

    /// The end of a task, and of its process if there is no other thread or all of them end.
    fn end(&mut self, id: TaskId, stopped: Stopped, status: i32) -> Result<Footprint<Thing>, ExploreError> {
        let (Some(maker), Some(task)) = (self.maker(id), self.family.tasks.get(&id)) else {
            return Ok(Footprint::new());
        };
        let (process, is_first) = (task.process, task.pid.as_raw() == task.process);
        let leaves_alone = task.leaves_alone;
        let others: Vec<_> = self.family.threads(process).into_iter().filter(|other| *other != id).collect();
        if leaves_alone && !others.is_empty() {
            let running = stopped.resume(Resume::Freely, 0)?;
            if is_first {
                self.tracer.abandon(running);
                self.set(id, State::Gone);
            } else {
                self.await_end(running)?;
                self.family.tasks.remove(&id);
            }
            self.record_end(id, "exit thread", "0", &[]);
            return Ok(Footprint::new().write(Thing::Memory(maker.process)));
        }
        let plan = Plan::of_end(maker, &mut self.files, self.scene.sockets);
        for other in others {
            self.finish_thread(other)?;
        }
        let running = stopped.resume(Resume::Freely, 0)?;
        let end = self.await_end(running)?;
        self.family.tasks.remove(&id);
        // A first thread that has left before is waited for once all others are gone.
        let end = match is_first {
            true => end,
            false => self.finish_first(process)?.unwrap_or(end),
        };
        let (short, result) = match End::of_status(status) {
            End::Exited(code) => ("exit", code.to_string()),
            End::Killed(signal) => ("dies", words::signal(signal)),
        };
        self.bury(id, maker, plan, (short, &result), end)
    }

    /// Takes in that a process has ended, of which `plan` has what it held before.
    fn bury(
        &mut self,
        id: TaskId,
        maker: Maker,
        plan: Plan,
        (short, result): (&str, &str),
        end: End,
    ) -> Result<Footprint<Thing>, ExploreError> {
        let effect = plan.effect(0, "", &Pipes { pid: maker.pid, task: None }, &mut self.files);
        let mut footprint = effect.footprint;
        let at = self.made.len();
        self.record_end(id, short, result, &effect.released);
        self.process_ended(maker.pid.as_raw(), end)?;
        self.add_aside(at, &mut footprint);
        Ok(footprint)
    }

    fn record_end(&mut self, id: TaskId, short: &str, result: &str, released: &[FileId]) {
        self.made.push(Made {
            task: id,
            call: format!("{short}({result})"),
            short: format!("{short} {result}"),
            result: String::new(),
            evidence: Evidence::None,
            note: if released.is_empty() { String::new() } else { "unlocks".into() },
            file: released.first().copied(),
            enabled: self.enabled_now(),
        });
    }

    fn finish_thread(&mut self, id: TaskId) -> Result<(), ExploreError> {
        let Some(task) = self.family.tasks.get_mut(&id) else { return Ok(()) };
        let first = task.pid.as_raw() == task.process;
        let state = std::mem::replace(&mut task.state, State::Moving);
        if first && matches!(state, State::Gone) {
            task.state = State::Gone;
            return Ok(());
        }
        if let State::Before(stopped, _) | State::Ending(stopped, _) | State::Vfork(stopped, _) = state {
            let running = stopped.resume(Resume::Freely, 0)?;
            if first {
                // It is reported when the last of the others is gone.
                self.tracer.abandon(running);
                self.set(id, State::Gone);
                return Ok(());
            }
            self.await_end(running)?;
        }
        self.family.tasks.remove(&id);
        Ok(())
    }

    fn finish_first(&mut self, process: i32) -> Result<Option<End>, ExploreError> {
        let first =
            self.family.tasks.iter().find(|(_, task)| task.pid.as_raw() == process).map(|(id, _)| *id);
        let Some(id) = first else { return Ok(None) };
        self.family.tasks.remove(&id);
        let running = self.tracer.newborn(Pid::from_raw(process));
        self.await_end(running).map(Some)
    }

    fn await_end(&mut self, running: Running) -> Result<End, ExploreError> {
        let mut running = running;
        loop {
            match self.tracer.wait(running)? {
                Report::Ended(end) => return Ok(end),
                Report::Stopped(stopped, _) => running = stopped.resume(Resume::Freely, 0)?,
                Report::Stuck(stuck, _) => running = stuck,
            }
        }
    }

    /// The death of a process that was killed.
    fn die(&mut self, id: TaskId) -> Result<Footprint<Thing>, ExploreError> {
        let Some(maker) = self.maker(id) else { return Ok(Footprint::new()) };
        let process = maker.pid.as_raw();
        let plan = Plan::of_end(maker, &mut self.files, self.scene.sockets);
        let threads = self.family.threads(process);
        kill(maker.pid, Signal::SIGKILL).ok();
        let mut end = End::Killed(libc::SIGKILL);
        for thread in threads {
            let Some(task) = self.family.tasks.remove(&thread) else { continue };
            let running = match task.state {
                State::Before(stopped, _) | State::Ending(stopped, _) | State::Vfork(stopped, _) => {
                    stopped.resume(Resume::Freely, 0)?
                }
                State::Gone | State::Moving => self.tracer.newborn(task.pid),
            };
            end = self.await_end(running)?;
        }
        self.bury(id, maker, plan, ("dies", "SIGKILL"), end)
    }

    /// A process has ended: its parent can wait for it, and its children have another parent.
    pub(super) fn process_ended(&mut self, pid: i32, end: End) -> Result<(), ExploreError> {
        let Some(process) = self.family.processes.get_mut(&pid) else { return Ok(()) };
        process.end = Some(end);
        process.doomed = false;
        let (id, parent) = (process.id, process.parent);
        self.note(Thing::Process(id), Access::Write);
        let orphans: Vec<i32> = self.family.children(pid).iter().map(|(child, _)| *child).collect();
        for orphan in orphans {
            let adopted = kernel::parent(Pid::from_raw(orphan)).map(|pid| pid.as_raw());
            let adopted = adopted.filter(|pid| self.family.processes.contains_key(pid));
            if let Some(child) = self.family.processes.get_mut(&orphan) {
                child.reaped = child.end.is_some() && adopted.is_none();
                child.parent = adopted;
            }
        }
        let alive = parent.and_then(|parent| self.process(parent)).filter(|parent| parent.end.is_none());
        match alive.map(|parent| (parent.id, Signals::of(parent.pid))) {
            Some((parent, signals)) => {
                self.note(Thing::Children(parent), Access::Release);
                self.note(Thing::Disposition(parent), Access::Read);
                let child = bit(libc::SIGCHLD);
                if signals.blocked & child != 0 {
                    self.note(Thing::Blocked(parent), Access::Write);
                } else if signals.caught & child != 0 {
                    self.note(Thing::Signals(parent), Access::Write);
                }
                if signals.ignored & child != 0 {
                    self.family.processes.entry(pid).and_modify(|process| process.reaped = true);
                }
            }
            None => {
                self.family.processes.entry(pid).and_modify(|process| process.reaped = true);
            }
        }
        self.let_parent_go(pid)
    }
}
