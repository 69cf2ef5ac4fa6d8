//! The laboratory: real processes, of which one at a time makes one operation.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::decode::{Decoded, Decoder};
use super::error::ExploreError;
use super::family::{Family, Process, State as Stand, letter};
use super::files::Files;
use super::footprint::{Access, Footprint};
use super::judge::{Broken, Watch};
use super::kernel::{bit, stops};
use super::operation::{Kind, Operation};
use super::place::{FileId, Numbers, Thing};
use super::schedule::State;
use super::system::{Choices, System, TaskId};
use super::waiting::Asked;
use crate::sys::ptrace::Resume;
use crate::trace::{End, Program, Report, Stop, Stopped, Tracer};

/// What each execution begins with.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) rundir: PathBuf,
    /// The pidfile that is judged.
    pub(crate) pidfile: PathBuf,
    /// What is in the rundir.
    pub(crate) initial: Vec<InitialFile>,
    pub(crate) programs: Vec<Program>,
    /// Whether the programs are the same, so that it does not matter which of them is called A.
    pub(crate) alike: bool,
    /// What tasks and files are called in every execution.
    pub(crate) names: Names,
    /// For how long a task may go on without an operation.
    pub(crate) patience: Duration,
    /// Whether sockets are followed, because a program connects to another.
    pub(crate) sockets: bool,
    /// Whether the last of them starts although another one runs.
    pub(crate) overwrites: bool,
    /// What is expected of them.
    pub(crate) watch: Watch,
    /// The contender that gets a signal once it is up, and the signal.
    pub(crate) told: Option<(usize, Signal)>,
}

/// The numbers by which all workers of a search know tasks and files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    tasks: Numbers,
    files: Numbers,
}

/// A file of the rundir.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InitialFile {
    pub(crate) name: PathBuf,
    pub(crate) mode: u32,
    /// `None` for a directory.
    pub(crate) content: Option<Vec<u8>>,
}

/// One operation that was made.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) task: TaskId,
    pub(crate) call: String,
    pub(crate) short: String,
    pub(crate) result: String,
    pub(crate) evidence: Evidence,
    pub(crate) note: String,
    pub(crate) file: Option<FileId>,
    pub(crate) enabled: Vec<TaskId>,
}

/// What an operation told its program about whether somebody else is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Evidence {
    None,
    /// A file is there.
    Perhaps,
    /// A lock is held, a name is taken, a process lives.
    Somebody,
}

/// The system that is searched.
#[derive(Debug)]
pub(crate) struct Lab {
    pub(crate) tracer: Tracer,
    pub(crate) scene: Scene,
    pub(crate) family: Family,
    pub(crate) files: Files,
    pub(crate) made: Vec<Made>,
    /// Contenders that have come up.
    pub(crate) up: Vec<bool>,
    pub(crate) told: bool,
    teller: Option<TaskId>,
    /// Made-up time: it passes only when everybody sleeps.
    now: Duration,
    /// Footprint and note of what happens beside the operation itself.
    aside: Aside,
    enabled: Vec<TaskId>,
    /// Who was found waiting, for what, and whether that is resting; until a step touches it.
    found_waiting: BTreeMap<TaskId, (Footprint<Thing>, bool)>,
    pub(crate) limits: Limits,
    /// What did not hold while the execution ran.
    pub(crate) broken: Vec<Broken>,
    /// The state after each operation, if it is to be kept.
    pub(crate) states: Option<Vec<State>>,
    /// What the next operation fails with.
    pub(super) fault: Option<Errno>,
    pub(super) asides: Asides,
    pub(super) before: Before,
}

/// What there was before the start that is looked at alone.
#[derive(Debug, Default)]
pub(super) struct Before {
    pub(super) operations: usize,
    pub(super) asides: usize,
    /// As [`Lab::names_left`] has them.
    pub(super) names: BTreeSet<String>,
}

