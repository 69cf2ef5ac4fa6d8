//! One start of a program, disturbed at each of its operations in turn.
//!
//! The program runs alone, under the same tracing as in a race, and so makes the same operations each time. What an operation
//! is, is said in docs/explorer.md.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::os::fd::RawFd;
use std::os::unix::fs::FileTypeExt;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::error::ExploreError;
use super::explain::ended;
use super::footprint::Footprint;
use super::judge::{Outcome, PidfileNow};
use super::kernel::Signals;
use super::lab::{Before, Lab, Scene};
use super::operation::{Kind, Operation};
use super::request::{RaceRequest, time_is_up};
use super::scene::{prepare, program, with_sockets_if_needed};
use super::schedule::{ScenarioKind, Setup};
use super::system::{System, TaskId};
use super::words;
use crate::fixture::Sandbox;
use crate::trace::End;

/// What happens to the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// All of its processes are killed (SIGKILL) before the operation. Then it is started once more: that must come up, and
    /// own the pidfile.
    Kill,
    /// All of its processes are sent SIGTERM when one of them is about to make the operation, which it may still make: they
    /// must end, and leave nothing that a stop of the finished daemon does not leave.
    Terminate,
    /// The operation fails, once with each error that it can give there. The daemon must come up all the same and be right,
    /// or the command fail, say something, and leave no process and no file.
    Fail,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct SweepRequest {
    /// How the program is started; how many contend does not matter. The scenario is `start` or `stale`. If it overwrites,
    /// another instance is up before.
    pub setup: Setup,
    /// What happens to it.
    pub blow: Blow,
    /// At this operation only, counted from 1.
    pub at: Option<usize>,
    /// With this error only.
    pub errno: Option<Errno>,
    /// No operation is begun with after so long.
    pub max_time: Option<Duration>,
}

/// One disturbed start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Which operation, counted from 1; one more than there are stands for the moment when the daemon is up. Calls that can fail
    /// and are no operations, those that make a process for instance, are counted with the next one.
    pub at: usize,
    /// The operation, or that call, as strace(1) would write it.
    pub operation: String,
    /// The error that it gave.
    pub errno: Option<Errno>,
    /// What the start said, where it failed of the error; numbers of processes are replaced by their names.
    pub said: Option<String>,
    /// What is wrong afterwards; none if nothing is.
    pub broken: Option<Harm>,
}

/// What is wrong after a disturbed start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Harm {
    /// How bad it is.
    pub kind: HarmKind,
    /// What was found: `it still runs`.
    pub sentence: String,
}

/// How bad it is, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HarmKind {
    /// The next start does not come up, or does not own the pidfile.
    Lasting,
    /// It says that it has failed and runs, says that it runs and does not, does not own its pidfile, hangs or crashes.
    Wrong,
    /// It has failed without a word.
    Silent,
    /// It has failed, or ended, and left files that do not harm the next start.
    Litter,
}

/// What came of all of them.
#[derive(Clone, Debug)]
pub struct SweepOutcome {
    /// In order.
    pub cases: Vec<Case>,
    /// How many operations the start has.
    pub operations: usize,
    /// Why it was not swept to the end.
    pub stopped: Option<String>,
    /// How long it took.
    pub elapsed: Duration,
}

/// One start of a program that is to be disturbed, as a test asks for it: [`Race::sweep`](super::Race::sweep).
///
/// ```
/// use daemonproof::prelude::*;
///
/// let sandbox = Sandbox::new()?;
/// // Yours is sandbox.race(env!("CARGO_BIN_EXE_mydaemon")).
/// let start = || sandbox.race_helper("reference").pidfile("--pidfile={pidfile}");
/// start().sweep(Blow::Kill).run().assert_survives();
///
/// let wrong = sandbox.race_helper("defective").arg("--defect=stale-refused").pidfile("--pidfile={pidfile}");
/// assert!(wrong.sweep(Blow::Kill).run().broken().count() > 0);
/// # Ok::<(), FixtureError>(())
/// ```
#[derive(Debug)]
#[must_use = "a sweep does nothing until it is run"]
pub struct Sweep {
    sandbox: Sandbox,
    request: SweepRequest,
    /// The first argument that cannot be shown.
    odd: Option<OsString>,
}

impl Sweep {
    pub(super) fn new(sandbox: Sandbox, race: RaceRequest, odd: Option<OsString>, blow: Blow) -> Self {
        let RaceRequest { setup, max_time, .. } = race;
        Sweep { sandbox, request: SweepRequest { setup, blow, at: None, errno: None, max_time }, odd }
    }

