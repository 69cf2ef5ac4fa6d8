//! What came of a race, and one execution of it to be drawn.

use super::judged::Verdict;
use super::shell::quoted;
use std::collections::HashMap;
use std::time::Duration;

/// All that is to be told about a search, or about a saved schedule.
#[derive(Debug, Clone)]
pub(crate) struct Race {
    /// The command, with its placeholders, as a shell would take it.
    pub(crate) command: String,
    /// The scenario, the strategy and whatever else was asked for, in words.
    pub(crate) facts: Vec<(&'static str, String)>,
    /// What the search came to; nothing was searched if a saved schedule is shown.
    pub(crate) search: Option<Search>,
    /// Each violation once.
    pub(crate) drawings: Vec<Drawing>,
}

/// How much was searched, and the verdict.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    pub(crate) verdict: Verdict,
    /// Why it was not searched to the end.
    pub(crate) stopped: Option<String>,
    pub(crate) exhausted: bool,
    pub(crate) executions: u64,
    /// Of the executions, those that were given up because another one covers them.
    pub(crate) pruned: u64,
    pub(crate) operations: u64,
    /// Distinct final states, if they were counted.
    pub(crate) outcomes: Option<u64>,
    pub(crate) elapsed: Duration,
}

/// One execution.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drawing {
    /// What it breaks.
    pub(crate) broken: Option<Broken>,
    /// Where the search met it.
    pub(crate) found: Option<Found>,
    /// Where it is saved.
    pub(crate) file: Option<String>,
    /// The name of the pidfile, as it is among the names of a state.
    pub(crate) pidfile: String,
    /// From left to right.
    pub(crate) lanes: Vec<Lane>,
    /// Before the first step.
    pub(crate) initial: State,
    pub(crate) steps: Vec<Step>,
    pub(crate) ends: Vec<End>,
    /// The step at which it goes wrong, counted from 0.
    pub(crate) critical: Option<usize>,
    /// Had the first of these steps come after the second, nothing were broken.
    pub(crate) flip: Option<(usize, usize)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Broken {
    pub(crate) invariant: String,
    pub(crate) sentence: String,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    /// In how many executions.
    pub(crate) executions: u64,
    /// In which one first, counted from 1.
    pub(crate) first_execution: u64,
}

/// The column of one task.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    pub(crate) task: String,
    /// What it does: `start, then stopped`.
    pub(crate) role: String,
    /// Lanes of one contender have one number, from 0.
    pub(crate) contender: usize,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Step {
    /// In which lane it stands.
    pub(crate) lane: usize,
    /// Who made it; not the lane's task if it is the scenario's signal to that.
    pub(crate) task: String,
    /// Who else could have made a step.
    pub(crate) others: Vec<String>,
    pub(crate) operation: String,
    pub(crate) short: String,
    pub(crate) result: String,
    pub(crate) note: String,
    /// What it is about, under one name in all tasks.
    pub(crate) objects: Vec<String>,
    /// Why it matters.
    pub(crate) remark: String,
    /// What there is after it.
    pub(crate) state: State,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// Name and file.
    pub(crate) names: Vec<(String, String)>,
    /// File and content.
    pub(crate) contents: Vec<(String, String)>,
    /// File, kind, and who holds it.
    pub(crate) locks: Vec<(String, String, String)>,
    pub(crate) running: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct End {
    pub(crate) task: String,
    pub(crate) end: String,
    pub(crate) says: String,
}

/// One file in a state, with all that is known about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FileState<'a> {
    /// Empty if it was removed while it is still open.
    pub(crate) names: Vec<&'a str>,
    pub(crate) file: &'a str,
    pub(crate) content: Option<&'a str>,
    /// Kind and holder.
    pub(crate) locks: Vec<(&'a str, &'a str)>,
}

impl Search {
    /// `exhausted: 199 executions, 23 distinct outcomes, 0.4 s`.
    pub(crate) fn summary(&self) -> String {
        let how = match (&self.stopped, self.exhausted) {
            (_, true) => "exhausted".to_owned(),
            (Some(reason), false) => format!("not exhausted ({reason})"),
            (None, false) => "not exhausted".to_owned(),
        };
        let executions = counted(self.executions, "execution");
        let outcomes = self.outcomes.map(|outcomes| format!(", {}", counted(outcomes, "distinct outcome")));
        format!("{how}: {executions}{}, {}", outcomes.unwrap_or_default(), seconds(self.elapsed))
    }
}

impl Drawing {
    /// What there was before step `index`.
    pub(crate) fn before(&self, index: usize) -> &State {
        let previous = index.checked_sub(1).and_then(|index| self.steps.get(index));
        previous.map_or(&self.initial, |step| &step.state)
    }

    /// What there is after the last step.
    pub(crate) fn last_state(&self) -> &State {
        self.before(self.steps.len())
    }

    pub(crate) fn is_flipped(&self, index: usize) -> bool {
        self.flip.is_some_and(|(first, second)| index == first || index == second)
    }

    /// `passes if 13 comes after 14`.
    pub(crate) fn passes(&self) -> Option<String> {
        self.flip.map(|(first, second)| format!("passes if {} comes after {}", first + 1, second + 1))
    }