/// Calls that are no operations, because nobody else can notice them, but can fail: whoever is born, for instance, is seen
/// only when it makes an operation of its own.
#[derive(Debug, Default)]
pub(super) struct Asides {
    /// Each so far: how many operations had been made before it, and the call.
    pub(super) all: Vec<(usize, String)>,
    /// Which of them is to fail, counted from 0, and with what.
    pub(super) fault: Option<(usize, Errno)>,
}

impl Asides {
    /// Notes one; what it is to fail with.
    fn one_more(&mut self, after: usize, call: String) -> Option<Errno> {
        self.all.push((after, call));
        self.fault.filter(|(index, _)| *index + 1 == self.all.len()).map(|(_, errno)| errno)
    }
}

/// What bounds one execution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) operations: usize,
    pub(crate) processes: usize,
    /// Made-up time after which sleeping is resting.
    pub(crate) horizon: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { operations: 5_000, processes: 200, horizon: Duration::from_secs(2) }
    }
}

/// As many operations may it take until everybody is gone that was told to stop.
const WINDING_UP: usize = 2_000;

/// What happens on the way to a task's next operation.
#[derive(Debug, Default)]
pub(super) struct Aside {
    pub(super) places: Vec<(Thing, Access)>,
    pub(super) notes: Vec<String>,
}

impl Lab {
    pub(crate) fn new(scene: Scene) -> Result<Self, ExploreError> {
        let tracer = Tracer::new(scene.programs.clone(), scene.patience)?;
        let mut family = Family::new(scene.names.tasks.clone());
        // Contenders first, so that their numbers are in order.
        for index in 0..scene.programs.len() {
            family.id(&letter(index));
        }
        let teller = scene.told.map(|(index, _)| family.id(&format!("!{}", letter(index))));
        let files = Files::new(scene.rundir.clone(), scene.names.files.clone());
        Ok(Lab {
            tracer,
            files,
            family,
            made: Vec::new(),
            up: Vec::new(),
            told: false,
            teller,
            now: Duration::ZERO,
            aside: Aside::default(),
            enabled: Vec::new(),
            found_waiting: BTreeMap::new(),
            limits: Limits::default(),
            broken: Vec::new(),
            states: None,
            fault: None,
            asides: Asides::default(),
            before: Before::default(),
            scene,
        })
    }