    /// At this operation only, counted from 1.
    pub fn at(mut self, operation: usize) -> Self {
        self.request.at = Some(operation);
        self
    }

    /// With this error only, where [`Blow::Fail`] makes operations fail.
    pub fn errno(mut self, errno: Errno) -> Self {
        self.request.errno = Some(errno);
        self
    }

    /// Runs it.
    ///
    /// # Panics
    ///
    /// Where [`try_run`](Sweep::try_run) fails.
    #[track_caller]
    #[expect(clippy::panic, reason = "as for the other assertions")]
    pub fn run(self) -> SweepOutcome {
        self.try_run().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs it.
    ///
    /// # Errors
    ///
    /// The program cannot be traced or executed, or does not come up when nobody disturbs it.
    pub fn try_run(self) -> Result<SweepOutcome, ExploreError> {
        match self.odd {
            Some(text) => Err(ExploreError::NotUtf8 { text }),
            None => sweep(&self.request, &self.sandbox, &mut |_, _| true),
        }
    }
}

impl SweepOutcome {
    /// The cases in which something is wrong.
    pub fn broken(&self) -> impl Iterator<Item = &Case> {
        self.cases.iter().filter(|case| case.broken.is_some())
    }

    /// Claims that nothing is wrong in any case.
    ///
    /// # Panics
    ///
    /// If something is; with all such cases, a line each. Or if it was not swept to the end.
    #[track_caller]
    #[expect(clippy::panic, reason = "it is an assertion")]
    pub fn assert_survives(&self) -> &Self {
        let broken: Vec<String> = self.broken().map(Case::to_string).collect();
        match (broken.len(), &self.stopped) {
            (0, None) => self,
            (0, Some(why)) => {
                panic!("nothing went wrong in {} disturbed starts, but {why}", self.cases.len())
            }
            (count, _) => {
                panic!("{count} of {} disturbed starts went wrong:\n{}", self.cases.len(), broken.join("\n"))
            }
        }
    }
}

/// Is told how many operations of how many are done, and says whether to go on.
pub type SweepReport<'a> = dyn FnMut(usize, usize) -> bool + 'a;

/// An operation of the undisturbed start, or another call that can fail, and what it can fail with there.
struct Moment {
    at: usize,
    /// The how manyth of its kind, from 0, if it is no operation.
    aside: Option<usize>,
    /// Who was about to make it, and which; none if it is no operation.
    stand: Option<String>,
    operation: String,
    errors: Vec<Errno>,
}

/// Disturbs the start as `request` says.
///
/// # Errors
///
/// The program cannot be traced or executed, or does not come up when nobody disturbs it.
pub fn sweep(
    request: &SweepRequest,
    sandbox: &Sandbox,
    report: &mut SweepReport<'_>,
) -> Result<SweepOutcome, ExploreError> {
    with_sockets_if_needed(|sockets| swept(request, sandbox, report, sockets))
}

fn swept(
    request: &SweepRequest,
    sandbox: &Sandbox,
    report: &mut SweepReport<'_>,
    sockets: bool,
) -> Result<SweepOutcome, ExploreError> {
    let began = Instant::now();
    // The owner, if that is to be overwritten; the one that is disturbed; and the one that is started afterwards.
    let overwrites = request.setup.overwrite.is_some();
    let victim = usize::from(overwrites);
    let setup = Setup { contenders: victim + 2, ..request.setup.clone() };
    if matches!(setup.scenario, ScenarioKind::Handover | ScenarioKind::Crash) {
        return Err(ExploreError::NeverUp { reason: format!("a sweep has no scenario {}", setup.scenario) });
    }
    let told = (request.blow == Blow::Terminate).then_some((victim, Signal::SIGTERM));
    let mut scene = Scene { told, alike: false, ..prepare(&setup, sandbox, sockets)? };
    if overwrites {
        scene.programs[victim] = program(&setup, sandbox, victim, true)?;
    }
    let mut lab = Lab::new(scene)?;
    let mut moments = lab.moments()?;
    let course: Vec<String> = moments.iter().filter_map(|moment| moment.stand.clone()).collect();
    let operations = course.len();
    if request.blow == Blow::Terminate
        && lab
            .struck(&course, operations + 1, Blow::Terminate)?
            .is_some_and(|harm| harm.kind == HarmKind::Wrong)
    {
        return Err(ExploreError::NeverDown);
    }
    if request.blow != Blow::Fail {
        // Whoever is killed before a call that nobody notices might as well be killed after the operation before.
        moments.retain(|moment| moment.aside.is_none());
        let operation = "the daemon is up".into();
        moments.push(Moment { at: operations + 1, aside: None, stand: None, operation, errors: Vec::new() });
    }
    let mut outcome = SweepOutcome { cases: Vec::new(), operations, stopped: None, elapsed: Duration::ZERO };
    for (index, moment) in moments.iter().enumerate() {
        if request.at.is_some_and(|at| at != moment.at) {
            continue;
        }
        outcome.stopped = match report(index, moments.len()) {
            true => time_is_up(began, request.max_time),
            false => Some("interrupted".into()),
        };
        if outcome.stopped.is_some() {
            break;
        }
        match lab.cases(request, &course, moment) {
            Ok(cases) => outcome.cases.extend(cases),
            // What was found until here is as true as before.
            Err(error) if error.is_limit() => {
                outcome.stopped = Some(error.to_string());
                break;
            }
            Err(error) => return Err(error),
        }
    }
    outcome.elapsed = began.elapsed();
    Ok(outcome)
}

impl Lab {
    /// Who is disturbed: the first, or whoever overwrites the first.
    fn victim(&self) -> usize {
        usize::from(self.scene.overwrites)
    }