    /// What is to be said in one line.
    pub(crate) fn heading(&self) -> String {
        match &self.broken {
            Some(broken) => format!("{} is broken: {}", broken.invariant, broken.sentence),
            None => "no invariant is broken".to_owned(),
        }
    }

    /// `execution 42 of 199`, or of as many as there were.
    pub(crate) fn place(&self, search: Option<&Search>) -> Option<String> {
        let first = grouped(self.found?.first_execution);
        Some(match search {
            Some(search) => format!("execution {first} of {}", grouped(search.executions)),
            None => format!("execution {first}"),
        })
    }

    /// The command that runs it again, as a shell would take it.
    pub(crate) fn replay(&self) -> Option<String> {
        self.file.as_ref().map(|file| format!("daemonproof replay {}", quoted([as_path(file)])))
    }
}

impl Step {
    /// Whether the scenario made it, and not the lane's task.
    pub(crate) fn is_signal(&self) -> bool {
        self.task.starts_with('!')
    }

    /// Whether the call failed: results that are errors are written `EAGAIN`.
    pub(crate) fn failed(&self) -> bool {
        let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
        self.result.len() > 2 && self.result.starts_with('E') && self.result.chars().all(is_name)
    }

    /// What came of it, as briefly as it can be said: numbers that mean nothing to a reader are left out.
    pub(crate) fn detail(&self) -> String {
        match (self.failed(), self.note.as_str(), self.result.as_str()) {
            (true, "", error) => error.to_owned(),
            (true, note, error) => format!("{error}, {note}"),
            (false, "", "0") => "ok".to_owned(),
            (false, "", result) => result.to_owned(),
            (false, note, _) => note.to_owned(),
        }
    }
}

impl State {
    pub(crate) fn has_name(&self, name: &str) -> bool {
        self.names.iter().any(|(known, _)| known == name)
    }

    /// Its files: those with names in the order of the names, then the others.
    pub(crate) fn files<'a>(&'a self) -> Vec<FileState<'a>> {
        let mut files: Vec<FileState<'a>> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut place = |files: &mut Vec<FileState<'a>>, file: &'a str| {
            let next = files.len();
            let place = *places.entry(file).or_insert(next);
            if place == next {
                files.push(FileState { file, ..FileState::default() });
            }
            place
        };
        for (name, file) in &self.names {
            let place = place(&mut files, file.as_str());
            files[place].names.push(name);
        }
        for (file, kind, task) in &self.locks {
            let place = place(&mut files, file.as_str());
            files[place].locks.push((kind, task));
        }
        for (file, content) in &self.contents {
            let place = place(&mut files, file.as_str());
            files[place].content = Some(content);
        }
        files
    }
}

impl FileState<'_> {
    /// Whether anybody could still come upon it.
    pub(crate) fn matters(&self) -> bool {
        !self.names.is_empty() || !self.locks.is_empty()
    }

    /// The content as it would be written in a program, or that there is none.
    pub(crate) fn shown_content(&self) -> String {
        match self.content {
            None => String::new(),
            Some("") => "empty".to_owned(),
            Some(content) => format!("\"{}\"", content.escape_debug()),
        }
    }
}

/// `1 execution`, `6,574 executions`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(count))
}

