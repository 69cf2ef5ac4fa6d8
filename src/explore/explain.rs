//! From an execution that breaks an invariant to a schedule that a person can read and run again.

use std::collections::HashMap;

use super::driver::Added;
use super::error::ExploreError;
use super::family::Process;
use super::judge::{Broken, Outcome};
use super::lab::{Lab, Made};
use super::minimise::{fewest_switches, flips};
use super::place::Thing;
use super::replay::Replay;
use super::schedule::{FORMAT, ProcessEnd, Schedule, Setup, State, Step};
use super::search::execute;
use super::strategy::Trace;
use super::system::TaskId;
use super::words;
use crate::trace::End;

/// How many reorderings of the schedule are tried at most, to find one that passes, and with how many operations in all.
const FLIPS_MAX: usize = 60;
const FLIPPED_OPERATIONS_MAX: usize = 10_000;

/// A schedule without steps.
pub(crate) fn empty(setup: &Setup) -> Schedule {
    Schedule {
        format: FORMAT,
        program: concat!("daemonproof ", env!("CARGO_PKG_VERSION")).to_owned(),
        setup: setup.clone(),
        broken: None,
        initial: State::default(),
        steps: Vec::new(),
        processes: Vec::new(),
        critical: None,
        flip: None,
    }
}

/// How a process ended, in words.
pub(crate) fn ended(end: End) -> String {
    match end {
        End::Exited(code) => format!("exit {code}"),
        End::Killed(signal) => format!("killed ({})", words::signal(signal)),
    }
}

/// The schedule of an execution that breaks `invariant`, with as few context switches as possible.
pub(crate) fn schedule(
    lab: &mut Lab,
    trace: &Trace<Thing>,
    invariant: &str,
    setup: &Setup,
    added: &Added,
) -> Result<Schedule, ExploreError> {
    let breaks = |broken: &[Broken]| broken.iter().any(|broken| broken.invariant == invariant);
    lab.states = Some(Vec::new());
    let run = match again(lab, Replay::exactly(fewest_switches(trace)), added) {
        Ok(run) if breaks(&run.broken) => run,
        // A state on the way was what mattered, and the other order has not got it; or somebody sleeps, which ends when
        // nobody else can go on.
        Ok(_) | Err(ExploreError::Diverged(_)) => again(lab, Replay::exactly(trace.tasks()), added)?,
        Err(error) => return Err(error),
    };
    let mut found = write(lab, &run, setup);
    if let Some(broken) = run.broken.iter().find(|broken| broken.invariant == invariant) {
        found.critical = broken.after.checked_sub(1);
        found.broken = Some(broken.clone().into());
    }
    lab.states = None;
    let tries = (FLIPPED_OPERATIONS_MAX / run.trace.events.len().max(1)).clamp(1, FLIPS_MAX);
    for flip in flips(&run.trace).into_iter().take(tries) {
        let other = again(lab, Replay::guided(flip.schedule, flip.sure), added);
        if other.is_ok_and(|other| other.broken.is_empty()) {
            found.flip = Some((flip.first, flip.second));
            found.critical = Some(flip.second);
            break;
        }
    }
    Ok(found)
}

/// Runs a saved schedule exactly, as far as it goes, and compares each operation and result: the first difference.
pub(crate) fn replay(lab: &mut Lab, saved: &Schedule) -> Result<(Schedule, Option<String>), ExploreError> {
    let tasks = saved.steps.iter().map(|step| lab.family.id(&step.task)).collect();
    lab.states = Some(Vec::new());
    let (run, mut diverged) = match again(lab, Replay::exactly(tasks), &[]) {
        Ok(run) => (run, None),
        Err(ExploreError::Diverged(divergence)) => {
            let states = lab.states.clone().unwrap_or_default();
            let made = lab.made.clone();
            let run = Run {
                trace: Trace::default(),
                broken: Vec::new(),
                made,
                states,
                processes: ends(lab, &lab.outcomes()),
            };
            (run, Some(divergence.told(|task| lab.family.name(task).to_owned())))
        }
        Err(error) => return Err(error),
    };
    let mut found = write(lab, &run, &saved.setup);
    for (index, (now, then)) in found.steps.iter().zip(&saved.steps).enumerate() {
        if (&now.operation, &now.result) != (&then.operation, &then.result) {
            diverged = Some(format!(
                "at step {}, {} made {} = {}, and before it made {} = {}",
                index + 1,
                now.task,
                now.operation,
                now.result,
                then.operation,
                then.result
            ));
            break;
        }
    }
    let invariant = saved.broken.as_ref().map(|broken| broken.invariant.as_str());
    let same = run.broken.iter().find(|broken| Some(broken.invariant.as_str()) == invariant);
    found.broken = same.or(run.broken.first()).cloned().map(Into::into);
    if diverged.is_none() {
        (found.critical, found.flip) = (saved.critical, saved.flip);
    }
    Ok((found, diverged))
}

