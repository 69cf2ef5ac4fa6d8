//! The invariants, and the states that they are judged on.

use std::collections::BTreeSet;
use std::ffi::{CStr, OsStr};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use super::driver::Added;
use super::family::{State as Stand, letter};
use super::files::Files;
use super::footprint::{Access, Footprint};
use super::kernel::{self, LockLine};
use super::lab::{Evidence, Lab, Made};
use super::operation::{Kind, Operation};
use super::place::Thing;
use super::schedule::{self, State};
use super::words;
use crate::sys::nest::Program;
use crate::trace::End;

/// An invariant that does not hold, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) invariant: String,
    pub(crate) sentence: String,
    /// How many operations had been made.
    pub(crate) after: usize,
}

impl From<Broken> for schedule::Broken {
    fn from(broken: Broken) -> Self {
        schedule::Broken { invariant: broken.invariant, sentence: broken.sentence }
    }
}

/// What the program does with its pidfile when it is alone, and what is therefore expected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Watch {
    /// Its pidfile names one of its processes.
    pub(crate) names: bool,
    /// One of its processes has the pidfile locked.
    pub(crate) locks: bool,
    /// What it leaves when it is told to stop, and what may be left besides.
    pub(crate) leaves: BTreeSet<String>,
    /// Judge at all: not while the program is watched alone.
    pub(crate) judges: bool,
}

/// What became of a contender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    /// Something of it lives and does not wait for a lock.
    pub(crate) running: bool,
    /// Something of it lives.
    pub(crate) alive: bool,
    /// How its first process ended.
    pub(crate) end: Option<End>,
    /// What it said last, on standard error or else on standard output.
    pub(crate) says: String,
}

/// How an execution ended, for invariants of one's own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FinalState {
    /// The contenders that run: `A`, `B`.
    pub running: Vec<String>,
    /// The names in the rundir, with the number of each process replaced by its name.
    pub files: Vec<String>,
    /// What the pidfile holds, with the number of each process replaced by its name; `None` if there is none.
    pub pidfile: Option<String>,
    /// With which code the first process of each contender has exited, if it has.
    pub exit_codes: Vec<Option<i32>>,
}

/// The pidfile at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PidfileNow {
    pub(crate) content: Option<Vec<u8>>,
    pub(crate) locks: Vec<LockLine>,
}

impl PidfileNow {
    pub(crate) fn of(path: &Path, files: &Files) -> Self {
        let Ok(mut file) = File::open(path) else { return PidfileNow::default() };
        let mut content = Vec::new();
        if (&mut file).take(1 << 16).read_to_end(&mut content).is_err() {
            return PidfileNow::default();
        }
        let key = file.metadata().map(|meta| (meta.dev(), meta.ino())).ok();
        let locks = files.locks(&|other| Some(other) == key);
        PidfileNow { content: Some(content), locks }
    }

    pub(crate) fn pid(&self) -> Option<i32> {
        let text = str::from_utf8(self.content.as_deref()?).ok()?;
        let first = text.lines().next()?.trim();
        first.parse().ok().filter(|pid| *pid > 0)
    }

    /// Neither a whole number nor empty while whoever writes it has it locked.
    fn is_garbage(&self) -> bool {
        match &self.content {
            Some(content) if content.is_empty() => !self.locks.iter().any(|lock| lock.exclusive),
            Some(_) => self.pid().is_none(),
            None => false,
        }
    }
}

impl Lab {
    pub(crate) fn outcomes(&self) -> Vec<Outcome> {
        let named = PidfileNow::of(&self.scene.pidfile, &self.files).pid();
        let programs = self.scene.programs.iter().enumerate();
        programs
            .map(|(index, program)| {
                let alive = self.family.alive(index);
                let waits = self.waits_for_its_turn(index);
                let first = self.family.processes.values().find(|process| {
                    process.contender == index && self.family.name(process.id) == letter(index)
                });
                Outcome {
                    name: letter(index),
                    running: !alive.is_empty() && !waits && !self.is_remnant(index, named),
                    alive: !alive.is_empty(),
                    end: first.and_then(|process| process.end),
                    says: last_line(&output(program)),
                }
            })
            .collect()
    }