    /// Whether nothing of it lives.
    fn is_gone(&self) -> bool {
        self.family.alive(self.victim()).is_empty()
    }

    /// Begins the start that is disturbed, when all is quiet before it. One call that is no operation may fail.
    fn begin_alone(&mut self, fault: Option<(usize, Errno)>) -> Result<(), ExploreError> {
        self.clean()?;
        self.told = true;
        if self.victim() > 0 {
            self.join(0)?;
            self.run_out()?;
        }
        let names = self.names_left();
        self.before = Before { operations: self.made.len(), asides: self.asides.all.len(), names };
        self.asides.fault = fault.map(|(aside, errno)| (self.before.asides + aside, errno));
        self.join(self.victim())
    }

    /// The operations of the start, alone and undisturbed, and between them the calls that make a process.
    fn moments(&mut self) -> Result<Vec<Moment>, ExploreError> {
        self.begin_alone(None)?;
        let mut moments = Vec::new();
        let mut passed = 0;
        loop {
            let asides = self.asides.all.iter().skip(self.before.asides);
            for (aside, (after, call)) in asides.enumerate().skip(passed) {
                let (at, errors) = (after - self.before.operations + 1, errors_aside(call).to_vec());
                moments.push(Moment { at, aside: Some(aside), stand: None, operation: call.clone(), errors });
            }
            passed = self.asides.all.len() - self.before.asides;
            let Some(task) = self.next()? else { break };
            let process = self.family.process_of(task).map_or(0, |process| process.pid.as_raw());
            let errors = self.standing_before(task).map_or_else(Vec::new, |next| errors(next, process));
            let stand = Some(self.stand(task));
            self.step(task)?;
            let operation = self.made.last().map(|made| made.call.clone()).unwrap_or_default();
            let at = self.made.len() - self.before.operations;
            moments.push(Moment { at, aside: None, stand, operation, errors });
        }
        let victim = self.victim();
        let outcomes = self.outcomes();
        match outcomes[victim].running {
            true => Ok(moments),
            false => Err(ExploreError::NeverUp { reason: told(&outcomes[victim]) }),
        }
    }

    /// All that can happen at one moment.
    fn cases(
        &mut self,
        request: &SweepRequest,
        course: &[String],
        moment: &Moment,
    ) -> Result<Vec<Case>, ExploreError> {
        let at = moment.at;
        let case =
            |errno, said, broken| Case { at, operation: moment.operation.clone(), errno, said, broken };
        if request.blow != Blow::Fail {
            let broken = self.judged(|lab| lab.struck(course, at, request.blow))?;
            return Ok(vec![case(None, None, broken)]);
        }
        let wanted = |errno: &&Errno| request.errno.is_none_or(|wanted| wanted == **errno);
        let mut cases = Vec::new();
        for &errno in moment.errors.iter().filter(wanted) {
            let broken = self.judged(|lab| lab.failed(course, moment, errno))?;
            let said = self.is_gone().then(|| self.said(self.victim())).filter(|said| !said.is_empty());
            cases.push(case(Some(errno), said, broken));
        }
        Ok(cases)
    }