/// One execution along a schedule.
struct Run {
    trace: Trace<Thing>,
    broken: Vec<Broken>,
    made: Vec<Made>,
    states: Vec<State>,
    processes: Vec<ProcessEnd>,
}

fn again(lab: &mut Lab, mut schedule: Replay, added: &Added) -> Result<Run, ExploreError> {
    let trace = execute(lab, &mut schedule)?.unwrap_or_default();
    let outcomes = lab.outcomes();
    let mut broken = lab.judge_end(&outcomes, added);
    let states = lab.states.clone().unwrap_or_default();
    let made = lab.made.clone();
    let processes = ends(lab, &outcomes);
    broken.extend(lab.litter());
    Ok(Run { trace, broken, made, states, processes })
}

/// Files by the letters that they have in one schedule.
#[derive(Default)]
struct Letters(HashMap<String, String>);

impl Letters {
    fn of(&mut self, file: &str) -> String {
        let next = self.0.len();
        self.0.entry(file.to_owned()).or_insert_with(|| label(next)).clone()
    }
}

/// `a`, `b`, … `z`, `aa`, …
fn label(index: usize) -> String {
    let letter = char::from(b'a' + (index % 26) as u8).to_string();
    if index < 26 { letter } else { label(index / 26 - 1) + &letter }
}

fn write(lab: &Lab, run: &Run, setup: &Setup) -> Schedule {
    let mut letters = Letters::default();
    let name = |id: &TaskId| lab.family.name(*id).to_owned();
    let mut found = empty(setup);
    for (index, made) in run.made.iter().enumerate() {
        let object = made.file.map(|file| letters.of(lab.files.name(file))).unwrap_or_default();
        let mut note = made.note.clone();
        if !object.is_empty() {
            note = note
                .replace("new file", &format!("new file {object}"))
                .replace("unlocks", &format!("unlocks {object}"));
        }
        let short = if needs_object(&made.short) && !object.is_empty() {
            format!("{} {object}", made.short)
        } else {
            made.short.clone()
        };
        let state = run.states.get(index).map(|state| lettered(state, &mut letters)).unwrap_or_default();
        found.steps.push(Step {
            task: name(&made.task),
            enabled: made.enabled.iter().map(name).collect(),
            operation: made.call.clone(),
            short,
            result: made.result.clone(),
            note,
            object,
            remark: String::new(),
            state,
        });
    }
    found.processes.clone_from(&run.processes);
    found
}

/// What has become of each process.
fn ends(lab: &Lab, outcomes: &[Outcome]) -> Vec<ProcessEnd> {
    let end = |process: &Process| ProcessEnd {
        task: lab.family.name(process.id).to_owned(),
        end: process.end.map_or_else(|| "running".to_owned(), ended),
        says: outcomes.get(process.contender).map(|outcome| outcome.says.clone()).unwrap_or_default(),
    };
    let mut ends: Vec<_> = lab.family.processes.values().map(end).collect();
    ends.sort_by(|a, b| a.task.cmp(&b.task));
    ends
}

/// Whether the words about an operation do not say yet what it is about.
fn needs_object(short: &str) -> bool {
    !short.contains(' ') || matches!(short, "share lock" | "who locks")
}

fn lettered(state: &State, letters: &mut Letters) -> State {
    let mut letter = |file: &String| letters.of(file);
    State {
        names: state.names.iter().map(|(name, file)| (name.clone(), letter(file))).collect(),
        contents: state.contents.iter().map(|(file, content)| (letter(file), content.clone())).collect(),
        locks: state
            .locks
            .iter()
            .map(|(file, kind, who)| (letter(file), kind.clone(), who.clone()))
            .collect(),
        running: state.running.clone(),
    }
}