    /// Whether the contender stands before a lock that another has, or found one and sleeps until it tries again.
    fn waits_for_its_turn(&self, contender: usize) -> bool {
        let is_own =
            |process: i32| self.process(process).is_some_and(|process| process.contender == contender);
        let mut made = self.made.iter().rev();
        let last = made.find(|made| made.evidence != Evidence::None && self.is_of(made, contender));
        let was_refused = last.is_some_and(|made| made.evidence == Evidence::Somebody);
        self.family.tasks.values().filter(|task| is_own(task.process)).any(|task| match &task.state {
            Stand::Before(_, Operation { kind: Kind::Lock(lock), .. }) => lock.blocks,
            Stand::Before(_, Operation { kind: Kind::Sleep { .. }, .. }) => was_refused,
            _ => false,
        })
    }

    /// Whether what lives of a killed contender is no daemon, but a child that it has left: `sleep`, of a shell. The daemon
    /// of a killed monitor is known by the pidfile.
    fn is_remnant(&self, contender: usize, named: Option<i32>) -> bool {
        let killed = self.scene.told.is_some_and(|(_, signal)| signal == Signal::SIGKILL);
        let owns = named.is_some_and(|pid| self.is_alive(pid, contender));
        self.scene.watch.names && killed && self.is_told(contender) && !owns
    }

    /// What the program is seen to do with its pidfile.
    pub(crate) fn habits(&self) -> Watch {
        let now = PidfileNow::of(&self.scene.pidfile, &self.files);
        let names = now.pid().is_some_and(|pid| self.is_alive(pid, 0));
        Watch { names, locks: self.has_locked(0), leaves: BTreeSet::new(), judges: true }
    }

    /// Whether a living process of the contender has a lock on the pidfile.
    fn has_locked(&self, contender: usize) -> bool {
        let Ok(pidfile) = fs::metadata(&self.scene.pidfile) else { return false };
        let alive: Vec<Pid> = self.family.alive(contender).iter().map(|process| process.pid).collect();
        !kernel::locks(&alive, &|key| key == (pidfile.dev(), pidfile.ino())).is_empty()
    }

    /// Whether `pid` is a living process of the contender.
    fn is_alive(&self, pid: i32, contender: usize) -> bool {
        self.process(pid).is_some_and(|process| process.contender == contender && process.end.is_none())
    }

    /// Whether the operation was one of the contender's.
    fn is_of(&self, made: &Made, contender: usize) -> bool {
        self.family.name(made.task).starts_with(&letter(contender))
    }

    /// What is to be judged after each step: what somebody who reads the pidfile now would find.
    pub(crate) fn judge_step(&mut self, footprint: &Footprint<Thing>) {
        let matters = |(place, access): &(Thing, Access)| {
            *access != Access::Read
                && matches!(place, Thing::Name { .. } | Thing::Content(_) | Thing::Lock { .. })
        };
        let known = self.broken.iter().any(|broken| broken.invariant == GARBAGE);
        if !self.scene.watch.judges || !self.scene.watch.names || known || !footprint.iter().any(matters) {
            return;
        }
        let now = PidfileNow::of(&self.scene.pidfile, &self.files);
        if now.is_garbage() {
            let content = now.content.as_deref().unwrap_or_default();
            let found = match content.is_empty() {
                true => "is empty and not locked".to_owned(),
                false => format!("holds {:?}", String::from_utf8_lossy(content)),
            };
            let sentence = format!("who reads {} now finds that it {found}", self.pidfile_name());
            self.broken.push(Broken { invariant: GARBAGE.into(), sentence, after: self.made.len() });
        }
    }

    /// What is to be judged when nothing moves.
    pub(crate) fn judge_quiet(&mut self, outcomes: &[Outcome]) {
        if self.scene.watch.judges {
            for broken in self.running_broken(outcomes) {
                if !self.broken.iter().any(|known| known.invariant == broken.invariant) {
                    self.broken.push(broken);
                }
            }
        }
    }

