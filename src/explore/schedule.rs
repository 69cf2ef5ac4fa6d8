//! Schedules as files: one execution, step by step, in JSON that a later version can tell from its own.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use tempfile::NamedTempFile;

/// The format that is written, and the only one that is read.
pub const FORMAT: u32 = 1;

/// How many contenders there may be.
pub const MOST_CONTENDERS: usize = 8;

/// A file that is larger was not written by this program: a step takes about a kilobyte.
const LARGEST_FILE_BYTES: u64 = 256 << 20;

/// One execution of a scenario: how it is set up, the order of its operations, and what came of it.
///
/// Steps are numbered from 0 in [`critical`](Self::critical) and [`flip`](Self::flip); people are shown numbers from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// The version of the format, [`FORMAT`].
    pub format: u32,
    /// What wrote it: `daemonproof 0.1.0`.
    pub program: String,
    /// How the scenario is set up.
    pub setup: Setup,
    /// The invariant that it breaks, if it breaks one.
    pub broken: Option<Broken>,
    /// What there is before the first step: a stale pidfile, for instance.
    #[serde(default)]
    pub initial: State,
    /// The operations, in their order.
    pub steps: Vec<Step>,
    /// How each task ended, or that it runs.
    pub processes: Vec<ProcessEnd>,
    /// The step at which it goes wrong.
    pub critical: Option<usize>,
    /// Two steps; had the first come after the second, no invariant were broken.
    pub flip: Option<(usize, usize)>,
}

/// What is needed to run a schedule again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// Program and arguments, with the placeholders `{pidfile}`, `{rundir}` and `{n}`.
    pub command: Vec<String>,
    /// What the program is told to be its own name, if that is not the name by which it is found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arg0: Option<String>,
    /// Where the pidfile is in `{rundir}`.
    pub pidfile: String,
    /// What contends.
    pub scenario: ScenarioKind,
    /// How many instances, all counted.
    pub contenders: usize,
    /// Variables that are set for each instance, with placeholders.
    pub env: Vec<(String, String)>,
    /// The argument with which each instance is detached; empty if it detaches by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detach: Option<String>,
    /// The argument with which each instance is monitored; empty if it is so by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<String>,
    /// The argument with which the last instance starts although another one runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overwrite: Option<String>,
    /// For how long a task may run without any operation, in milliseconds.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
}

/// What contends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ScenarioKind {
    /// All instances start at once
    #[default]
    Start,
    /// The same, beginning with a stale pidfile
    Stale,
    /// Instance 1 is told to stop (SIGTERM) once it is up, at any moment of the other starts
    Handover,
    /// Instance 1 is killed (SIGKILL) once it is up, at any moment of the other starts
    Crash,
}

/// A broken invariant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// Its name: `running-owns-pidfile`.
    pub invariant: String,
    /// What was found: `B is running, but d.pid is missing`.
    pub sentence: String,
}

/// One operation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Who made it: `A` is the first contender, `A.1` its first child, `!A` the scenario's signal to A.
    pub task: String,
    /// The tasks that could have made a step instead, and `task` itself.
    pub enabled: Vec<String>,
    /// The decoded call: `openat(d.pid.tmp, O_RDWR|O_CREAT)`.
    pub operation: String,
    /// The same for a narrow column: `open d.pid.tmp`.
    pub short: String,
    /// What the call gave: `3`, `EAGAIN`.
    pub result: String,
    /// What that means: `new file a`, `unlocks a`.
    pub note: String,
    /// What the step is about, under one name in all tasks; steps about what no other task is about are folded.
    pub object: String,
    /// Why the step matters, if that is to be pointed out: `a has no name any more`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remark: String,
    /// What there is after it.
    pub state: State,
}

/// The names, contents, locks and processes at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Each name of the sandbox and the file that it leads to: `d.pid`, `a`.
    pub names: Vec<(String, String)>,
    /// Each file and what is in it.
    pub contents: Vec<(String, String)>,
    /// Each lock: the file, its kind and range, the task that holds it.
    pub locks: Vec<(String, String, String)>,
    /// The tasks that are alive.
    pub running: Vec<String>,
}

