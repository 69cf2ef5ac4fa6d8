//! One start of the daemon, from the command to the end of its last process.

use super::driving::{Driving, Mode};
use super::facts::{Facts, is_busy};
use super::outcome::{No, broken, cannot_tell};
use crate::fixture::{Clock, Deadline, FixtureError, Sandbox, StartOptions, Subject};
use crate::observe::{Inode, Pidfile, PidfileContent, Process, from_ticks};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, pipe2};
use std::cell::{Cell, OnceCell, RefCell};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// How long a daemon may take for what it does right after it is ready, and an observer to notice.
const SETTLE: Duration = Duration::from_millis(1500);

/// How long a daemon without a pidfile must stay alive in the foreground to be taken for ready.
const GRACE: Duration = Duration::from_millis(300);

/// How long a wait lasts for what the same daemon has let pass already.
const ONCE_BITTEN: Duration = Duration::from_millis(500);

/// How long, by the machine's clock, a daemon must have been awake to be called sleepless: it may have much to mend after a crash.
const WAKEFUL: Duration = Duration::from_secs(2);

/// How much of a processor it must have used then, besides what the first one needed.
const SLEEPLESS_WORK: Duration = Duration::from_secs(1);

/// How long it may take on a loaded machine to get that.
const SLEEPLESS: Duration = Duration::from_secs(120);

/// How much is read of what a daemon has written.
const OUTPUT_BYTES: u64 = 64 * 1024;

/// What the runs of one daemon share.
#[derive(Debug)]
pub(super) struct Patience {
    timeout: Duration,
    /// Its foreground command was seen not to return.
    never_returns: Cell<bool>,
    /// It was seen not to end when told to.
    never_ends: Cell<bool>,
    /// What it was seen not to do, after all the time it may take to settle.
    unsettled: Cell<Unsettled>,
    /// It was seen to want a processor, on and on, with nothing to show for it.
    restless: Cell<bool>,
    /// Why it cannot have a clock of its own.
    no_clock: RefCell<Option<String>>,
    /// By a clock of its own it was never at rest after a start, so that time did not pass.
    stands_still: Cell<bool>,
    /// So was one that was restarted, or this: the next is not waited for as long.
    has_spun: Cell<bool>,
}

/// What a daemon has not done, although it is ready.
#[derive(Debug, Clone, Copy, Default)]
struct Unsettled {
    /// Named itself in its pidfile.
    pidfile: bool,
    /// Locked a file.
    lock: bool,
    /// Let go of what its starter gave it.
    descriptors: bool,
    /// Left the directory in which it was started.
    directory: bool,
    /// Shown its monitor.
    monitor: bool,
    /// Been named in its monitor's title, where the profile declares one.
    title: bool,
    /// Been waited for by its monitor, once dead.
    reaping: bool,
    /// Gone to sleep: it may still be preparing for SIGTERM.
    rest: bool,
}

impl Unsettled {
    /// Whether nothing is left but what `known` tells.
    fn is_known(self, known: Self) -> bool {
        (known.pidfile || !self.pidfile)
            && (known.lock || !self.lock)
            && (known.descriptors || !self.descriptors)
            && (known.directory || !self.directory)
            && (known.monitor || !self.monitor)
            && (known.title || !self.title)
            && (known.reaping || !self.reaping)
            && (known.rest || !self.rest)
    }

    fn or(self, other: Self) -> Self {
        Self {
            pidfile: self.pidfile || other.pidfile,
            lock: self.lock || other.lock,
            descriptors: self.descriptors || other.descriptors,
            directory: self.directory || other.directory,
            monitor: self.monitor || other.monitor,
            title: self.title || other.title,
            reaping: self.reaping || other.reaping,
            rest: self.rest || other.rest,
        }
    }
}