    /// Judges the end of an execution, to which it came with these `outcomes`; everything that did not hold in it.
    pub(crate) fn judge_end(&mut self, outcomes: &[Outcome], added: &Added) -> Vec<Broken> {
        self.judge_quiet(outcomes);
        let mut all = std::mem::take(&mut self.broken);
        all.extend(self.nobody_runs(outcomes));
        all.extend(self.silent_loser(outcomes));
        if !added.is_empty() {
            let end = self.final_state(outcomes);
            all.extend(added.iter().filter_map(|(name, holds)| {
                let sentence = holds(&end).err()?;
                Some(Broken { invariant: name.clone(), sentence, after: self.made.len() })
            }));
        }
        all
    }

    /// The names in the rundir, without what tells those of one instance from those of another.
    pub(crate) fn names_left(&self) -> BTreeSet<String> {
        self.state().names.into_iter().map(|(name, _)| self.nameless(&name)).collect()
    }

    /// A name without that: "tmpB" and "tmpB.1", "1.socket" and "2.socket" are the same file of two instances.
    pub(super) fn nameless(&self, name: &str) -> String {
        let last = letter(self.scene.programs.len() - 1);
        let own = |c: char| ("A"..=last.as_str()).contains(&c.to_string().as_str());
        let part =
            |part: &str| part.trim_end_matches(own).trim_matches(|c: char| c.is_ascii_digit()).to_owned();
        name.split('.').map(part).collect::<Vec<_>>().join(".")
    }

    /// Tells everybody to stop and waits; what lies about then that should not.
    pub(crate) fn litter(&mut self) -> Option<Broken> {
        let after = self.made.len();
        if !self.scene.watch.judges || !self.wind_up() {
            return None;
        }
        let left: Vec<_> = self.names_left().difference(&self.scene.watch.leaves).cloned().collect();
        let sentence =
            format!("when all have been told to stop and are gone, {} is still there", left.join(" and "));
        (!left.is_empty()).then_some(Broken { invariant: NO_LITTER.into(), sentence, after })
    }

    fn final_state(&self, outcomes: &[Outcome]) -> FinalState {
        let now = PidfileNow::of(&self.scene.pidfile, &self.files);
        let state = self.state();
        FinalState {
            running: outcomes
                .iter()
                .filter(|outcome| outcome.running)
                .map(|outcome| outcome.name.clone())
                .collect(),
            files: state.names.into_iter().map(|(name, _)| name).collect(),
            pidfile: now.content.map(|content| {
                self.family.pids.replace(&String::from_utf8_lossy(&content)).trim_end().to_owned()
            }),
            exit_codes: outcomes
                .iter()
                .map(|outcome| match outcome.end {
                    Some(End::Exited(code)) => Some(code),
                    _ => None,
                })
                .collect(),
        }
    }

    /// What a contender has said, the same however the processes are numbered and wherever the rundir is.
    pub(super) fn said(&self, contender: usize) -> String {
        self.placeless(&output(&self.scene.programs[contender]))
    }

    fn placeless(&self, text: &str) -> String {
        // Each worker has a sandbox of its own.
        self.family.pids.replace(text).replace(&*self.scene.rundir.to_string_lossy(), "{rundir}")
    }

    /// What the execution came to, the same for the same ending however the processes are numbered, and at whatever time a line
    /// of a log was written.
    pub(crate) fn ending(&self, outcomes: &[Outcome]) -> String {
        let timeless = |outcome: &Outcome| Outcome {
            says: words::without_numbers(&self.placeless(&outcome.says)),
            ..outcome.clone()
        };
        let outcomes: Vec<_> = outcomes.iter().map(timeless).collect();
        let outcomes = self.placeless(&format!("{outcomes:?}"));
        format!("{outcomes}{:?}", self.state())
    }

