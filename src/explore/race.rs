//! Several starts of one program, in every order of their operations: how a test asks for it.

use std::ffi::OsString;
use std::fmt;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use super::drawing;
use super::driver;
use super::error::ExploreError;
use super::judge::FinalState;
use super::request::{Progress, RaceOutcome, RaceRequest, ReplayOutcome, Report, StrategyKind, Violation};
use super::schedule::{ScenarioKind, Schedule, Setup};
use super::sweep::{Blow, Sweep};
use crate::fixture::{CommandLine, Sandbox};
use crate::report::{Look, race_text};

/// Several starts of one program at once, to be run in every order of their operations.
///
/// The program is not changed: its processes run under ptrace(2), one at a time, each up to its next system call that
/// another could notice.
///
/// ```
/// use daemonproof::prelude::*;
///
/// let sandbox = Sandbox::new()?;
/// // Yours is sandbox.race(env!("CARGO_BIN_EXE_mydaemon")).
/// let race = sandbox.race_helper("published-protocol").pidfile("--pidfile={pidfile}");
/// let found = race.scenario(Scenario::Handover).contenders(3).stop_on_first(true).explore();
/// assert_eq!(found.verdict(), RaceVerdict::Violated);
/// # Ok::<(), FixtureError>(())
/// ```
#[must_use = "a race does nothing until it is explored"]
pub struct Race {
    sandbox: Sandbox,
    request: RaceRequest,
    /// The first argument that cannot be saved in a schedule.
    odd: Option<OsString>,
    invariants: Vec<(String, Box<Invariant>)>,
}

/// A claim of one's own about how an execution ended: why it does not hold.
pub type Invariant = dyn Fn(&FinalState) -> Result<(), String> + Sync;

/// What an exploration says in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RaceVerdict {
    /// Everything that can make a difference was run, and every invariant holds.
    Holds,
    /// An invariant is broken.
    Violated,
    /// No invariant was seen broken, but not everything was run.
    Inconclusive,
}

/// What was explored, and what was found.
#[derive(Debug)]
pub struct Exploration {
    /// What was asked for.
    pub request: RaceRequest,
    /// What came of it.
    pub outcome: RaceOutcome,
}

impl fmt::Debug for Race {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Race").field("request", &self.request).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Several starts of a program, a path or a name to be looked up in `PATH`, to be explored.
    pub fn race(&self, program: impl Into<OsString>) -> Race {
        Race::new(self.clone(), CommandLine::new(program))
    }

    /// Several starts of one of the [helpers](crate::helper), to be explored.
    ///
    /// # Panics
    ///
    /// If there is no such helper, or this process's executable was deleted.
    #[track_caller]
    #[expect(clippy::panic, reason = "as for the other helpers, a test has nothing to go on with")]
    pub fn race_helper(&self, name: &str) -> Race {
        match CommandLine::helper(name) {
            Ok(command) => Race::new(self.clone(), command),
            Err(error) => panic!("{error}"),
        }
    }

    /// Runs a saved schedule once more, exactly.
    ///
    /// # Errors
    ///
    /// The program cannot be traced or executed. That it takes another course is no error, but in the outcome.
    pub fn replay(&self, schedule: &Schedule) -> Result<ReplayOutcome, ExploreError> {
        driver::replay(schedule, self)
    }
}