impl Patience {
    pub(super) fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            never_returns: Cell::new(false),
            never_ends: Cell::new(false),
            unsettled: Cell::new(Unsettled::default()),
            restless: Cell::new(false),
            no_clock: RefCell::new(None),
            stands_still: Cell::new(false),
            has_spun: Cell::new(false),
        }
    }

    pub(super) fn deadline(&self) -> Deadline {
        Deadline::by_its_clock(self.timeout)
    }

    fn short_if(&self, bitten: bool) -> Deadline {
        Deadline::by_its_clock(if bitten { self.timeout.min(ONCE_BITTEN) } else { self.timeout })
    }

    /// Notes that it cannot have a clock of its own.
    pub(super) fn has_no_clock(&self, why: &impl fmt::Display) {
        *self.no_clock.borrow_mut() = Some(why.to_string());
    }

    /// Why it cannot have a clock of its own, if that has turned out.
    pub(super) fn no_clock(&self) -> Option<String> {
        self.no_clock.borrow().clone()
    }

    /// Whether time does not pass for it by a clock of its own.
    pub(super) fn stands_still(&self) -> bool {
        self.stands_still.get()
    }

    fn settle(&self) -> Duration {
        self.timeout.min(SETTLE)
    }
}

/// When a daemon has had the time that it may take to settle. On the machine's clock one that wants to run is given
/// that much of a processor too: how soon it gets it on a loaded machine is not its doing. A clock of its own stands
/// still while it runs, so one that uses that much of a processor is not waited for any longer.
struct Late {
    began: Duration,
    /// The processor time that it had used when it was first looked at.
    had_before: Option<Duration>,
    since: Instant,
    /// It has had as much of the machine's time and of a processor as it is owed, on a clock of its own that does not go on
    /// meanwhile.
    is_restless: bool,
}

impl Late {
    fn new(run: &Run<'_>) -> Self {
        Self { began: run.passed(), had_before: None, since: Instant::now(), is_restless: false }
    }

    /// Whether one of them wants a processor, and how much they have used since they were first looked at.
    fn used<'a>(&mut self, processes: impl Iterator<Item = &'a Process>) -> (bool, Duration) {
        let (mut busy, mut ticks) = (false, 0);
        for process in processes {
            busy |= is_busy(process);
            ticks += process.cpu_time_ticks;
        }
        let had = from_ticks(ticks).unwrap_or(Duration::MAX);
        (busy, had.saturating_sub(*self.had_before.get_or_insert(had)))
    }

    fn has_passed<'a>(&mut self, run: &Run<'_>, processes: impl Iterator<Item = &'a Process>) -> bool {
        let (busy, used) = self.used(processes);
        let settle = run.patience.settle();
        let has_passed = run.passed() - self.began >= settle;
        match run.subject.clock() {
            None => has_passed && !(busy && used < settle && !run.patience.restless.get()),
            Some(_) => {
                let owed = if run.patience.has_spun.get() { settle / 10 } else { settle };
                self.is_restless = busy && used.min(self.since.elapsed()) >= owed;
                has_passed || self.is_restless
            }
        }
    }
}

/// How to start it.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) mode: Mode,
    /// Which one of several that run at the same time.
    instance: Option<u32>,
    extra: Vec<OsString>,
    options: StartOptions,
    /// Whether it is all about time, which passes for nobody but a monitor and the daemon that it restarts.
    pub(super) is_about_time: bool,
}

impl Start {
    pub(super) fn new(mode: Mode) -> Self {
        Self { mode, instance: None, extra: Vec::new(), options: StartOptions::new(), is_about_time: false }
    }

    /// One of several that run at the same time: on the machine's clock, which they have in common.
    pub(super) fn instance(mut self, n: u32) -> Self {
        self.instance = Some(n);
        self
    }

    /// What is seen by its own clock is believed.
    pub(super) fn about_time(self) -> Self {
        Self { is_about_time: true, ..self }
    }

    pub(super) fn is_alone(&self) -> bool {
        self.instance.is_none()
    }