    /// What `run` finds; that the program does not come to rest is a finding, too.
    fn judged(
        &mut self,
        run: impl FnOnce(&mut Self) -> Result<Option<Harm>, ExploreError>,
    ) -> Result<Option<Harm>, ExploreError> {
        use ExploreError::{Stuck, TooManyOperations, TooManyProcesses};
        match run(self) {
            // Not so that it cannot be followed: then nothing is known about it.
            Err(error @ (Stuck { .. } | TooManyOperations { .. } | TooManyProcesses { .. })) => {
                Ok(Some(Harm::wrong(error.to_string())))
            }
            found => found,
        }
    }

    /// Begins the start and lets it make so many operations of those that it made when nobody disturbed it. Returns who
    /// would go on: with the next of them, or nobody after the last.
    fn start_alone(&mut self, course: &[String], operations: usize) -> Result<Option<TaskId>, ExploreError> {
        self.begin_alone(None)?;
        for made in 0..operations {
            let task = self.next_of(course, made)?;
            let Some(task) = task else { return Ok(None) };
            self.step(task)?;
        }
        self.next_of(course, operations)
    }

    /// Who makes this operation of the course, counted from 0.
    ///
    /// # Errors
    ///
    /// [`ExploreError::Unrepeated`]: who disturbs another operation than the one that is named has found nothing.
    fn next_of(&mut self, course: &[String], index: usize) -> Result<Option<TaskId>, ExploreError> {
        let next = self.next()?;
        let found = next.map(|task| self.stand(task));
        let expected = course.get(index);
        if found.as_ref() == expected {
            return Ok(next);
        }
        let told = |stand: Option<&String>| stand.map_or_else(|| "nothing".to_owned(), String::clone);
        let (expected, found) = (told(expected), told(found.as_ref()));
        Err(ExploreError::Unrepeated { operation: index + 1, expected, found })
    }

    /// Who is about to do what. Descriptors and lengths have as many digits as the numbers of processes, and names made up for
    /// a moment have any.
    fn stand(&self, task: TaskId) -> String {
        let call = |next: &Operation| words::without_numbers(&next.call);
        let does = self.standing_before(task).map_or_else(|| "exit()".to_owned(), call);
        format!("{does} by {}", self.family.name(task))
    }

    /// Who goes next where the order does not matter.
    fn next(&mut self) -> Result<Option<TaskId>, ExploreError> {
        Ok(self.choices()?.enabled.first().copied())
    }

    /// Lets everybody go on until nobody can.
    fn run_out(&mut self) -> Result<(), ExploreError> {
        while let Some(task) = self.next()? {
            self.step(task)?;
        }
        Ok(())
    }

    /// What is wrong after a blow before this operation.
    fn struck(&mut self, course: &[String], at: usize, blow: Blow) -> Result<Option<Harm>, ExploreError> {
        self.start_alone(course, at - 1)?;
        let signal = if blow == Blow::Kill { Signal::SIGKILL } else { Signal::SIGTERM };
        let alive: Vec<_> = self.family.alive(self.victim()).iter().map(|process| process.pid).collect();
        for pid in alive {
            self.signalled(pid.as_raw(), signal as i32, &mut Footprint::new());
            if signal != Signal::SIGKILL {
                kill(pid, signal).map_err(ExploreError::process(pid))?;
            }
        }
        self.forget_waiting();
        self.run_out()?;
        match blow {
            Blow::Terminate if !self.is_gone() => Ok(Some(Harm::wrong("it still runs"))),
            Blow::Terminate => self.left(),
            _ => Ok(self.after_the_next_start()?.map(|sentence| Harm { kind: HarmKind::Lasting, sentence })),
        }
    }

    /// What is wrong after a failure at this moment.
    fn failed(
        &mut self,
        course: &[String],
        moment: &Moment,
        errno: Errno,
    ) -> Result<Option<Harm>, ExploreError> {
        if let Some(aside) = moment.aside {
            self.begin_alone(Some((aside, errno)))?;
        } else if let Some(task) = self.start_alone(course, moment.at - 1)? {
            self.fault = Some(errno);
            self.step(task)?;
        }
        self.run_out()?;
        if moment.aside.is_some_and(|aside| self.asides.all.len() <= self.before.asides + aside) {
            let (expected, found) = (moment.operation.clone(), "nothing".to_owned());
            return Err(ExploreError::Unrepeated { operation: moment.at, expected, found });
        }
        let harm = self.neither_up_nor_failed();
        let left = if self.is_gone() { self.left()? } else { None };
        Ok(harm.into_iter().chain(left).min_by_key(|harm| harm.kind))
    }