    pub(super) fn clean(&mut self) -> Result<(), ExploreError> {
        self.tracer.kill_all();
        self.family.clear();
        self.made.clear();
        self.found_waiting.clear();
        self.broken.clear();
        if let Some(states) = &mut self.states {
            states.clear();
        }
        (self.told, self.now, self.fault) = (false, Duration::ZERO, None);
        self.asides = Asides::default();
        self.up = vec![false; self.scene.programs.len()];
        empty(&self.scene.rundir).map_err(ExploreError::file("empty", &self.scene.rundir))?;
        for file in &self.scene.initial {
            let path = self.scene.rundir.join(&file.name);
            let made = match &file.content {
                Some(content) => fs::write(&path, content),
                None => fs::create_dir_all(&path),
            };
            made.and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(file.mode)))
                .map_err(ExploreError::file("prepare", &path))?;
        }
        for program in &self.scene.programs {
            for output in [&program.stdout, &program.stderr] {
                fs::remove_file(output_path(output)).ok();
            }
        }
        self.files.begin();
        Ok(())
    }

    /// Starts a contender, up to its first operation.
    pub(super) fn join(&mut self, index: usize) -> Result<(), ExploreError> {
        let (stopped, stop) = self.tracer.spawn(index as u8)?;
        let id = self.family.contender(index, stopped.pid()).map_err(ExploreError::process(stopped.pid()))?;
        self.files.joined(stopped.pid());
        self.go_on(id, stopped, stop)?;
        self.aside = Aside::default();
        Ok(())
    }

    /// Something has happened that was no step.
    pub(super) fn forget_waiting(&mut self) {
        self.found_waiting.clear();
    }

    /// What the task is about to do.
    pub(super) fn standing_before(&self, id: TaskId) -> Option<&Operation> {
        match &self.family.tasks.get(&id)?.state {
            Stand::Before(_, operation) => Some(operation),
            _ => None,
        }
    }

    /// Tells every contender to stop, one signal each process, and lets all go on; whether all are gone.
    pub(crate) fn wind_up(&mut self) -> bool {
        let mut asked = BTreeSet::new();
        // The scenario has nothing to tell any more.
        self.told = true;
        self.limits.operations += WINDING_UP;
        let end = self.made.len() + WINDING_UP;
        while self.made.len() < end {
            let Ok(choices) = self.choices() else { break };
            if let Some(task) = choices.enabled.first() {
                if self.step(*task).is_err() {
                    break;
                }
                continue;
            }
            let eldest = |contender| self.family.alive(contender).first().map(|process| process.pid);
            let eldest: Vec<Pid> = (0..self.scene.programs.len()).filter_map(eldest).collect();
            let Some(pid) = eldest.into_iter().find(|pid| asked.insert(*pid)) else { break };
            kill(pid, Signal::SIGTERM).ok();
            // This was no step of the search.
            self.found_waiting.clear();
        }
        self.limits.operations -= WINDING_UP;
        self.family.processes.values().all(|process| process.end.is_some())
    }

    /// Whether everything that lives of a contender waits for something that is not a lock.
    fn rests(&mut self, contender: usize) -> bool {
        let tasks: Vec<TaskId> = self.family.tasks.keys().copied().collect();
        let mut any = false;
        for id in tasks {
            if self.family.process_of(id).is_none_or(|process| process.contender != contender) {
                continue;
            }
            if self.family.is_ended_by_another(id) {
                continue;
            }
            match self.waits(id) {
                Some((_, true)) => any = true,
                Some((_, false)) | None => return false,
            }
        }
        any
    }

    /// What the task waits for, and whether a daemon that waits for it rests; `None` if it can go on.
    fn waits(&mut self, id: TaskId) -> Option<(Footprint<Thing>, bool)> {
        let task = self.family.tasks.get(&id)?;
        let process = self.family.processes.get(&task.process)?;
        let Stand::Before(stopped, operation) = &task.state else {
            // In vfork(2), or gone but for its process: whoever can end that goes on.
            let stands = matches!(task.state, Stand::Vfork(..) | Stand::Gone);
            return stands.then(|| (Footprint::new().read(Thing::Process(process.id)), true));
        };
        if process.doomed {
            return None;
        }
        if let Some(known) = self.found_waiting.get(&id) {
            return Some(known.clone());
        }
        let children = self.family.children(task.process);
        let (files, sockets) = (&mut self.files, self.scene.sockets);
        let mut asked = Asked { task: stopped, process, files, sockets, children: &children };
        let footprint = asked.waits(operation)?;
        let rests = !matches!(operation.kind, Kind::Lock(_));
        match operation.kind {
            Kind::Sleep { .. } => return Some((Footprint::everything(), rests)),
            // To ask the kernel at each step of the others would take longer than the steps.
            Kind::Lock(_) | Kind::Read { .. } | Kind::Write { .. } | Kind::Wait { .. } => {
                self.found_waiting.insert(id, (footprint.clone(), rests));
            }
            _ => {}
        }
        Some((footprint, rests))
    }

    /// Forgets who waits for what `task` has just touched.
    fn look_again_at_waiting(&mut self, task: TaskId, touched: &Footprint<Thing>) {
        self.found_waiting
            .retain(|waiting, (footprint, _)| *waiting != task && !footprint.conflicts(touched));
    }

    /// Those whose sleep ends first, if it ends in time.
    fn sleepers(&self) -> Vec<TaskId> {
        let until = |id: &TaskId| match &self.family.tasks.get(id)?.state {
            Stand::Before(_, Operation { kind: Kind::Sleep { until }, .. }) => Some(*until),
            _ => None,
        };
        let ids: Vec<_> = self.family.tasks.keys().copied().collect();
        let Some(first) = ids.iter().filter_map(until).min() else { return Vec::new() };
        if first > self.limits.horizon {
            return Vec::new();
        }
        ids.into_iter().filter(|id| until(id) == Some(first)).collect()
    }

    /// Lets a task go on to its next operation, with everything on the way, and what is born on the way too.
    pub(super) fn go_on(&mut self, id: TaskId, stopped: Stopped, stop: Stop) -> Result<(), ExploreError> {
        let (mut stopped, mut stop) = (stopped, stop);
        loop {
            let Some((next, how, signal)) = self.take(id, stopped, stop)? else { return Ok(()) };
            match self.tracer.wait(next.resume(how, signal)?)? {
                Report::Stopped(next, why) => (stopped, stop) = (next, why),
                Report::Ended(end) => return self.vanished(id, end),
                Report::Stuck(running, stuck) => {
                    let error = ExploreError::stuck(self.family.name(id), stuck);
                    self.tracer.abandon(running);
                    return Err(error);
                }
            }
        }
    }

    /// Takes in one stop: how to go on from it, or nothing if that is for the search to decide.
    fn take(
        &mut self,
        id: TaskId,
        stopped: Stopped,
        stop: Stop,
    ) -> Result<Option<(Stopped, Resume, i32)>, ExploreError> {
        match stop {
            Stop::Call => return self.take_call(id, stopped),
            Stop::ForeignCall => return Err(self.unsupported(id, "32-bit system calls")),
            Stop::Forked(child) => self.born(id, child)?,
            Stop::Vforked(child) => {
                // The parent first, because the child may let it go on at once.
                self.set(id, Stand::Vfork(stopped, child.as_raw()));
                self.born(id, child)?;
                return Ok(None);
            }
            Stop::Executed(former) => self.executed(id, &stopped, former)?,
            Stop::Exiting(status) => {
                let executed = self.family.process_of(id).is_none_or(|process| process.executed);
                if !executed {
                    let path = self.tracer.path(self.family.process_of(id).map_or(0, |p| p.contender) as u8);
                    return Err(ExploreError::Execute { path });
                }
                self.set(id, Stand::Ending(stopped, status));
                self.family.ends(id);
                return Ok(None);
            }
            Stop::Signal(signal) => {
                self.took_signal(id);
                let stops = stops(signal);
                if !stops && signal != libc::SIGCHLD {
                    self.aside.notes.push(format!("gets {}", super::words::signal(signal)));
                }
                return Ok(Some((stopped, Resume::Freely, if stops { 0 } else { signal })));
            }
            Stop::CallDone | Stop::VforkDone | Stop::Group(_) | Stop::Born => {}
        }
        Ok(Some((stopped, Resume::Freely, 0)))
    }

    /// A signal for a process is taken by one of its threads, and the others do not get it any more.
    pub(super) fn took_signal(&mut self, id: TaskId) {
        let process = self.family.process_of(id).map(|process| process.id);
        self.aside.places.extend(process.map(|id| (Thing::Signals(id), Access::Write)));
    }

    fn take_call(
        &mut self,
        id: TaskId,
        stopped: Stopped,
    ) -> Result<Option<(Stopped, Resume, i32)>, ExploreError> {
        if self.family.process_of(id).is_some_and(|process| !process.executed) {
            // Until the first program is executed, the nest stands still.
            return Ok(Some((stopped, Resume::Freely, 0)));
        }
        match self.decode(id, &stopped)? {
            Decoded::Unseen => {}
            Decoded::CanFail(call) => {
                if let Some(errno) = self.asides.one_more(self.made.len(), call) {
                    pretend(&stopped, -i64::from(errno as i32))?;
                }
            }
            Decoded::Pretend(result) => pretend(&stopped, result)?,
            Decoded::Random { address, length } => {
                let length = length.min(256);
                stopped.write(address, &RANDOM[..length])?;
                pretend(&stopped, length as i64)?;
            }
            Decoded::Seen(operation) => {
                self.set(id, Stand::Before(stopped, operation));
                return Ok(None);
            }
            Decoded::Ends => {
                let alone = stopped.registers()?.call() == libc::SYS_exit;
                if let Some(task) = self.family.tasks.get_mut(&id) {
                    task.leaves_alone = alone;
                }
            }
            Decoded::Connects => return Err(ExploreError::Connects),
            Decoded::Unsupported(what) => return Err(self.unsupported(id, what)),
        }
        Ok(Some((stopped, Resume::Freely, 0)))
    }

    pub(super) fn decode(&mut self, id: TaskId, stopped: &Stopped) -> Result<Decoded, ExploreError> {
        let regs = stopped.registers()?;
        let process = self.family.process_of(id).map_or(stopped.pid(), |process| process.pid);
        let contender = self.family.process_of(id).map_or(0, |process| process.contender);
        // Signals that programs send to one another, and the one of the scenario.
        let mut awaited = bit(libc::SIGUSR1) | bit(libc::SIGUSR2);
        if let Some((told, signal)) = self.scene.told
            && told == contender
        {
            awaited |= bit(signal as i32);
        }
        let (files, pids, now, sockets) = (&mut self.files, &self.family.pids, self.now, self.scene.sockets);
        Ok(Decoder { files, pids, task: stopped, process, awaited, sockets, now, regs }.decode())
    }

    pub(super) fn set(&mut self, id: TaskId, state: Stand) {
        if let Some(task) = self.family.tasks.get_mut(&id) {
            task.state = state;
        }
    }

    fn born(&mut self, parent: TaskId, child: Pid) -> Result<(), ExploreError> {
        let Some(process) = self.family.tasks.get(&parent).map(|task| task.process) else { return Ok(()) };
        if self.family.processes.len() >= self.limits.processes {
            return Err(ExploreError::TooManyProcesses { limit: self.limits.processes });
        }
        let newborn = self.tracer.newborn(child);
        let is_thread = fs::exists(format!("/proc/{process}/task/{child}")).unwrap_or(false);
        let id = match is_thread {
            true => self.family.thread(process, child),
            false => self.family.child(process, child).map_err(ExploreError::process(child))?,
        };
        if !is_thread {
            self.files.joined(child);
        }
        self.aside.places.push((Thing::Process(id), Access::Write));
        if is_thread {
            self.aside.places.push((Thing::Memory(id), Access::Write));
        } else {
            self.aside.notes.push(format!("starts {}", self.family.name(id)));
        }
        match self.tracer.wait(newborn)? {
            Report::Stopped(stopped, stop) => self.go_on(id, stopped, stop),
            Report::Ended(end) => self.vanished(id, end),
            Report::Stuck(running, stuck) => {
                self.tracer.abandon(running);
                Err(ExploreError::stuck(self.family.name(id), stuck))
            }
        }
    }

    pub(super) fn executed(
        &mut self,
        id: TaskId,
        stopped: &Stopped,
        former: Pid,
    ) -> Result<(), ExploreError> {
        let Some(process) = self.family.tasks.get(&id).map(|task| task.process) else { return Ok(()) };
        if former != stopped.pid() {
            self.tracer.renamed(former);
        }
        // The other threads are gone without a word, and this one has the number of the first.
        let others: Vec<_> = self.family.threads(process).into_iter().filter(|other| *other != id).collect();
        for other in others {
            self.family.tasks.remove(&other);
        }
        if let Some(task) = self.family.tasks.get_mut(&id) {
            task.pid = stopped.pid();
        }
        if let Some(process) = self.family.processes.get_mut(&process) {
            process.executed = true;
        }
        fix_randomness(stopped)?;
        self.let_parent_go(process)
    }

    /// Whoever stands in vfork(2) for this process goes on.
    pub(super) fn let_parent_go(&mut self, child: i32) -> Result<(), ExploreError> {
        let waits = |state: &Stand| matches!(state, Stand::Vfork(_, waited) if *waited == child);
        let parent = self.family.tasks.iter().find(|(_, task)| waits(&task.state)).map(|(id, _)| *id);
        let Some(parent) = parent else { return Ok(()) };
        let Some(task) = self.family.tasks.get_mut(&parent) else { return Ok(()) };
        let Stand::Vfork(stopped, _) = std::mem::replace(&mut task.state, Stand::Moving) else {
            return Ok(());
        };
        let process = self.family.process_of(parent).map(|process| process.id);
        self.aside.places.extend(process.map(|id| (Thing::Process(id), Access::Write)));
        self.go_on(parent, stopped, Stop::VforkDone)
    }

    pub(super) fn unsupported(&self, id: TaskId, what: &'static str) -> ExploreError {
        ExploreError::Unsupported { task: self.family.name(id).to_owned(), what }
    }

    pub(super) fn take_aside(&mut self) -> Aside {
        std::mem::take(&mut self.aside)
    }

    pub(super) fn note(&mut self, place: Thing, access: Access) {
        self.aside.places.push((place, access));
    }

    pub(super) fn pass_time(&mut self, until: Duration) {
        self.now = self.now.max(until);
    }

    pub(super) fn enabled_now(&self) -> Vec<TaskId> {
        self.enabled.clone()
    }

    /// Records that a contender has come up with the step just made.
    fn look_whether_up(&mut self, footprint: &mut Footprint<Thing>, contender: usize) {
        let wanted = self.scene.told.is_some_and(|(told, _)| told == contender);
        if wanted && !self.up[contender] && self.rests(contender) {
            self.up[contender] = true;
            let id = self.family.id(&letter(contender));
            footprint.add(Thing::Up(id), Access::Write);
        }
    }

    pub(crate) fn process(&self, pid: i32) -> Option<&Process> {
        self.family.processes.get(&pid)
    }

    /// The end of a task that was not asked whether it should end.
    fn vanished(&mut self, id: TaskId, end: End) -> Result<(), ExploreError> {
        let Some(task) = self.family.tasks.remove(&id) else { return Ok(()) };
        if task.pid.as_raw() == task.process {
            self.process_ended(task.process, end)?;
        }
        Ok(())
    }

    /// Sends the signal of the scenario to the eldest living process of its contender.
    fn tell(&mut self) -> Result<Footprint<Thing>, ExploreError> {
        self.told = true;
        let (Some((contender, signal)), Some(teller)) = (self.scene.told, self.teller) else {
            return Ok(Footprint::new());
        };
        let up = self.family.id(&letter(contender));
        let mut footprint = Footprint::new().read(Thing::Up(up));
        let target = self.family.alive(contender).first().map(|process| process.pid);
        let shown = match target {
            Some(pid) => {
                self.signalled(pid.as_raw(), signal as i32, &mut footprint);
                if signal != Signal::SIGKILL {
                    kill(pid, signal).map_err(ExploreError::process(pid))?;
                }
                self.family.pids.name(pid.as_raw()).unwrap_or("?").to_owned()
            }
            None => "nobody".into(),
        };
        self.made.push(Made {
            task: teller,
            call: format!("kill({shown}, {signal})"),
            short: format!("{signal} to {shown}"),
            result: "0".into(),
            evidence: Evidence::None,
            note: String::new(),
            file: None,
            enabled: self.enabled_now(),
        });
        Ok(footprint)
    }
}