/// With a comma at each thousand.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// In the unit that suits a person.
pub(crate) fn seconds(elapsed: Duration) -> String {
    match elapsed.as_secs() {
        0..120 => format!("{:.1} s", elapsed.as_secs_f64()),
        whole @ 120..7_200 => format!("{} min {} s", whole / 60, whole % 60),
        whole => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// One that begins with a hyphen would be an option.
fn as_path(file: &str) -> String {
    if file.starts_with('-') { format!("./{file}") } else { file.to_owned() }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Two contenders: B locks a file whose name A has removed.
    pub(crate) fn example() -> Race {
        let search = Search {
            verdict: Verdict::Violated,
            stopped: None,
            exhausted: true,
            executions: 6574,
            pruned: 303,
            operations: 187_186,
            outcomes: Some(23),
            elapsed: Duration::from_millis(11_234),
        };
        Race {
            command: "mydaemon --pidfile={pidfile}".into(),
            facts: vec![("scenario", "handover".into()), ("contenders", "2".into())],
            search: Some(search),
            drawings: vec![drawing()],
        }
    }

    /// One violation.
    pub(crate) fn drawing() -> Drawing {
        let lane =
            |task: &str, role: &str, contender| Lane { task: task.into(), role: role.into(), contender };
        let end =
            |task: &str, end: &str, says: &str| End { task: task.into(), end: end.into(), says: says.into() };
        Drawing {
            broken: Some(Broken {
                invariant: "running-owns-pidfile".into(),
                sentence: "B is running, but d.pid is missing".into(),
            }),
            found: Some(Found { executions: 12, first_execution: 1114 }),
            file: Some("my violations/running-owns-pidfile-1.json".into()),
            pidfile: "d.pid".into(),
            lanes: vec![lane("A", "start, then stopped", 0), lane("B", "start", 1)],
            initial: state(&[], &[], &["A", "B"]),
            steps: steps(),
            ends: vec![end("A", "killed (SIGTERM)", ""), end("B", "running", "<b>\x1b[2J & \"so\"")],
            critical: Some(8),
            flip: Some((1, 7)),
        }
    }

    fn steps() -> Vec<Step> {
        let step = |lane, short: &str, result: &str, note: &str, objects: &[&str], state| Step {
            lane,
            task: ["A", "B"][lane].into(),
            others: vec![["B", "A"][lane].into()],
            operation: format!("{short}()"),
            short: short.into(),
            result: result.into(),
            note: note.into(),
            objects: objects.iter().map(|object| (*object).to_owned()).collect(),
            remark: String::new(),
            state,
        };
        let named = || state(&[("d.pid", "a")], &[], &["A", "B"]);
        let locked = || state(&[("d.pid", "a")], &["A"], &["A", "B"]);
        let mut steps = vec![
            step(0, "open d.pid", "3", "new file a", &["d.pid"], named()),
            step(1, "open d.pid", "3", "file a", &["d.pid"], named()),
            step(0, "lock a", "0", "", &["lock a"], locked()),
            step(0, "stat a", "0", "", &["meta a"], locked()),
            step(0, "getpid", "1001", "", &[], locked()),
            step(0, "SIGTERM", "0", "to A", &["signals A"], locked()),
            step(0, "unlink d.pid", "0", "", &["d.pid"], state(&[], &["A"], &["A", "B"])),
            step(0, "exit SIGTERM", "", "unlocks a", &["process A", "lock a"], state(&[], &[], &["B"])),
            step(1, "lock a", "0", "", &["lock a"], state(&[], &["B"], &["B"])),
        ];
        steps[5].task = "!A".into();
        steps[8].remark = "a has no name any more".into();
        steps
    }

    fn state(names: &[(&str, &str)], lockers: &[&str], running: &[&str]) -> State {
        State {
            names: names.iter().map(|(name, file)| ((*name).into(), (*file).into())).collect(),
            contents: vec![("a".into(), "1001\n".into())],
            locks: lockers.iter().map(|task| ("a".into(), "POSIX write".into(), (*task).into())).collect(),
            running: running.iter().map(|task| (*task).to_owned()).collect(),
        }
    }

    #[test]
    fn numbers_are_for_people() {
        assert_eq!(
            [0, 999, 1000, 187_186, 10_000_000].map(grouped),
            ["0", "999", "1,000", "187,186", "10,000,000"]
        );
        assert_eq!(counted(1, "execution"), "1 execution");
        let seconds = |s, ms: u32| super::seconds(Duration::new(s, ms * 1_000_000));
        assert_eq!([seconds(0, 412), seconds(119, 0), seconds(150, 0)], ["0.4 s", "119.0 s", "2 min 30 s"]);
        assert_eq!(seconds(7_260, 0), "2 h 1 min");
    }

    #[test]
    fn a_summary_says_why_it_is_not_exhausted() {
        let mut search = example().search.unwrap();
        assert_eq!(search.summary(), "exhausted: 6,574 executions, 23 distinct outcomes, 11.2 s");
        search.exhausted = false;
        search.outcomes = None;
        search.stopped = Some("the limit of 1,000 executions was reached".into());
        let summary = "not exhausted (the limit of 1,000 executions was reached): 6,574 executions, 11.2 s";
        assert_eq!(search.summary(), summary);
    }

    #[test]
    fn a_shell_could_take_the_replay() {
        let replay = |file: &str| Drawing { file: Some(file.into()), ..Drawing::default() }.replay().unwrap();
        assert_eq!(replay("violations/a-1.json"), "daemonproof replay violations/a-1.json");
        assert_eq!(replay("it's/a $1.json"), r"daemonproof replay 'it'\''s/a $1.json'");
        assert_eq!(replay("-v/a.json"), "daemonproof replay ./-v/a.json");
        assert_eq!(replay(""), "daemonproof replay ''");
    }

    #[test]
    fn a_result_is_told_by_what_it_means() {
        let detail = |result: &str, note: &str| {
            Step { result: result.into(), note: note.into(), ..Step::default() }.detail()
        };
        assert_eq!(detail("0", ""), "ok");
        assert_eq!(detail("3", "new file a"), "new file a");
        assert_eq!(detail("EAGAIN", ""), "EAGAIN");
        assert_eq!(detail("EAGAIN", "held by B"), "EAGAIN, held by B");
        assert_eq!(detail("", ""), "");
        assert_eq!(detail("Exit", "x"), "x");
    }

    #[test]
    fn a_file_without_a_name_is_told_while_it_is_locked() {
        let state = state(&[], &["B"], &["B"]);
        let files = state.files();
        assert_eq!(files.len(), 1);
        assert!(files[0].matters() && files[0].names.is_empty());
        assert_eq!(files[0].shown_content(), r#""1001\n""#);
        let forgotten = State { locks: Vec::new(), ..state };
        assert!(!forgotten.files()[0].matters());
    }
}