/// What became of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessEnd {
    /// Which.
    pub task: String,
    /// `running`, `exit 1`, `killed (SIGTERM)`.
    pub end: String,
    /// The last line that it wrote to its standard error.
    pub says: String,
}

/// Why there is no schedule, or none was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// The file could not be read.
    #[error("failed to read the schedule {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file is something else.
    #[error("{}: not a schedule: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// The file has the format of another version.
    #[error("{}: a schedule of format {found}, but this program reads format {FORMAT} only: {}", path.display(), other_program(*found))]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// The file has the right form, but cannot have come from an execution.
    #[error("{}: not a schedule of an execution: {reason}", path.display())]
    Absurd {
        /// The file.
        path: PathBuf,
        /// What cannot be.
        reason: String,
    },
    /// The file could not be written.
    #[error("failed to write the schedule {}: {error}", path.display())]
    Unwritable {
        /// The file, or the directory.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

fn other_program(found: u64) -> &'static str {
    match found > u64::from(FORMAT) {
        true => "use a newer daemonproof",
        false => "find the violation again, or use an older daemonproof",
    }
}

fn default_timeout_ms() -> u64 {
    2_000
}

impl ScenarioKind {
    /// The name by which it is asked for.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stale => "stale",
            Self::Handover => "handover",
            Self::Crash => "crash",
        }
    }
}

impl fmt::Display for ScenarioKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Of the format, to be read before anything else is.
#[derive(Deserialize)]
struct Head {
    format: u64,
}