    pub(super) fn running_broken(&self, outcomes: &[Outcome]) -> Vec<Broken> {
        let running: Vec<_> = outcomes.iter().enumerate().filter(|(_, outcome)| outcome.running).collect();
        let now = PidfileNow::of(&self.scene.pidfile, &self.files);
        let found = self.describe(&now);
        let after = self.made.len();
        // Who overwrites the pidfile does not end its owner, and is the owner from then on.
        let overwriter = outcomes.len() - 1;
        let running: Vec<_> = match running.last() {
            Some((last, _)) if self.scene.overwrites && *last == overwriter && running.len() == 2 => {
                running.into_iter().skip(1).collect()
            }
            _ => running,
        };
        match running.as_slice() {
            [] => Vec::new(),
            [(index, only)] if self.scene.watch.names => {
                let wrong = if !now.pid().is_some_and(|pid| self.is_alive(pid, *index)) {
                    Some(found)
                } else if self.scene.watch.locks && !self.has_locked(*index) {
                    Some(format!("has not locked {}", self.pidfile_name()))
                } else {
                    None
                };
                let sentence = wrong.map(|wrong| format!("{} is running, but {wrong}", only.name));
                let invariant = || "running-owns-pidfile".into();
                sentence
                    .map(|sentence| Broken { invariant: invariant(), sentence, after })
                    .into_iter()
                    .collect()
            }
            [_] => Vec::new(),
            several => {
                let names: Vec<_> = several.iter().map(|(_, outcome)| outcome.name.as_str()).collect();
                let sentence = format!("{} are running, and {found}", names.join(" and "));
                vec![Broken { invariant: "at-most-one-running".into(), sentence, after }]
            }
        }
    }

    fn describe(&self, now: &PidfileNow) -> String {
        let name = self.pidfile_name();
        match (&now.content, now.pid()) {
            (None, _) => format!("{name} is missing"),
            (Some(content), _) if content.is_empty() => format!("{name} is empty"),
            (Some(_), Some(pid)) => match self.family.pids.name(pid) {
                Some(whom) if self.process(pid).is_some_and(|process| process.end.is_none()) => {
                    format!("{name} names {whom}")
                }
                Some(whom) => format!("{name} names {whom}, which has ended"),
                None => format!("{name} names {pid}, which is nobody's number"),
            },
            (Some(content), None) => format!("{name} holds {:?}", String::from_utf8_lossy(content)),
        }
    }