    pub(super) fn extra(mut self, argument: &OsStr) -> Self {
        self.extra.push(argument.to_owned());
        self
    }

    /// By a clock of its own, which goes as fast as it is waited for.
    pub(super) fn virtual_time(self) -> Self {
        self.options(StartOptions::virtual_time)
    }

    pub(super) fn options(mut self, change: impl FnOnce(StartOptions) -> StartOptions) -> Self {
        self.options = change(self.options);
        self
    }
}

/// A started daemon.
#[derive(Debug)]
pub(super) struct Run<'a> {
    driving: &'a Driving,
    patience: &'a Patience,
    pub(super) sandbox: Sandbox,
    pub(super) subject: Subject,
    pub(super) mode: Mode,
    /// Where it was started.
    pub(super) directory: PathBuf,
    /// A pipe that it inherited.
    pub(super) marker: Inode,
    /// The files that its stdout and stderr were.
    pub(super) output: Vec<Inode>,
    /// The pidfile when the command had returned, or the daemon was ready.
    pub(super) pidfile_at_once: OnceCell<Pidfile>,
    began: Instant,
    /// By its own clock it was seen to want a processor, on and on.
    is_restless: Cell<bool>,
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        if let Some(error) = self.subject.clock().and_then(Clock::failure) {
            self.patience.has_no_clock(&error);
        }
    }
}

/// How a start came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Something runs. A detached daemon's command has exited 0.
    Ready,
    /// Something runs, but the command that should have detached it is still there.
    NotReturned,
    /// The command has ended with this status, and nothing runs.
    Ended(ExitStatus),
    /// Neither in time.
    Unclear,
}

impl<'a> Run<'a> {
    pub(super) fn start(
        driving: &'a Driving,
        patience: &'a Patience,
        sandbox: &Sandbox,
        start: Start,
    ) -> Result<Self, FixtureError> {
        let directory = sandbox.starting_directory()?;
        let (marker, passed) = marker()?;
        let command = driving.command_in(start.mode).args(start.extra);
        let mut options = start.options.instance(start.instance.unwrap_or(1)).cwd(&directory);
        if start.mode.detached {
            options = options.inherit(passed);
        }
        let subject = sandbox.start(&command, options)?;
        let output = subject.stdio_paths().map(|path| fs::metadata(path).map(|data| Inode::of(&data)));
        Ok(Self {
            driving,
            patience,
            sandbox: sandbox.clone(),
            mode: start.mode,
            directory,
            marker,
            output: output.into_iter().flatten().collect(),
            subject,
            pidfile_at_once: OnceCell::new(),
            began: Instant::now(),
            is_restless: Cell::new(false),
        })
    }

    /// How much time has passed since the start: by the clock of the daemon, if it has one of its own.
    pub(super) fn passed(&self) -> Duration {
        self.subject.clock().map_or_else(|| self.began.elapsed(), Clock::passed)
    }

    pub(super) fn timeout(&self) -> Duration {
        self.patience.timeout
    }

    /// Whether it was seen to want a processor, on and on, by a clock of its own.
    pub(super) fn is_restless(&self) -> bool {
        self.is_restless.get()
    }

    /// Waits until the daemon is ready, or is known not to become so.
    pub(super) fn outcome(&self) -> Result<Outcome, No> {
        let outcome = match (self.mode.detached, self.driving.has_pidfile()) {
            (true, _) => self.outcome_detached()?,
            (false, true) => self.outcome_by_pidfile()?,
            (false, false) => match self.subject.wait_exit(Deadline::by_its_clock(GRACE)) {
                Ok(status) => Outcome::Ended(status),
                Err(error) if error.is_timeout() => Outcome::Ready,
                Err(error) => return Err(error.into()),
            },
        };
        self.pidfile_at_once.get_or_init(|| Pidfile::at(self.sandbox.pidfile()));
        match outcome {
            // A command that has ended may have left something that runs.
            Outcome::Ended(status) if status.success() && !self.subject.live_pids()?.is_empty() => {
                Ok(Outcome::Ready)
            }
            other => Ok(other),
        }
    }