impl System for Lab {
    type Place = Thing;
    type Error = ExploreError;

    fn restart(&mut self) -> Result<(), ExploreError> {
        self.clean()?;
        (0..self.scene.programs.len()).try_for_each(|index| self.join(index))
    }

    fn choices(&mut self) -> Result<Choices<Thing>, ExploreError> {
        let (mut enabled, mut waiting) = (Vec::new(), Vec::new());
        let ids: Vec<TaskId> = self.family.tasks.keys().copied().collect();
        for id in ids {
            let Some(task) = self.family.tasks.get(&id) else { continue };
            let doomed = self.family.process_of(id).is_some_and(|process| process.doomed);
            // A process that was killed has one step left, its first thread's.
            if doomed {
                if task.pid.as_raw() == task.process {
                    enabled.push(id);
                }
                continue;
            }
            if self.family.is_ended_by_another(id) {
                continue;
            }
            match self.waits(id) {
                Some((footprint, _)) => waiting.push((id, footprint)),
                None => enabled.push(id),
            }
        }
        if let (Some((contender, _)), Some(teller)) = (self.scene.told, self.teller)
            && self.up[contender]
            && !self.told
        {
            enabled.push(teller);
        }
        if enabled.iter().all(|task| Some(*task) == self.teller) && !enabled.is_empty() {
            // Nothing will happen until the scenario makes it happen: this is a state to be judged too.
            self.judge_quiet(&self.outcomes());
        }
        if enabled.is_empty() {
            enabled = self.sleepers();
            waiting.retain(|(id, _)| !enabled.contains(id));
        }
        if self.made.len() >= self.limits.operations && !enabled.is_empty() {
            return Err(ExploreError::TooManyOperations { limit: self.limits.operations });
        }
        self.enabled.clone_from(&enabled);
        Ok(Choices::new(enabled, waiting))
    }

