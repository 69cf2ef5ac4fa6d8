//! The runs that the checks look at, each made once, when the first check asks for it.

use super::catalogue::Check;
use super::driving::{Driving, Mode};
use super::exploring::Swept;
use super::facts::Facts;
use super::outcome::{self, Finding, No, Report, cannot_tell, does_not_apply};
use super::run::{Down, Outcome, Patience, Run, Start, describe};
use super::series::{Series, monitor_of, series};
use crate::fixture::{FixtureError, Sandbox};
use crate::observe::{Pidfile, PidfileContent};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use std::cell::{Cell, OnceCell};
use std::ffi::OsString;
use std::fs;
use std::process::ExitStatus;
use std::time::{Instant, SystemTime};

/// What [`judge`] reports while it works.
#[derive(Debug)]
pub enum Progress<'a> {
    /// This check is being judged.
    Started(&'static Check),
    /// This is what came out.
    Finished(&'a Finding),
}

/// Judges the daemon by each of `checks`, in this order.
///
/// Every process that it starts has ended, and every file is gone, when it returns.
///
/// # Errors
/// [`FixtureError::Placeholder`] if the command holds a placeholder that does not exist. Whatever goes wrong
/// later is the outcome of a check.
pub fn judge(
    driving: &Driving,
    checks: &[&'static Check],
    mut progress: impl FnMut(Progress<'_>),
) -> Result<Report, FixtureError> {
    driving.command.check()?;
    let asked = driving.real_time.then(|| "--real-time is given".to_owned());
    let mut lab = Lab::new(driving, checks, asked);
    let mut report = Report::default();
    for &check in checks {
        progress(Progress::Started(check));
        let begin = Instant::now();
        let mut judged = (check.judge)(&lab).into();
        while let Some(other) = lab.in_doubt(check, &judged) {
            lab = other;
            judged = (check.judge)(&lab).into();
        }
        report.findings.push(Finding { check, outcome: judged, elapsed: begin.elapsed() });
        if let Some(finding) = report.findings.last() {
            progress(Progress::Finished(finding));
        }
    }
    Ok(report)
}

pub(super) type Once<T> = OnceCell<Result<T, No>>;

/// Where the daemon is driven.
pub(super) struct Lab<'a> {
    pub(super) driving: &'a Driving,
    /// By what the daemon is judged: what nobody asks for is not tried.
    checks: &'a [&'static Check],
    pub(super) patience: Patience,
    usual: Once<Usual>,
    second: Once<Second>,
    /// In the usual mode, detached, the daemon runs, but not as one that was detached.
    pub(super) not_detached: OnceCell<String>,
    /// In the usual mode, detached, the command exited 0, and nothing ran.
    pub(super) vanished: Cell<bool>,
    foreground: Once<UpAndDown>,
    failing: Once<Failing>,
    failing_monitored: Once<Failing>,
    supervised: Once<UpAndDown>,
    monitor_stopped: Once<UpAndDown>,
    series: Once<Series>,
    overwritten: Once<Overwritten>,
    /// One for each blow.
    pub(super) swept: [Once<Swept>; 3],
    /// Why it is driven on the machine's clock, if it is.
    real_time: Option<String>,
    /// Whether it is so but where all is about time.
    is_doubtful: bool,
}

/// A start that succeeded.
#[derive(Debug)]
pub(super) struct Up {
    /// Whether the command that should have detached the daemon returned.
    pub(super) returned: bool,
    /// The pidfile at that moment.
    pub(super) pidfile_at_once: Pidfile,
    pub(super) facts: Facts,
    /// The session of whoever started the daemon.
    pub(super) starters_session: Pid,
    /// Descriptors that lead to what the starter gave: process, number, and to what.
    pub(super) starters_descriptors: Vec<(Pid, i32, String)>,
    /// Where it was started.
    pub(super) directory: std::path::PathBuf,
}

/// The daemon in the usual mode: started, stopped, started again.
#[derive(Debug)]
pub(super) struct Usual {
    pub(super) up: Up,
    pub(super) down: Result<Down, No>,
    pub(super) again: Result<(), No>,
}

/// A start while the daemon runs.
#[derive(Debug)]
pub(super) struct Second {
    /// `None` if it had not ended in time.
    pub(super) status: Option<ExitStatus>,
    /// Whether it runs.
    pub(super) runs: bool,
    pub(super) said: String,
    /// The files that it made or changed.
    pub(super) wrote: bool,
    pub(super) pidfile_before: Pidfile,
    pub(super) pidfile_after: Pidfile,
    /// What the first instance looks like afterwards; `None` if it has ended.
    pub(super) first: Option<Facts>,
}

/// A start and a stop.
#[derive(Debug)]
pub(super) struct UpAndDown {
    pub(super) up: Up,
    pub(super) down: Result<Down, No>,
}

/// A start that should fail.
#[derive(Debug)]
pub(super) struct Failing {
    /// How it was made to fail.
    pub(super) cause: String,
    /// `None` if the command had not ended in time.
    pub(super) status: Option<ExitStatus>,
    pub(super) said: bool,
    pub(super) words: String,
    /// What runs afterwards.
    pub(super) left: Vec<String>,
    /// Whether there is a pidfile that names a process.
    pub(super) pidfile: Option<Pid>,
}

/// A daemon that was overwritten, and its successor.
#[derive(Debug)]
pub(super) struct Overwritten {
    pub(super) outcome: Outcome,
    pub(super) words: String,
    /// Whether the pidfile names the successor.
    pub(super) named: bool,
    /// Whether a third start was refused.
    pub(super) third_refused: bool,
    /// Whether it still does after that.
    pub(super) intact: bool,
    /// The pidfile after the overwritten daemon has ended; `None` if that does not end.
    pub(super) after_the_first_ended: Option<Pidfile>,
    pub(super) successor: Option<Pid>,
}

impl<'a> Lab<'a> {
    fn new(driving: &'a Driving, checks: &'a [&'static Check], real_time: Option<String>) -> Self {
        Self {
            driving,
            checks,
            patience: Patience::new(driving.timeout),
            usual: OnceCell::new(),
            second: OnceCell::new(),
            not_detached: OnceCell::new(),
            vanished: Cell::new(false),
            foreground: OnceCell::new(),
            failing: OnceCell::new(),
            failing_monitored: OnceCell::new(),
            supervised: OnceCell::new(),
            monitor_stopped: OnceCell::new(),
            series: OnceCell::new(),
            overwritten: OnceCell::new(),
            swept: Default::default(),
            real_time,
            is_doubtful: false,
        }
    }

    /// Another one, where nothing has been seen yet but restarts, if the outcome may be the doing of the daemon's clock: that does
    /// not go on for somebody outside of the daemon's tree who owes it an answer.
    fn in_doubt(&mut self, check: &Check, judged: &outcome::Outcome) -> Option<Self> {
        if self.real_time.is_some() {
            return None;
        }
        if let Some(why) = self.patience.no_clock() {
            return Some(Self::new(self.driving, self.checks, Some(why)));
        }
        let usual_failed = self.usual.get().is_some_and(Result::is_err);
        let is_explored = ["race", "crash", "fault"].contains(&check.family());
        let is_doubted = match judged {
            outcome::Outcome::Fail(_) => !is_explored && check.family() != "restart",
            outcome::Outcome::Unknown(_) => !is_explored || usual_failed,
            _ => self.patience.stands_still(),
        };
        if !is_doubted || self.is_doubtful {
            return None;
        }
        let series = std::mem::take(&mut self.series);
        Some(Self { is_doubtful: true, series, ..Self::new(self.driving, self.checks, None) })
    }

    /// Whether somebody wants the judgement of this check.
    pub(super) fn is_asked_for(&self, id: &str) -> bool {
        self.checks.iter().any(|check| check.id == id)
    }

    pub(super) fn sandbox(&self) -> Result<Sandbox, No> {
        Ok(Sandbox::new()?.home_elsewhere()?.timeout(self.driving.timeout))
    }

    /// Starts it in a sandbox of its own.
    pub(super) fn start(&self, start: Start) -> Result<Run<'_>, No> {
        self.start_in(&self.sandbox()?, start)
    }

    /// Starts it with a monitor, to watch how that restarts it: the run, the daemon when it has settled, and the monitor.
    pub(super) fn up_to_be_restarted(&self) -> Result<(Run<'_>, Facts, Pid), No> {
        let run = self.start(Start::new(self.driving.monitored()?).about_time())?;
        let facts = self.up(&run)?.facts;
        let monitor = monitor_of(&facts)?;
        Ok((run, facts, monitor))
    }

    /// If it is alone and that is possible, by a clock of its own.
    pub(super) fn start_in(&self, sandbox: &Sandbox, start: Start) -> Result<Run<'_>, No> {
        let start = match self.real_time {
            None if start.is_alone() && (start.is_about_time || !self.is_doubtful) => start.virtual_time(),
            _ => start,
        };
        Run::start(self.driving, &self.patience, sandbox, start).map_err(|error| {
            if let FixtureError::VirtualTime { error, .. } = &error {
                self.patience.has_no_clock(error);
            }
            error.into()
        })
    }

    /// Fails, with the reason, where the daemon is driven on the machine's clock.
    pub(super) fn has_its_clock(&self) -> Result<(), No> {
        match &self.real_time {
            None => Ok(()),
            Some(why) => does_not_apply(format!("it takes a clock of its own: {why}")),
        }
    }

    /// Waits until the daemon is ready, and looks at it when it has settled.
    pub(super) fn up(&self, run: &Run<'_>) -> Result<Up, No> {
        let starters_session = run.subject.reaper();
        let outcome = run.outcome()?;
        self.must_run(run, outcome)?;
        let facts = run.settled()?;
        Ok(Up {
            returned: outcome != Outcome::NotReturned,
            pidfile_at_once: run.pidfile_at_once.get().cloned().unwrap_or_else(|| facts.pidfile.clone()),
            starters_session,
            starters_descriptors: run.starters_descriptors(&facts),
            directory: run.directory.clone(),
            facts,
        })
    }

    /// Fails, with the reason, unless the daemon runs.
    pub(super) fn must_run(&self, run: &Run<'_>, outcome: Outcome) -> Result<(), No> {
        let (mode, words) = (run.mode.name(), run.words());
        match outcome {
            Outcome::Ready if !run.mode.detached && self.detached_itself(run) => cannot_tell(format!(
                "the command returned and left a process behind: it detaches by itself; say so with --detach={words}"
            )),
            Outcome::Ready | Outcome::NotReturned => Ok(()),
            Outcome::Ended(status) => cannot_tell(format!(
                "the daemon did not start {mode}: the command ended with {}, and nothing runs{words}",
                describe(status)
            )),
            Outcome::Unclear => cannot_tell(format!(
                "the daemon did not become ready {mode} within {:?}{words}",
                self.driving.timeout
            )),
        }
    }

    /// Fails if the daemon may be starting still: in the foreground only the pidfile tells.
    pub(super) fn is_ready(&self, up: &Up) -> Result<(), No> {
        match up.facts.pidfile.content {
            PidfileContent::Missing if !self.driving.usual().detached => cannot_tell(format!(
                "the daemon may not be ready: there is no pidfile after {:?} (--timeout)",
                self.driving.timeout
            )),
            _ => Ok(()),
        }
    }

    fn detached_itself(&self, run: &Run<'_>) -> bool {
        run.subject.exit_of(run.subject.pid()).is_some()
    }

    /// The usual run. Every other run needs it to have worked.
    pub(super) fn usual(&self) -> Result<&Usual, No> {
        self.usual.get_or_init(|| self.make_usual()).as_ref().map_err(Clone::clone)
    }

    pub(super) fn usual_down(&self) -> Result<&Down, No> {
        self.usual()?.down.as_ref().map_err(Clone::clone)
    }

    pub(super) fn second(&self) -> Result<&Second, No> {
        self.driving.pidfile()?;
        self.usual()?;
        self.second.get_or_init(|| self.make_second()).as_ref().map_err(Clone::clone)
    }

    fn make_usual(&self) -> Result<Usual, No> {
        let sandbox = self.sandbox()?;
        let mode = self.driving.usual();
        let run = self.start_in(&sandbox, Start::new(mode))?;
        let up = self.up(&run).inspect_err(|_| self.why_not_up(&run))?;
        let down = match run.facts()? {
            Some(facts) => run.stop(&facts, facts.daemon, Signal::SIGTERM),
            None => cannot_tell("the daemon had ended before it was told to"),
        };
        drop(run);
        let again = self.start_in(&sandbox, Start::new(mode)).and_then(|run| {
            let outcome = run.outcome()?;
            self.must_run(&run, outcome)
        });
        Ok(Usual { up, down, again })
    }

    /// Notes what a detached start that did not work has broken.
    fn why_not_up(&self, run: &Run<'_>) {
        let ended = run.subject.exit_of(run.subject.pid());
        let live = run.subject.live_pids().unwrap_or_default();
        let named = Pidfile::at(run.sandbox.pidfile()).pid();
        let runs = named.is_some_and(|pid| live.contains(&pid));
        match ended {
            _ if !run.mode.detached => {}
            Some(status) if status.success() => self.vanished.set(live.is_empty()),
            Some(status) if runs => {
                let what = format!("the daemon runs, and its command ended with {}", describe(status));
                let _ = self.not_detached.set(what);
            }
            None if named == Some(run.subject.pid()) => {
                let _ =
                    self.not_detached.set("the daemon runs as the command itself, in its session".to_owned());
            }
            _ => {}
        }
    }

    fn make_second(&self) -> Result<Second, No> {
        let sandbox = self.sandbox()?;
        let mode = self.driving.usual();
        let first = self.start_in(&sandbox, Start::new(mode).instance(1))?;
        self.is_ready(&self.up(&first)?)?;
        let pidfile_before = Pidfile::at(sandbox.pidfile());
        let files_before = files(&sandbox);
        let run = self.start_in(&sandbox, Start::new(mode).instance(2))?;
        let status = self.second_status(&run)?;
        let runs = !run.is_empty_soon();
        Ok(Second {
            status,
            runs,
            said: run.output(),
            wrote: files(&sandbox) != files_before,
            pidfile_before,
            pidfile_after: Pidfile::at(sandbox.pidfile()),
            first: first.facts()?,
        })
    }

    /// How the command of a second start ended; `None` if it goes on, be it as a daemon.
    pub(super) fn second_status(&self, run: &Run<'_>) -> Result<Option<ExitStatus>, No> {
        let took_over = || -> Result<Option<()>, No> {
            let named = Pidfile::at(run.sandbox.pidfile()).pid();
            let live = run.subject.live_pids()?;
            let ended = run.subject.exit_of(run.subject.pid()).is_some();
            Ok((ended || named.is_some_and(|pid| live.contains(&pid))).then_some(()))
        };
        match run.mode.detached {
            true => run.end_of_command(),
            false => {
                let _ = run.subject.wait_until("the second start", self.patience.deadline(), took_over);
                Ok(run.subject.exit_of(run.subject.pid()))
            }
        }
    }

    /// Whether a start of the daemon, now, in this sandbox, would run beside what runs there. `None` if that
    /// did not become clear.
    pub(super) fn second_runs(&self, sandbox: &Sandbox, instance: u32) -> Result<Option<bool>, No> {
        let run = self.start_in(sandbox, Start::new(self.driving.usual()).instance(instance))?;
        let status = self.second_status(&run)?;
        let runs = !run.is_empty_soon();
        Ok(match (status, runs) {
            (Some(_), false) => Some(false),
            (_, true) => Some(true),
            (None, false) => None,
        })
    }

    fn up_and_down(&self, run: &Run<'_>, whom: impl FnOnce(&Facts) -> Option<Pid>) -> Result<UpAndDown, No> {
        let up = self.up(run)?;
        let down = match whom(&up.facts) {
            Some(whom) => run.stop(&up.facts, whom, Signal::SIGTERM),
            None => cannot_tell("no monitor was found"),
        };
        Ok(UpAndDown { up, down })
    }

    /// In the foreground, for a daemon that is usually detached.
    pub(super) fn foreground(&self) -> Result<&UpAndDown, No> {
        let mode = self.driving.in_foreground()?;
        let make = || {
            self.usual()?;
            self.up_and_down(&self.start(Start::new(mode))?, |facts| Some(facts.daemon))
        };
        self.foreground.get_or_init(make).as_ref().map_err(Clone::clone)
    }

    fn monitored_up_and_down(&self, whom: impl FnOnce(&Facts) -> Option<Pid>) -> Result<UpAndDown, No> {
        self.usual()?;
        self.up_and_down(&self.start(Start::new(self.driving.monitored()?))?, whom)
    }

    /// With a monitor, the daemon told to stop.
    pub(super) fn supervised(&self) -> Result<&UpAndDown, No> {
        self.driving.monitored()?;
        let make = || self.monitored_up_and_down(|facts| Some(facts.to_stop()));
        self.supervised.get_or_init(make).as_ref().map_err(Clone::clone)
    }

    /// With a monitor, and that told to stop.
    pub(super) fn monitor_stopped(&self) -> Result<&UpAndDown, No> {
        self.driving.monitored()?;
        let make = || self.monitored_up_and_down(|facts| facts.monitor);
        self.monitor_stopped.get_or_init(make).as_ref().map_err(Clone::clone)
    }

    /// A start that fails, in the usual mode.
    pub(super) fn failing(&self) -> Result<&Failing, No> {
        let make = || self.make_failing(self.driving.usual());
        self.failing.get_or_init(make).as_ref().map_err(Clone::clone)
    }

    /// A start that fails, with a monitor.
    pub(super) fn failing_monitored(&self) -> Result<&Failing, No> {
        let mode = self.driving.monitored()?;
        self.failing_monitored.get_or_init(|| self.make_failing(mode)).as_ref().map_err(Clone::clone)
    }

    /// Made to fail by the argument that does so, or by a directory where the pidfile should be.
    fn make_failing(&self, mode: Mode) -> Result<Failing, No> {
        self.usual()?;
        let sandbox = self.sandbox()?;
        let mut start = Start::new(mode);
        let cause = match &self.driving.fail {
            Some(argument) => {
                start = start.extra(argument);
                format!("with {}", argument.display())
            }
            None => {
                self.driving.pidfile()?;
                let directory = fs::create_dir(sandbox.pidfile());
                directory
                    .map_err(|error| No::CannotTell(format!("failed to create a directory: {error}")))?;
                "with a directory where its pidfile should be".to_owned()
            }
        };
        let run = self.start_in(&sandbox, start)?;
        let status = run.end_of_command()?;
        let left = match run.is_empty_soon() {
            true => None,
            false => run.facts()?,
        };
        Ok(Failing {
            cause,
            status,
            said: !run.output().trim().is_empty(),
            words: run.words(),
            left: left.map_or_else(Vec::new, |facts| facts.names()),
            pidfile: Pidfile::at(sandbox.pidfile()).pid(),
        })
    }

    /// Crash after crash, under the monitor.
    pub(super) fn series(&self) -> Result<&Series, No> {
        self.driving.monitored()?;
        self.usual()?;
        self.series.get_or_init(|| series(self)).as_ref().map_err(Clone::clone)
    }

    /// A daemon, overwritten by another.
    pub(super) fn overwritten(&self) -> Result<&Overwritten, No> {
        self.overwritten.get_or_init(|| self.make_overwritten()).as_ref().map_err(Clone::clone)
    }

    fn make_overwritten(&self) -> Result<Overwritten, No> {
        let Some(argument) = &self.driving.overwrite else {
            return does_not_apply("no argument is known that overwrites the pidfile (--overwrite)");
        };
        self.driving.pidfile()?;
        self.usual()?;
        let sandbox = self.sandbox()?;
        let mode = self.driving.usual();
        let first = self.start_in(&sandbox, Start::new(mode).instance(1))?;
        let first_facts = self.up(&first)?.facts;
        let second = self.start_in(&sandbox, Start::new(mode).instance(2).extra(argument))?;
        let outcome = match mode.detached {
            true => second.outcome()?,
            // The first one's pidfile is there all the time.
            false => self.second_status(&second)?.map_or(Outcome::Ready, Outcome::Ended),
        };
        let runs = matches!(outcome, Outcome::Ready | Outcome::NotReturned);
        let successor = match runs {
            true => Some(second.settled()?.daemon),
            false => None,
        };
        let named = successor.is_some() && Pidfile::at(sandbox.pidfile()).pid() == successor;
        let third_refused = self.second_runs(&sandbox, 3)? == Some(false);
        let intact = named && Pidfile::at(sandbox.pidfile()).pid() == successor;
        let down = first.stop(&first_facts, first_facts.daemon, Signal::SIGTERM)?;
        Ok(Overwritten {
            outcome,
            words: second.words(),
            named,
            third_refused,
            intact,
            after_the_first_ended: down.ended.then_some(down.pidfile),
            successor,
        })
    }
}

/// What is in the rundir, with what changes when something is written to it.
fn files(sandbox: &Sandbox) -> Vec<(OsString, u64, Option<SystemTime>)> {
    let entries = fs::read_dir(sandbox.rundir()).into_iter().flatten().flatten();
    let known = entries.filter_map(|entry| {
        let data = entry.metadata().ok()?;
        Some((entry.file_name(), data.len(), data.modified().ok()))
    });
    let mut known: Vec<_> = known.collect();
    known.sort();
    known
}