    fn outcome_detached(&self) -> Result<Outcome, No> {
        let deadline = self.patience.deadline();
        let bitten = self.patience.never_returns.get();
        match self.subject.wait_exit(self.patience.short_if(bitten)) {
            Ok(status) => {
                self.pidfile_at_once.get_or_init(|| Pidfile::at(self.sandbox.pidfile()));
                Ok(Outcome::Ended(status))
            }
            Err(error) if error.is_timeout() => {
                self.patience.never_returns.set(true);
                self.outcome_unreturned(deadline)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Without the pidfile that it was told to write, a daemon whose command does not return may be starting.
    fn outcome_unreturned(&self, deadline: Deadline) -> Result<Outcome, No> {
        let is_up = |facts: &Facts| match self.driving.has_pidfile() {
            true => facts.pidfile_names_member(),
            false => facts.daemon != self.subject.pid(),
        };
        let look = || -> Result<Option<()>, No> { Ok(self.facts()?.filter(is_up).map(|_| ())) };
        let up = self.subject.wait_until("the daemon to run", deadline, look);
        Ok(if up.is_ok() { Outcome::NotReturned } else { Outcome::Unclear })
    }

    fn outcome_by_pidfile(&self) -> Result<Outcome, No> {
        let look = || -> Result<Option<Outcome>, FixtureError> {
            if let Some(status) = self.subject.exit_of(self.subject.pid()) {
                return Ok(Some(Outcome::Ended(status)));
            }
            let named = Pidfile::at(self.sandbox.pidfile()).pid();
            let Some(named) = named else { return Ok(None) };
            Ok(self.subject.live_pids()?.contains(&named).then_some(Outcome::Ready))
        };
        let deadline = match self.patience.unsettled.get().pidfile {
            true => Deadline::by_its_clock(GRACE),
            false => self.patience.deadline(),
        };
        match self.subject.wait_until("the pidfile to name the daemon", deadline, look) {
            Err(error) if error.is_timeout() => match self.subject.live_pids()?.is_empty() {
                true => Ok(Outcome::Unclear),
                // It runs, without what it should have: that is for the checks to say.
                false => Ok(Outcome::Ready),
            },
            other => Ok(other?),
        }
    }

    pub(super) fn facts(&self) -> Result<Option<Facts>, No> {
        Facts::of(&self.sandbox, &self.subject, self.mode)
    }

    /// Looks until everything is as it should be after a start, or for as long as that may take at most.
    pub(super) fn settled(&self) -> Result<Facts, No> {
        let known = self.patience.unsettled.get();
        let facts = self.settled_when(|facts| self.unsettled(facts).is_known(known))?;
        if self.is_restless.get() {
            self.patience.stands_still.set(true);
        }
        self.remember(self.unsettled(&facts));
        Ok(facts)
    }

    /// What is missing after all that time is not waited for again.
    fn remember(&self, unsettled: Unsettled) {
        self.patience.unsettled.set(self.patience.unsettled.get().or(unsettled));
    }

    /// The same of a restarted daemon, which need not be at rest: it is to be crashed anyway.
    pub(super) fn remember_but_for_rest(&self, facts: &Facts) {
        self.remember(Unsettled { rest: false, ..self.unsettled(facts) });
    }

    /// What `look` sees and, if the daemon has a clock of its own, whether all of its processes were asleep all the while:
    /// until time passes, what was seen then is how it stays.
    pub(super) fn calmly<T>(&self, look: impl FnOnce() -> Result<T, No>) -> Result<(T, bool), No> {
        let Some(clock) = self.subject.clock() else {
            return Ok((look()?, true));
        };
        let quiet = clock.quiet();
        let seen = look()?;
        Ok((seen, quiet.is_some() && clock.quiet() == quiet))
    }

    /// Looks until `settled` is content, or for as long as a daemon may take to settle.
    pub(super) fn settled_when(&self, mut settled: impl FnMut(&Facts) -> bool) -> Result<Facts, No> {
        let mut last = None;
        let _ = self.soon("the daemon to settle", |late| {
            let (now, calm) = self.calmly(|| self.facts())?;
            // One that is never at rest is taken as it is seen.
            let stays = calm || self.is_restless.get();
            let content = stays && now.as_ref().is_some_and(&mut settled);
            let is_late = now.as_ref().is_some_and(|facts| late.has_passed(self, facts.processes()));
            // A daemon that has just ended is what the last look shows.
            last = now;
            Ok((content || is_late).then_some(()))
        });
        match last {
            Some(facts) => Ok(facts),
            None => cannot_tell(format!("the daemon ended right after it was ready{}", self.words())),
        }
    }

    /// Whether the daemon, which has a clock of its own, goes on and on without ever being at rest, although the `first` one was,
    /// once it had used what it needed of a processor.
    pub(super) fn is_sleepless(&self, first: &Facts) -> Result<bool, No> {
        let needed: u64 = first.processes().map(|process| process.cpu_time_ticks).sum();
        let owed = from_ticks(2 * needed).unwrap_or_default() + SLEEPLESS_WORK;
        let mut late = Late::new(self);
        let look = || -> Result<Option<bool>, No> {
            let (facts, calm) = self.calmly(|| self.facts())?;
            let (busy, used) = facts.map_or((false, Duration::ZERO), |facts| late.used(facts.processes()));
            Ok((calm || busy && used >= owed && late.since.elapsed() >= WAKEFUL).then_some(!calm))
        };
        self.subject.wait_until("the daemon to go to sleep", Deadline::after(SLEEPLESS), look)
    }

    /// Waits until a daemon that was restarted has named itself in its pidfile: that may take as long as any start.
    pub(super) fn wait_for_pidfile(&self, restarted: impl Fn(&Facts) -> bool) {
        if self.patience.unsettled.get().pidfile {
            return;
        }
        let named = |facts: &Facts| restarted(facts) && facts.pidfile_names_member();
        let look = || -> Result<Option<()>, No> { Ok(self.facts()?.filter(named).map(drop)) };
        let _ = self.subject.wait_until("the restarted daemon's pidfile", self.patience.deadline(), look);
    }

    /// Whether nothing is missing but what this daemon never does, and rest: it is to be crashed anyway.
    pub(super) fn is_settled_but_for_rest(&self, facts: &Facts) -> bool {
        Unsettled { rest: false, ..self.unsettled(facts) }.is_known(self.patience.unsettled.get())
    }

    fn unsettled(&self, facts: &Facts) -> Unsettled {
        let daemon = facts.member(facts.daemon);
        let cwd = daemon.and_then(|member| member.process.cwd.known());
        Unsettled {
            pidfile: self.driving.has_pidfile() && !facts.pidfile_names_member(),
            lock: self.driving.has_pidfile() && facts.locks.is_empty(),
            descriptors: self.mode.detached && !self.starters_descriptors(facts).is_empty(),
            directory: self.mode.detached && cwd == Some(&self.directory),
            monitor: self.mode.monitored && facts.monitor.is_none(),
            title: self.mode.monitored
                && self.driving.declared.monitor_title.is_some()
                && !facts.monitor_title().contains(&facts.daemon.to_string()),
            reaping: self.mode.monitored && !facts.zombies.is_empty(),
            rest: daemon.is_some_and(|member| is_busy(&member.process)),
        }
    }

    /// The descriptors that lead to what the starter gave: process, number, and to what.
    pub(super) fn starters_descriptors(&self, facts: &Facts) -> Vec<(Pid, i32, String)> {
        let starters = |inode: Option<Inode>| {
            inode.is_some_and(|inode| inode == self.marker || self.output.contains(&inode))
        };
        let of_member = |member: &super::facts::Member| {
            let pid = member.process.pid;
            let held = member.descriptors.iter().filter(|descriptor| starters(descriptor.inode));
            held.map(|descriptor| (pid, descriptor.fd, descriptor.shown.clone())).collect::<Vec<_>>()
        };
        facts.members.iter().flat_map(of_member).collect()
    }

    /// Sends `signal` to `whom` and waits until all processes have ended, or have not in time.
    pub(super) fn stop(&self, facts: &Facts, whom: Pid, signal: Signal) -> Result<Down, No> {
        match self.subject.signal(whom, signal) {
            // It has ended already, because its successor saw to that for instance.
            Ok(()) | Err(FixtureError::NotOurs { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let bitten = self.patience.never_ends.get();
        let ended = match self.subject.wait_gone(facts.daemon, self.patience.short_if(bitten)) {
            Err(error) if error.is_timeout() => false,
            other => other.map(|()| true)?,
        };
        self.patience.never_ends.set(!ended || bitten);
        let empty = ended && self.is_empty_soon();
        let left = self.facts()?;
        Ok(Down {
            ended,
            left: left.map_or_else(Vec::new, |facts| facts.names()),
            empty,
            status: if ended { self.status_of(facts.daemon) } else { None },
            pidfile: Pidfile::at(self.sandbox.pidfile()),
            litter: self.sandbox.litter()?.into_iter().map(|name| name.display().to_string()).collect(),
        })
    }

    /// How one that has ended did so; none if only its parent was told. That it has ended shows a moment before its reaper says
    /// how, which that does before it lets go of the number.
    fn status_of(&self, dead: Pid) -> Option<ExitStatus> {
        let look = || -> Result<Option<Option<ExitStatus>>, No> {
            let is_reaped = Process::of(dead)?.is_gone();
            let status = self.subject.exit_of(dead);
            Ok((is_reaped || status.is_some()).then_some(status))
        };
        let deadline = Deadline::at_rest(self.patience.settle());
        self.subject.wait_until("the way in which it ended", deadline, look).unwrap_or_default()
    }

    /// Waits for the command to end by itself.
    pub(super) fn end_of_command(&self) -> Result<Option<ExitStatus>, No> {
        match self.subject.wait_exit(self.patience.deadline()) {
            Ok(status) => Ok(Some(status)),
            Err(error) if error.is_timeout() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether a process of the tree dies of the signal. It is sent again after a while, or when all are asleep if they have a
    /// clock of their own: the runtimes of some languages, Rust among them, swallow the first SIGSEGV that comes from
    /// another process.
    pub(super) fn dies_of(&self, pid: Pid, signal: Signal) -> Result<bool, No> {
        self.subject.signal(pid, signal)?;
        if self.is_gone_by(pid, Deadline::at_rest(ONCE_BITTEN))? {
            return Ok(true);
        }
        match self.subject.signal(pid, signal) {
            Ok(()) | Err(FixtureError::NotOurs { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        self.is_gone_by(pid, self.patience.deadline())
    }

    fn is_gone_by(&self, pid: Pid, deadline: Deadline) -> Result<bool, No> {
        match self.subject.wait_gone(pid, deadline) {
            Ok(()) => Ok(true),
            Err(error) if error.is_timeout() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether nothing runs any more, shortly.
    pub(super) fn is_empty_soon(&self) -> bool {
        let emptied = self.soon("its processes to end", |late| {
            let mut left = Vec::new();
            for pid in self.subject.live_pids()? {
                left.extend(Process::of(pid)?.present());
            }
            Ok((left.is_empty() || late.has_passed(self, left.iter())).then_some(left.is_empty()))
        });
        emptied.unwrap_or(false)
    }

    /// Looks until there is something to return, or for as long as a daemon may take for what it does at once.
    fn soon<T>(&self, what: &str, mut look: impl FnMut(&mut Late) -> Result<Option<T>, No>) -> Result<T, No> {
        let deadline = self.patience.deadline().within(self.patience.settle());
        let mut late = Late::new(self);
        let outcome = self.subject.wait_until(what, deadline, || look(&mut late));
        let waited = self.passed() - late.began;
        // Short-lived processes take with them what they have used.
        match self.subject.clock() {
            None if outcome.is_err() && waited >= self.patience.timeout => self.patience.restless.set(true),
            Some(_) if late.is_restless || outcome.is_err() && waited < self.patience.settle() => {
                self.is_restless.set(true);
                self.patience.has_spun.set(true);
            }
            _ => {}
        }
        outcome
    }

    /// What it has said, for a message: the end of its output, or nothing.
    pub(super) fn words(&self) -> String {
        let output = self.output();
        match output.trim() {
            "" => String::new(),
            text => format!("; it said: {}", tail(text)),
        }
    }

    /// What it has written to stderr and stdout; of very much, the end.
    pub(super) fn output(&self) -> String {
        let [stdout, stderr] = self.subject.stdio_paths();
        let bytes = [stderr, stdout].into_iter().flat_map(|path| end_of_file(&path).unwrap_or_default());
        String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned()
    }
}

/// How a daemon ended.
#[derive(Debug, Clone)]
pub(super) struct Down {
    /// The daemon itself did.
    pub(super) ended: bool,
    /// All of its processes did.
    pub(super) empty: bool,
    /// What did not.
    pub(super) left: Vec<String>,
    /// How the daemon ended, where that is known.
    pub(super) status: Option<ExitStatus>,
    pub(super) pidfile: Pidfile,
    /// What is left in the rundir.
    pub(super) litter: Vec<String>,
}

impl Down {
    /// Fails unless the daemon ended: nothing else can be judged then.
    pub(super) fn ended(&self) -> Result<&Self, No> {
        match self.ended {
            true => Ok(self),
            false => cannot_tell("the daemon does not end on SIGTERM"),
        }
    }

    /// A pidfile that is gone or empty misleads nobody.
    pub(super) fn pidfile_is_gone(&self) -> Result<(), No> {
        match &self.pidfile.content {
            PidfileContent::Missing | PidfileContent::Empty => Ok(()),
            PidfileContent::Pid { pid, .. } => {
                broken(format!("the pidfile is still there and names pid {pid}, which has ended"))
            }
            other => broken(format!("the pidfile is still there: {other:?}")),
        }
    }
}

/// `exit status 3` or `killed by SIGSEGV`.
pub(super) fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal().map(Signal::try_from)) {
        (Some(code), _) => format!("exit status {code}"),
        (_, Some(Ok(signal))) => format!("killed by {signal}"),
        _ => status.to_string(),
    }
}

/// The last [`OUTPUT_BYTES`] of a file: some daemons write as fast as the disk takes it.
fn end_of_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let start = file.metadata()?.len().saturating_sub(OUTPUT_BYTES);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(OUTPUT_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The last lines of a text, in one.
fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let tail = lines[lines.len().saturating_sub(3)..].join(" | ");
    match tail.char_indices().nth(400) {
        Some((end, _)) => format!("{}…", &tail[..end]),
        None => tail,
    }
}

/// A pipe: which one it is, and its writing end.
fn marker() -> Result<(Inode, OwnedFd), FixtureError> {
    let failed = |errno| FixtureError::Wait { what: "a pipe to be made".to_owned(), errno };
    let (_reader, writer) = pipe2(OFlag::O_CLOEXEC).map_err(failed)?;
    let writer = File::from(writer);
    let identity = writer
        .metadata()
        .map_err(|error| failed(Errno::from_raw(error.raw_os_error().unwrap_or_default())))?;
    Ok((Inode::of(&identity), writer.into()))
}