macro_rules! setting {
    ($(#[$doc:meta])* $name:ident: $type:ty => $($field:ident).+) => {
        $(#[$doc])*
        pub fn $name(mut self, $name: $type) -> Self {
            self.$($field).+ = $name.into();
            self
        }
    };
}

impl Race {
    pub(crate) fn new(sandbox: Sandbox, command: CommandLine) -> Self {
        let setup = Setup {
            command: Vec::new(),
            arg0: None,
            pidfile: sandbox.pidfile().path().file_name().unwrap_or_default().to_string_lossy().into_owned(),
            scenario: ScenarioKind::Start,
            contenders: 2,
            env: Vec::new(),
            detach: None,
            monitor: None,
            overwrite: None,
            timeout_ms: 2_000,
        };
        let request = RaceRequest {
            setup,
            strategy: StrategyKind::Exhaustive,
            seed: 1,
            max_executions: None,
            max_time: None,
            jobs: 1,
            shard: None,
            stop_on_first: false,
            only: Vec::new(),
            save: None,
        };
        let mut race = Race { sandbox, request, odd: None, invariants: Vec::new() };
        race.request.setup.arg0 = command.arg0.map(|arg0| race.text(arg0));
        let race = command.env.into_iter().fold(race, |race, (name, value)| race.env(name, value));
        race.arg(command.program).args(command.args)
    }

    /// Schedules are saved as JSON, which has no place for what is not text.
    fn text(&mut self, word: OsString) -> String {
        word.into_string().unwrap_or_else(|word| {
            let shown = word.to_string_lossy().into_owned();
            self.odd.get_or_insert(word);
            shown
        })
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        let arg = self.text(arg.into());
        self.request.setup.command.push(arg);
        self
    }

    /// Adds arguments.
    pub fn args<S: Into<OsString>>(self, args: impl IntoIterator<Item = S>) -> Self {
        args.into_iter().fold(self, Race::arg)
    }

    /// Sets a variable.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        let pair = (self.text(name.into()), self.text(value.into()));
        self.request.setup.env.push(pair);
        self
    }

    /// Adds the argument that tells each instance where its pidfile is to be, which should contain `{pidfile}`.
    pub fn pidfile(self, arg: impl Into<OsString>) -> Self {
        self.arg(arg)
    }

    /// The pidfile that is judged, if it is another than `{pidfile}`: a name in the rundir.
    pub fn pidfile_at(mut self, name: impl Into<OsString>) -> Self {
        self.request.setup.pidfile = self.text(name.into());
        self
    }

    /// Adds the argument with which each instance detaches.
    pub fn detach(mut self, arg: impl Into<OsString>) -> Self {
        self.request.setup.detach = Some(self.text(arg.into()));
        self
    }

    /// Adds the argument with which each instance has a monitor.
    pub fn monitor(mut self, arg: impl Into<OsString>) -> Self {
        self.request.setup.monitor = Some(self.text(arg.into()));
        self
    }

    /// Adds, to the last instance only, the argument with which it starts although another one runs.
    pub fn overwrite(mut self, arg: impl Into<OsString>) -> Self {
        self.request.setup.overwrite = Some(self.text(arg.into()));
        self
    }

    setting! {
        /// What contends; [`Start`](ScenarioKind::Start) by default.
        scenario: ScenarioKind => request.setup.scenario
    }
    setting! {
        /// How many instances, all counted; 2 by default, at most 8.
        contenders: usize => request.setup.contenders
    }
    setting! {
        /// How the interleavings are chosen; exhaustively by default.
        strategy: StrategyKind => request.strategy
    }
    setting! {
        /// Where chance begins, for the strategies that have any.
        seed: u64 => request.seed
    }
    setting! {
        /// Runs no more executions than that. The verdict is not [`RaceVerdict::Holds`] if more were needed.
        max_executions: u64 => request.max_executions
    }
    setting! {
        /// Begins no execution later than that. The verdict is not [`RaceVerdict::Holds`] if more were needed.
        max_time: Duration => request.max_time
    }
    setting! {
        /// How many executions are run at the same time, each on a core and in a sandbox of its own; 1 by default.
        jobs: usize => request.jobs
    }
    setting! {
        /// Stops at the first broken invariant.
        stop_on_first: bool => request.stop_on_first
    }
    /// Judges by this invariant only, for instance `at-most-one-running`, or by several if it is called again.
    pub fn only(mut self, invariant: impl Into<String>) -> Self {
        self.request.only.push(invariant.into());
        self
    }

    setting! {
        /// Saves the schedule of each violation in a directory.
        save_in: PathBuf => request.save
    }

    /// Adds an invariant of one's own: a claim about each state in which nothing moves any more.
    ///
    /// ```
    /// use daemonproof::prelude::*;
    ///
    /// let sandbox = Sandbox::new()?;
    /// let race = sandbox.race_helper("reference").pidfile("--pidfile={pidfile}").contenders(1);
    /// let race = race.invariant("has-a-guard", |end| {
    ///     let guard = end.files.iter().any(|name| name.ends_with(".lock"));
    ///     guard.then_some(()).ok_or("there is no guard file".into())
    /// });
    /// race.explore().assert_holds();
    /// # Ok::<(), FixtureError>(())
    /// ```
    pub fn invariant(
        mut self,
        name: impl Into<String>,
        holds: impl Fn(&FinalState) -> Result<(), String> + Sync + 'static,
    ) -> Self {
        self.invariants.push((name.into(), Box::new(holds)));
        self
    }

    /// One start of the program instead of several, to be disturbed at each of its operations. Of what is said of the search,
    /// [`max_time`](Race::max_time) bounds that too; the rest, how many contend, and invariants have no meaning then. If it is to
    /// [`overwrite`](Race::overwrite) the pidfile, another instance is up before.
    pub fn sweep(self, blow: Blow) -> Sweep {
        Sweep::new(self.sandbox, self.request, self.odd, blow)
    }

    /// Explores.
    ///
    /// # Panics
    ///
    /// Where [`try_explore`](Race::try_explore) fails.
    #[track_caller]
    #[expect(clippy::panic, reason = "as for the other assertions")]
    pub fn explore(self) -> Exploration {
        self.try_explore().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Explores.
    ///
    /// # Errors
    ///
    /// The program cannot be traced, executed or followed, or does not come up when it is alone. A limit that is reached
    /// on the way is no error, but in the [`Exploration`].
    pub fn try_explore(self) -> Result<Exploration, ExploreError> {
        if let Some(text) = self.odd {
            return Err(ExploreError::NotUtf8 { text });
        }
        let report = &mut |_: Progress| ControlFlow::Continue(());
        let outcome = driver::explore(&self.request, &self.sandbox, &self.invariants, report)?;
        Ok(Exploration { request: self.request, outcome })
    }
}

/// Searches as `request` says, in sandboxes of its own. `report` is told how far it is, and may break it off.
///
/// # Errors
///
/// As [`Race::try_explore`].
pub fn explore(request: &RaceRequest, report: &mut Report<'_>) -> Result<RaceOutcome, ExploreError> {
    driver::explore(request, &Sandbox::new()?, &[], report)
}

impl RaceOutcome {
    /// What it comes to.
    pub fn verdict(&self) -> RaceVerdict {
        match (self.violations.is_empty(), self.exhausted) {
            (false, _) => RaceVerdict::Violated,
            (true, true) => RaceVerdict::Holds,
            (true, false) => RaceVerdict::Inconclusive,
        }
    }
}

impl Exploration {
    /// What it comes to.
    pub fn verdict(&self) -> RaceVerdict {
        self.outcome.verdict()
    }

    /// The invariants that are broken, each with an execution that breaks it.
    pub fn violations(&self) -> &[Violation] {
        &self.outcome.violations
    }

    /// The violation of an invariant, if it is broken.
    pub fn violation(&self, invariant: &str) -> Option<&Violation> {
        let is_meant = |violation: &&Violation| {
            violation.schedule.broken.as_ref().is_some_and(|broken| broken.invariant == invariant)
        };
        self.outcome.violations.iter().find(is_meant)
    }

    /// Claims that every invariant holds in every interleaving.
    ///
    /// # Panics
    ///
    /// If one is broken, with the schedule, or if not everything was run, with the reason. The schedule is then saved, if
    /// it was not already, in a directory `daemonproof-violations` beside the sandboxes, and the line that replays it is printed.
    #[track_caller]
    #[expect(clippy::panic, reason = "it is an assertion")]
    pub fn assert_holds(&self) -> &Self {
        match self.verdict() {
            RaceVerdict::Holds => self,
            RaceVerdict::Violated => panic!("{}", self.saved()),
            RaceVerdict::Inconclusive => {
                let why = self.outcome.stopped.as_deref().unwrap_or("the strategy does not cover everything");
                panic!("no invariant was seen broken in {} executions, but {why}", self.outcome.executions)
            }
        }
    }

    /// With every schedule saved, so that it can be replayed.
    fn saved(&self) -> Exploration {
        let mut outcome = self.outcome.clone();
        let directory = std::env::temp_dir().join("daemonproof-violations");
        for violation in outcome.violations.iter_mut().filter(|violation| violation.file.is_none()) {
            violation.file = violation.schedule.save_in(&directory).ok();
        }
        Exploration { request: self.request.clone(), outcome }
    }
}

impl fmt::Display for Exploration {
    /// The swim lanes of each violation, and what was searched.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let race = drawing::race(&self.request, &self.outcome);
        let look = Look { width: WIDTH, utf8: true };
        f.write_str(&anstream::adapter::strip_str(&race_text(&race, false, look)).to_string())
    }
}

/// As wide as the output of a test is read.
const WIDTH: usize = 120;