    /// Starts the program once more; what is wrong then.
    fn after_the_next_start(&mut self) -> Result<Option<String>, ExploreError> {
        let next = self.victim() + 1;
        self.join(next)?;
        self.run_out()?;
        let outcomes = self.outcomes();
        let next = &outcomes[next];
        if next.running {
            let broken = self.running_broken(&outcomes).into_iter().next();
            let is = format!("{} is", next.name);
            return Ok(broken.map(|broken| broken.sentence.replacen(&is, "the next start is", 1)));
        }
        Ok(Some(format!("the next start does not come up: {}", told(next))))
    }

    fn neither_up_nor_failed(&self) -> Option<Harm> {
        let victim = self.victim();
        let outcomes = &self.outcomes()[..=victim];
        let outcome = &outcomes[victim];
        if outcome.running {
            if let Some(end @ (End::Killed(_) | End::Exited(1..))) = outcome.end {
                return Some(Harm::wrong(format!("its command: {}, and the daemon runs", ended(end))));
            }
            let broken = self.running_broken(outcomes).into_iter().next();
            let is = format!("{} is", outcome.name);
            return broken.map(|broken| Harm::wrong(broken.sentence.replacen(&is, "it is", 1)));
        }
        match outcome.end {
            _ if outcome.alive => {
                Some(Harm::wrong("it hangs: it waits for a lock that it holds itself, or sleeps"))
            }
            Some(End::Exited(0)) => Some(Harm::wrong("its command exited 0, and nothing runs")),
            Some(end @ End::Killed(_)) => Some(Harm::wrong(format!("its command: {}", ended(end)))),
            Some(end) if outcome.says.is_empty() => {
                let sentence = format!("its command: {}, without a word", ended(end));
                Some(Harm { kind: HarmKind::Silent, sentence })
            }
            _ => None,
        }
    }

    /// What is wrong with what lies about that was not there before: it stops the next start, or a finished daemon which is
    /// told to stop does not leave it.
    fn left(&mut self) -> Result<Option<Harm>, ExploreError> {
        let mut left: BTreeSet<String> = self.names_left().difference(&self.before.names).cloned().collect();
        left.extend(self.pidfile_taken_and_left());
        if left.is_empty() {
            return Ok(None);
        }
        let sentence = |left: &[String]| format!("it has ended, and {} is left", left.join(" and "));
        let mut left = Vec::from_iter(left);
        if let Some(wrong) = self.after_the_next_start()? {
            let sentence = format!("{}; {wrong}", sentence(&left));
            return Ok(Some(Harm { kind: HarmKind::Lasting, sentence }));
        }
        left.retain(|name| !self.scene.watch.leaves.contains(name));
        Ok((!left.is_empty()).then(|| Harm { kind: HarmKind::Litter, sentence: sentence(&left) }))
    }