impl Schedule {
    /// Reads a schedule from a file.
    ///
    /// ```
    /// use daemonproof::explore::schedule::Schedule;
    ///
    /// let error = Schedule::read("nowhere/violation.json".as_ref()).unwrap_err();
    /// assert!(error.to_string().starts_with("failed to read the schedule nowhere/violation.json: "));
    /// ```
    ///
    /// # Errors
    ///
    /// Any but [`ScheduleError::Unwritable`].
    pub fn read(path: &Path) -> Result<Self, ScheduleError> {
        let unreadable = |error| ScheduleError::Unreadable { path: path.to_owned(), error };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(unreadable)?;
        file.take(LARGEST_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > LARGEST_FILE_BYTES {
            let reason = format!("it is larger than {} MiB", LARGEST_FILE_BYTES >> 20);
            return Err(ScheduleError::Malformed { path: path.to_owned(), reason });
        }
        Self::parse(&bytes, path)
    }

    /// `path` is for the errors.
    fn parse(json: &[u8], path: &Path) -> Result<Self, ScheduleError> {
        let path = || path.to_owned();
        let malformed =
            |error: serde_json::Error| ScheduleError::Malformed { path: path(), reason: error.to_string() };
        let found = serde_json::from_slice::<Head>(json).map_err(malformed)?.format;
        if found != u64::from(FORMAT) {
            return Err(ScheduleError::Format { path: path(), found });
        }
        let schedule: Self = serde_json::from_slice(json).map_err(malformed)?;
        match schedule.absurdity() {
            Some(reason) => Err(ScheduleError::Absurd { path: path(), reason }),
            None => Ok(schedule),
        }
    }

    /// Writes it under a temporary name and then renames it: whoever reads `path` finds all of it, or what was there.
    ///
    /// # Errors
    ///
    /// [`ScheduleError::Unwritable`]; then there is no file, or the one that was there.
    pub fn write(&self, path: &Path) -> Result<(), ScheduleError> {
        let unwritable = |error| ScheduleError::Unwritable { path: path.to_owned(), error };
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let file = self.temporary(directory.unwrap_or(Path::new("."))).map_err(unwritable)?;
        file.persist(path).map(drop).map_err(|failed| unwritable(failed.error))
    }

    /// Writes it to a new file of `directory`, which is created if need be, named after the invariant that it breaks:
    /// `running-owns-pidfile-1.json`, or the next number that is free. Returns the path.
    ///
    /// # Errors
    ///
    /// [`ScheduleError::Unwritable`].
    pub fn save_in(&self, directory: &Path) -> Result<PathBuf, ScheduleError> {
        let unwritable = |error| ScheduleError::Unwritable { path: directory.to_owned(), error };
        fs::create_dir_all(directory).map_err(unwritable)?;
        let mut file = self.temporary(directory).map_err(unwritable)?;
        let name = self.broken.as_ref().map_or("schedule", |broken| &broken.invariant);
        // The invariant's name may be the user's own.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        let name: String = name.chars().map(|c| if is_plain(c) { c } else { '-' }).take(100).collect();
        for number in 1.. {
            let path = directory.join(format!("{name}-{number}.json"));
            match file.persist_noclobber(&path) {
                Ok(_) => return Ok(path),
                Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => file = failed.file,
                Err(failed) => return Err(ScheduleError::Unwritable { path, error: failed.error }),
            }
        }
        Err(unwritable(io::ErrorKind::AlreadyExists.into()))
    }

    fn temporary(&self, directory: &Path) -> io::Result<NamedTempFile> {
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        let mut builder = tempfile::Builder::new();
        // Less the umask, as of any file; by default nobody else could read it.
        builder.prefix(".schedule-").permissions(Permissions::from_mode(0o666));
        let mut file = builder.tempfile_in(directory)?;
        file.write_all(&json)?;
        // The name must not be on the disk before the content is.
        file.as_file().sync_all()?;
        Ok(file)
    }

    /// What cannot be in a schedule of an execution, if there is anything.
    fn absurdity(&self) -> Option<String> {
        let count = self.steps.len();
        let beyond = |index: usize| index >= count;
        if let Some(index) = self.critical.filter(|index| beyond(*index)) {
            return Some(format!("the critical step is {index}, counted from 0, of {count} steps"));
        }
        if let Some((first, second)) = self.flip.filter(|(first, second)| first >= second || beyond(*second))
        {
            return Some(format!(
                "the steps to flip are {first} and {second}, counted from 0, of {count} steps"
            ));
        }
        self.setup.absurdity().or_else(|| {
            let steps = self.steps.iter().enumerate();
            let mut steps = steps.filter_map(|(index, step)| Some((index, self.step_absurdity(step)?)));
            let in_step =
                steps.next().map(|(index, reason)| format!("step {index}, counted from 0: {reason}"));
            let end = || self.processes.iter().find_map(|end| self.setup.task_absurdity(&end.task));
            in_step.or_else(end)
        })
    }

    fn step_absurdity(&self, step: &Step) -> Option<String> {
        let unknown = step.enabled.iter().find_map(|task| self.setup.task_absurdity(task));
        unknown.or_else(|| {
            let is_enabled = step.enabled.contains(&step.task);
            (!is_enabled).then(|| format!("task {:?} is not among those enabled", step.task))
        })
    }
}

impl Setup {
    /// The arguments that say how an instance runs, by the names of the options that give them.
    pub(crate) fn switches(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let all = [("detach", &self.detach), ("monitor", &self.monitor), ("overwrite", &self.overwrite)];
        all.into_iter().filter_map(|(name, argument)| Some((name, argument.as_ref()?)))
    }

    fn absurdity(&self) -> Option<String> {
        if self.command.first().is_none_or(String::is_empty) {
            return Some("the command is empty".to_owned());
        }
        if !(1..=MOST_CONTENDERS).contains(&self.contenders) {
            let contenders = self.contenders;
            return Some(format!("{contenders} contenders; there may be from 1 to {MOST_CONTENDERS}"));
        }
        // What is run again writes there.
        let mut parts = Path::new(&self.pidfile).components();
        let stays_inside = parts.all(|part| matches!(part, Component::Normal(_)));
        if self.pidfile.is_empty() || !stays_inside {
            return Some(format!("the pidfile {:?} is not in the rundir", self.pidfile));
        }
        let bad_name = |name: &str| name.is_empty() || name.contains('=');
        if let Some((name, _)) = self.env.iter().find(|(name, _)| bad_name(name)) {
            return Some(format!("{name:?} is no name of a variable"));
        }
        let variables = self.env.iter().flat_map(|(name, value)| [name, value]);
        let arguments = self.switches().map(|(_, argument)| argument);
        let mut texts = self.command.iter().chain(variables).chain(arguments).chain([&self.pidfile]);
        texts.find(|text| text.contains('\0')).map(|text| format!("{text:?} contains a NUL"))
    }