    fn step(&mut self, task: TaskId) -> Result<Footprint<Thing>, ExploreError> {
        if Some(task) == self.teller {
            let footprint = self.tell()?;
            self.look_again_at_waiting(task, &footprint);
            self.keep_state();
            return Ok(footprint);
        }
        let contender = self.family.process_of(task).map(|process| process.contender);
        let process = self.family.process_of(task).map(|process| process.id);
        let mut footprint = self.operate(task)?;
        if let Some(process) = process {
            footprint.add(Thing::Process(process), Access::Read);
            footprint.add(Thing::Signals(process), Access::Read);
        }
        self.look_again_at_waiting(task, &footprint);
        if let Some(contender) = contender {
            self.look_whether_up(&mut footprint, contender);
        }
        self.judge_step(&footprint);
        self.keep_state();
        Ok(footprint)
    }

    fn class(&self, task: TaskId) -> Option<u32> {
        let contender = (task.0 as usize) < self.scene.programs.len();
        let told = self.scene.told.is_some_and(|(told, _)| told == task.0 as usize);
        let overwrites = self.scene.overwrites && task.0 as usize + 1 == self.scene.programs.len();
        (self.scene.alike && contender && !told && !overwrites).then_some(0)
    }
}

/// Makes the call that the task stands before return `result` without being made.
pub(super) fn pretend(stopped: &Stopped, result: i64) -> Result<(), ExploreError> {
    let regs = stopped.registers()?;
    Ok(stopped.set_registers(regs.with_call(-1, result))?)
}

/// What getrandom(2) returns, and what the kernel gives each program at its start.
static RANDOM: [u8; 256] = {
    let mut bytes = [0; 256];
    let mut at = 0;
    while at < bytes.len() {
        bytes[at] = (at as u8).wrapping_mul(151).wrapping_add(43);
        at += 1;
    }
    bytes
};

/// The sixteen random bytes that each program is given, getauxval(3).
fn fix_randomness(stopped: &Stopped) -> Result<(), ExploreError> {
    const AT_RANDOM: u64 = 25;
    let vector = fs::read(format!("/proc/{}/auxv", stopped.pid())).unwrap_or_default();
    let words: Vec<u64> =
        vector.chunks_exact(8).filter_map(|word| Some(u64::from_ne_bytes(word.try_into().ok()?))).collect();
    let pairs: BTreeMap<u64, u64> = words.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    if let Some(&address) = pairs.get(&AT_RANDOM) {
        stopped.write(address, &RANDOM[..16])?;
    }
    Ok(())
}

fn empty(directory: &std::path::Path) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() && !path.is_symlink() {
            fs::remove_dir_all(&path)?;
        } else {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

fn output_path(path: &std::ffi::CStr) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(path.to_bytes()))
}