    /// The pidfile, if whoever overwrote another's is gone and left it behind.
    fn pidfile_taken_and_left(&self) -> Option<String> {
        let named = PidfileNow::of(&self.scene.pidfile, &self.files).pid()?;
        let is_victims = self.process(named).is_some_and(|process| process.contender == self.victim());
        (self.scene.overwrites && is_victims).then(|| self.pidfile_name())
    }
}

impl Harm {
    fn wrong(sentence: impl Into<String>) -> Self {
        Harm { kind: HarmKind::Wrong, sentence: sentence.into() }
    }
}

impl fmt::Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

fn told(outcome: &Outcome) -> String {
    let end = outcome.end.map_or_else(|| "it waits".to_owned(), ended);
    if outcome.says.is_empty() { end } else { format!("{end}: {}", outcome.says) }
}

/// The descriptor that it is about, or the first of them.
fn descriptor(kind: &Kind) -> Option<RawFd> {
    match kind {
        Kind::Read { fd, .. } | Kind::Write { fd, .. } | Kind::List { fd } | Kind::Stat { fd } => Some(*fd),
        Kind::Close { fds } => fds.first().copied(),
        _ => None,
    }
}

/// What the operation of a process can fail with where it stands.
fn errors(operation: &Operation, process: i32) -> Vec<Errno> {
    use Errno::{EACCES, EAGAIN, EINTR, EIO, EMFILE, ENFILE, ENOLCK, ENOMEM, ENOSPC, EROFS};
    // What leads to another process, a pipe or a socket, has no disk that could fail.
    let leads_to =
        descriptor(&operation.kind).and_then(|fd| std::fs::metadata(format!("/proc/{process}/fd/{fd}")).ok());
    let leads_to = leads_to.map(|file| file.file_type());
    let is_file = leads_to.is_some_and(|file| file.is_file() || file.is_dir());
    let is_socket = leads_to.is_some_and(|file| file.is_socket());
    let signals = Signals::of(Pid::from_raw(process));
    let errors: &[Errno] = match &operation.kind {
        Kind::Open { flags, .. } if flags & nix::libc::O_CREAT != 0 => {
            &[EACCES, EMFILE, ENFILE, ENOMEM, EIO, ENOSPC, EROFS]
        }
        Kind::Open { .. } => &[EACCES, EMFILE, ENFILE, ENOMEM, EIO],
        Kind::Rename { .. } | Kind::Link { .. } | Kind::Make { .. } | Kind::Name { .. } => {
            &[EACCES, ENOSPC, EROFS, EIO]
        }
        Kind::Remove { .. } => &[EACCES, EROFS, EIO],
        Kind::Look { .. } => &[EACCES, EIO, ENOMEM],
        Kind::Change { .. } | Kind::ChangeOpened { .. } => &[EIO, EROFS],
        Kind::Read { .. } if is_file => &[EIO, EINTR],
        Kind::Write { .. } if is_file => &[ENOSPC, EIO, EINTR],
        Kind::Read { .. } | Kind::Write { .. } if is_socket => &[ENOMEM, EINTR],
        Kind::Read { .. } | Kind::Write { .. } => &[EINTR],
        // Not that of a range, nor what dup2(2) closes.
        Kind::Close { .. } if is_file && operation.call.starts_with("close(") => &[EIO],
        Kind::List { .. } | Kind::Stat { .. } if is_file => &[EIO],
        Kind::Lock(lock) if lock.blocks => &[EINTR, ENOLCK],
        Kind::Lock(_) => &[EAGAIN, ENOLCK],
        Kind::MakePipe { .. } => &[EMFILE, ENFILE],
        Kind::Socket { .. } => errors_of_socket(&operation.call),
        Kind::Poll { .. } | Kind::Wait { blocks: true, .. } | Kind::AwaitSignal { blocks: true, .. } => {
            &[EINTR]
        }
        _ => &[],
    };
    let interrupts = match &operation.kind {
        // Being stopped and continued is enough, signal(7).
        Kind::AwaitSignal { .. } => true,
        Kind::Poll { .. } if operation.call.starts_with("epoll_") => true,
        // The mask that it brings with it may let through what is blocked otherwise.
        Kind::Poll { .. } if ["ppoll(", "pselect6("].iter().any(|name| operation.call.starts_with(name)) => {
            signals.has_handler()
        }
        // A call that is begun again after each interruption tells nobody.
        _ => signals.can_interrupt(),
    };
    errors.iter().copied().filter(|errno| *errno != EINTR || interrupts).collect()
}

/// What a call can fail with that is no operation.
fn errors_aside(call: &str) -> &'static [Errno] {
    use Errno::{EACCES, EAGAIN, EIO, EMFILE, ENFILE, ENOMEM, ENOSPC};
    match call.split('(').next().unwrap_or_default() {
        // Only now is it said that what was written before is lost; fsync(2).
        "fsync" | "fdatasync" => &[EIO, ENOSPC],
        "dup" => &[EMFILE],
        "open" | "openat" | "openat2" | "creat" => &[EACCES, EMFILE, ENFILE],
        // Whatever makes a process or a thread.
        _ => &[EAGAIN, ENOMEM],
    }
}

/// What the calls of unix(7) can fail with where it is not the program's own mistake.
fn errors_of_socket(call: &str) -> &'static [Errno] {
    use Errno::{EACCES, EINTR, EMFILE, ENFILE, ENOMEM, EROFS};
    match call.split('(').next().unwrap_or_default() {
        "bind" => &[EACCES, EROFS, ENOMEM],
        "connect" => &[EACCES, ENOMEM, EINTR],
        "accept" | "accept4" => &[EMFILE, ENFILE, ENOMEM, EINTR],
        "listen" | "shutdown" => &[],
        // Whatever sends and receives.
        _ => &[ENOMEM, EINTR],
    }
}

/// `12 openat(d.pid.tmp, O_RDWR|O_CREAT) ENOSPC: it has ended, and d.pid.tmp is left`
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.at, self.operation)?;
        if let Some(errno) = self.errno {
            write!(f, " {errno:?}")?;
        }
        match &self.broken {
            Some(harm) => write!(f, ": {harm}"),
            None => f.write_str(": right"),
        }
    }
}