    /// `A`, its child `A.1`, that one's thread `A.1/2`, or `!` and one of these, of a contender that exists.
    fn task_absurdity(&self, task: &str) -> Option<String> {
        let name = task.strip_prefix('!').unwrap_or(task);
        let mut parts = name.split(['.', '/']);
        let contender = parts.next().unwrap_or_default().as_bytes();
        let is_contender =
            matches!(contender, [letter @ b'A'..=b'Z'] if usize::from(letter - b'A') < self.contenders);
        let is_child =
            |part: &str| part.parse::<u32>().is_ok_and(|number| number.to_string() == part && number > 0);
        (!is_contender || !parts.all(is_child)).then(|| format!("no task is called {task:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const EXAMPLES: [&str; 3] = [
        include_str!("../../tests/cli/schedules/handover-3.json"),
        include_str!("../../tests/cli/schedules/handover-4.json"),
        include_str!("../../tests/cli/schedules/detach-2.json"),
    ];

    fn parse(json: &[u8]) -> Result<Schedule, ScheduleError> {
        Schedule::parse(json, Path::new("x.json"))
    }

    /// What is said about the first example with the value at `pointer` replaced.
    fn error_with(pointer: &str, value: Value) -> String {
        let mut document: Value = serde_json::from_str(EXAMPLES[0]).unwrap();
        *document.pointer_mut(pointer).unwrap() = value;
        parse(document.to_string().as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn what_is_written_is_read() {
        let directory = tempfile::tempdir().unwrap();
        for text in EXAMPLES {
            let schedule = parse(text.as_bytes()).unwrap();
            let path = directory.path().join("s.json");
            schedule.write(&path).unwrap();
            assert_eq!(Schedule::read(&path).unwrap(), schedule);
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o111, 0, "{mode:o}");
        }
        let names: Vec<_> = fs::read_dir(directory.path()).unwrap().collect();
        assert_eq!(names.len(), 1, "no temporary file is left: {names:?}");
    }

    #[test]
    fn each_violation_has_a_file_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("a/violations");
        let mut schedule = parse(EXAMPLES[0].as_bytes()).unwrap();
        let name = || schedule.save_in(&folder).unwrap();
        assert_eq!(
            [name(), name()],
            ["1", "2"].map(|n| folder.join(format!("running-owns-pidfile-{n}.json")))
        );
        if let Some(broken) = &mut schedule.broken {
            broken.invariant = "../my own/é".into();
        }
        assert_eq!(schedule.save_in(&folder).unwrap(), folder.join("---my-own---1.json"));
        schedule.broken = None;
        assert_eq!(schedule.save_in(&folder).unwrap(), folder.join("schedule-1.json"));
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let schedule = parse(EXAMPLES[0].as_bytes()).unwrap();
        let error = schedule.write(Path::new("/nonexistent/s.json")).unwrap_err().to_string();
        assert!(error.starts_with("failed to write the schedule /nonexistent/s.json: "), "{error}");
        let error = schedule.save_in(Path::new("/dev/null/violations")).unwrap_err().to_string();
        assert!(error.starts_with("failed to write the schedule /dev/null/violations: "), "{error}");
    }

    #[test]
    fn what_is_no_schedule_is_told_so() {
        let error = |json: &[u8]| parse(json).unwrap_err().to_string();
        assert_eq!(error(b""), "x.json: not a schedule: EOF while parsing a value at line 1 column 0");
        assert!(error(b"hello").starts_with("x.json: not a schedule: expected value"));
        assert!(error(b"{}").contains("missing field `format`"));
        assert!(error(b"{\"format\": \"1\"}").contains("invalid type: string"));
        assert!(error(b"{\"format\": 1}").contains("missing field `program`"));
        assert!(error(&[0xff, 0xfe]).starts_with("x.json: not a schedule: "));
        assert!(error(&b"[".repeat(100_000)).contains("not a schedule"));
        assert!(error_with("/setup/scenario", json!("juggle")).contains("unknown variant `juggle`"));
        assert!(error_with("/setup/contenders", json!(-1)).contains("invalid value: integer `-1`"));
        let directory = tempfile::tempdir().unwrap();
        let error = Schedule::read(directory.path()).unwrap_err().to_string();
        assert!(error.contains("failed to read the schedule") && error.contains("directory"), "{error}");
    }

    #[test]
    fn another_format_is_told_with_what_to_do() {
        let error = parse(b"{\"format\": 2, \"what\": []}").unwrap_err().to_string();
        assert_eq!(
            error,
            "x.json: a schedule of format 2, but this program reads format 1 only: use a newer daemonproof"
        );
        assert!(error_with("/format", json!(0)).contains("use an older daemonproof"));
    }

    #[test]
    fn what_no_execution_gives_is_refused() {
        for (pointer, value, reason) in [
            ("/critical", json!(30), "the critical step is 30, counted from 0, of 30 steps"),
            ("/flip", json!([17, 16]), "the steps to flip are 17 and 16"),
            ("/flip", json!([17, 30]), "the steps to flip are 17 and 30"),
            ("/setup/command", json!([]), "the command is empty"),
            ("/setup/command", json!(["a\0b"]), "contains a NUL"),
            ("/setup/contenders", json!(0), "0 contenders"),
            ("/setup/contenders", json!(9), "9 contenders; there may be from 1 to 8"),
            ("/setup/contenders", json!(2), "no task is called \"C\""),
            ("/setup/pidfile", json!(""), "is not in the rundir"),
            ("/setup/pidfile", json!("/etc/passwd"), "is not in the rundir"),
            ("/setup/pidfile", json!("../d.pid"), "is not in the rundir"),
            ("/setup/env", json!([["A=B", "c"]]), "\"A=B\" is no name of a variable"),
            (
                "/steps/4/task",
                json!("B.0"),
                "step 4, counted from 0: task \"B.0\" is not among those enabled",
            ),
            ("/steps/4/enabled", json!(["A", "A.01"]), "no task is called \"A.01\""),
            ("/steps/4/enabled", json!(["A", "!!B"]), "no task is called \"!!B\""),
            ("/processes/0/task", json!(""), "no task is called \"\""),
        ] {
            let error = error_with(pointer, value);
            assert!(error.contains(reason), "{pointer}: {error}");
            assert!(error.starts_with("x.json: not a schedule of an execution: "), "{error}");
        }
    }

    /// The pointers to all values in the document, of a list those in its first elements only.
    fn pointers(document: &Value, at: &str, found: &mut Vec<String>) {
        found.push(at.to_owned());
        match document {
            Value::Array(items) => {
                let first = items.iter().enumerate().take(2);
                first.for_each(|(index, item)| pointers(item, &format!("{at}/{index}"), found));
            }
            Value::Object(fields) => {
                fields.iter().for_each(|(name, field)| pointers(field, &format!("{at}/{name}"), found));
            }
            _ => {}
        }
    }

    #[test]
    fn nothing_in_a_file_is_a_panic() {
        let odd = [json!(null), json!(true), json!(0), json!(-1), json!(1e300), json!(u64::MAX)];
        let odd = [&odd[..], &[json!("\u{0}é"), json!([]), json!([[[]]]), json!({})]].concat();
        let document: Value = serde_json::from_str(EXAMPLES[2]).unwrap();
        let mut found = Vec::new();
        pointers(&document, "", &mut found);
        assert!(found.len() > 60, "{found:?}");
        for (pointer, value) in found.iter().flat_map(|pointer| odd.iter().map(move |value| (pointer, value)))
        {
            let mut document = document.clone();
            *document.pointer_mut(pointer).unwrap() = value.clone();
            if let Err(error) = parse(document.to_string().as_bytes()) {
                assert!(error.to_string().starts_with("x.json: "), "{pointer}: {error}");
            }
        }
    }

    #[test]
    fn no_part_of_a_file_is_a_schedule() {
        let text = EXAMPLES[2].trim_end().as_bytes();
        for length in (0..text.len()).step_by(7).chain([text.len() - 1]) {
            assert!(parse(&text[..length]).is_err(), "{length}");
        }
    }
}