    pub(crate) fn pidfile_name(&self) -> String {
        self.scene.pidfile.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn is_told(&self, contender: usize) -> bool {
        self.told && self.scene.told.is_some_and(|(told, _)| told == contender)
    }

    /// Nobody runs although whoever was there had gone when the last of the others gave up.
    fn nobody_runs(&self, outcomes: &[Outcome]) -> Option<Broken> {
        let lost = |index: &usize| !self.is_told(*index);
        if outcomes.iter().any(|outcome| outcome.alive) || !(0..outcomes.len()).any(|index| lost(&index)) {
            return None;
        }
        let decided = |index: usize| {
            let last = |evidence| {
                self.made.iter().rposition(|made| made.evidence == evidence && self.is_of(made, index))
            };
            last(Evidence::Somebody).or_else(|| last(Evidence::Perhaps))
        };
        let (last, at) = (0..outcomes.len())
            .filter(lost)
            .filter_map(|index| Some((index, decided(index)?)))
            .max_by_key(|(_, at)| *at)?;
        let gone =
            |index| self.made.iter().rposition(|made| self.is_of(made, index)).is_none_or(|end| end < at);
        if let Some((told, _)) = self.scene.told
            && !gone(told)
        {
            return None;
        }
        let loser = letter(last);
        let why =
            self.made.get(at).map(|made| format!("{} gave {}", made.short, made.result)).unwrap_or_default();
        let sentence = format!("{loser} gave up ({why}) when nobody was running, and now nobody is");
        Some(Broken { invariant: "someone-runs".into(), sentence, after: at + 1 })
    }

    fn silent_loser(&self, outcomes: &[Outcome]) -> Option<Broken> {
        outcomes.iter().enumerate().find_map(|(index, outcome)| {
            if outcome.alive || self.is_told(index) {
                return None;
            }
            let name = &outcome.name;
            let sentence = match outcome.end? {
                End::Exited(0) => format!("{name} does not run, but its command exited 0"),
                End::Killed(signal) => format!("{name} died by {}", words::signal(signal)),
                End::Exited(code) if outcome.says.is_empty() => {
                    format!("{name} exited {code} without a word")
                }
                End::Exited(_) => return None,
            };
            Some(Broken { invariant: "losers-fail".into(), sentence, after: self.made.len() })
        })
    }

    /// Keeps what there is now, if states are kept.
    pub(crate) fn keep_state(&mut self) {
        if self.states.is_some() {
            let state = self.state();
            if let Some(states) = &mut self.states {
                states.push(state);
            }
        }
    }

    /// The names, contents and locks of the sandbox, and who is alive.
    pub(crate) fn state(&self) -> State {
        let mut state = State::default();
        let mut shown = Vec::new();
        for entry in walk(self.files.rundir()) {
            let Ok(meta) = fs::symlink_metadata(&entry) else { continue };
            let Some(id) = self.files.id_of((meta.dev(), meta.ino())) else { continue };
            let name = entry.strip_prefix(self.files.rundir()).unwrap_or(&entry);
            let file = self.files.name(id).to_owned();
            state.names.push((self.family.pids.replace(&name.to_string_lossy()), file.clone()));
            if meta.is_file() && meta.len() <= SHOWN_BYTES && !shown.contains(&file) {
                let content = fs::read(&entry).unwrap_or_default();
                let content = self.family.pids.replace(&String::from_utf8_lossy(&content));
                state.contents.push((file.clone(), content));
                shown.push(file);
            }
        }
        for lock in self.files.locks(&|key| self.files.id_of(key).is_some()) {
            let Some(id) = self.files.id_of(lock.key) else { continue };
            let range = match (lock.first, lock.last) {
                (0, i64::MAX) => String::new(),
                (first, i64::MAX) => format!(" from byte {first}"),
                (first, last) if first == last => format!(" byte {first}"),
                (first, last) => format!(" bytes {first}-{last}"),
            };
            let kind = match lock.kind.as_str() {
                "POSIX" => "lock",
                "FLOCK" => "flock",
                _ => "description lock",
            };
            let holder = self.family.pids.name(lock.pid).unwrap_or("").to_owned();
            state.locks.push((self.files.name(id).to_owned(), format!("{kind}{range}"), holder));
        }
        let alive = self.family.processes.values().filter(|process| process.end.is_none());
        state.running = alive.map(|process| self.family.name(process.id).to_owned()).collect();
        state.running.sort_unstable();
        state
    }
}

/// All that are judged unless somebody wants fewer.
pub(crate) const INVARIANTS: [&str; 6] =
    ["at-most-one-running", "running-owns-pidfile", GARBAGE, "someone-runs", "losers-fail", NO_LITTER];

pub(crate) const NO_LITTER: &str = "no-litter";

const GARBAGE: &str = "reader-never-sees-garbage";

/// Longer files are not shown.
const SHOWN_BYTES: u64 = 200;

/// Everything below a directory, sorted.
fn walk(directory: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> =
        fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort_unstable();
    let below = |path: PathBuf| {
        let deeper = if path.is_dir() && !path.is_symlink() { walk(&path) } else { Vec::new() };
        std::iter::once(path).chain(deeper)
    };
    entries.into_iter().flat_map(below).collect()
}

/// What the program has written to standard error, or else to standard output.
fn output(program: &Program) -> String {
    let text = |file: &CStr| {
        let text = fs::read(OsStr::from_bytes(file.to_bytes())).unwrap_or_default();
        Some(String::from_utf8_lossy(&text).trim().to_owned()).filter(|text| !text.is_empty())
    };
    text(&program.stderr).or_else(|| text(&program.stdout)).unwrap_or_default()
}

/// Empty if there is none.
fn last_line(text: &str) -> String {
    text.lines().next_back().unwrap_or_default().trim().to_owned()
}
