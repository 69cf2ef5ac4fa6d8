//! A race for programs.

use super::json::to_json;
use super::judged::Verdict;
use super::race::{Drawing, End, Race, Search};
use serde::Serialize;

#[derive(Serialize)]
struct Document<'a> {
    verdict: Verdict,
    /// Why it was not searched to the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    exhausted: bool,
    executions: u64,
    pruned: u64,
    operations: u64,
    elapsed_s: f64,
    violations: Vec<Violation<'a>>,
}

#[derive(Serialize)]
struct Violation<'a> {
    invariant: &'a str,
    sentence: &'a str,
    executions: u64,
    first_execution: u64,
    processes: Vec<Process<'a>>,
    schedule: Vec<Step<'a>>,
    file: Option<&'a str>,
}

#[derive(Serialize)]
struct Process<'a> {
    task: &'a str,
    end: &'a str,
    says: &'a str,
}

#[derive(Serialize)]
struct Step<'a> {
    task: &'a str,
    operation: &'a str,
    result: &'a str,
}

/// The report as the JSON that the command line promises.
pub(crate) fn race_json(race: &Race, search: &Search) -> serde_json::Result<String> {
    to_json(&Document {
        verdict: search.verdict,
        reason: search.stopped.as_deref().filter(|_| !search.exhausted),
        exhausted: search.exhausted,
        executions: search.executions,
        pruned: search.pruned,
        operations: search.operations,
        elapsed_s: search.elapsed.as_secs_f64(),
        violations: race.drawings.iter().filter_map(violation).collect(),
    })
}

/// `None` if nothing is broken.
fn violation(drawing: &Drawing) -> Option<Violation<'_>> {
    let broken = drawing.broken.as_ref()?;
    let steps = drawing.steps.iter();
    Some(Violation {
        invariant: &broken.invariant,
        sentence: &broken.sentence,
        executions: drawing.found.map_or(1, |found| found.executions),
        first_execution: drawing.found.map_or(1, |found| found.first_execution),
        processes: drawing.ends.iter().map(|End { task, end, says }| Process { task, end, says }).collect(),
        schedule: steps
            .map(|step| Step { task: &step.task, operation: &step.operation, result: &step.result })
            .collect(),
        file: drawing.file.as_deref(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::race::tests::example;
    use super::*;
    use serde_json::{Value, json};

    fn document(race: &Race) -> Value {
        serde_json::from_str(&race_json(race, race.search.as_ref().unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn it_is_what_the_command_line_promises() {
        let document = document(&example());
        let keys: Vec<_> = document.as_object().unwrap().keys().map(String::as_str).collect();
        let promised =
            ["elapsed_s", "executions", "exhausted", "operations", "pruned", "verdict", "violations"];
        assert_eq!(keys, promised);
        assert_eq!(document["verdict"], "violated");
        assert_eq!(document["elapsed_s"], 11.234);
        let violation = &document["violations"][0];
        assert_eq!(violation["invariant"], "running-owns-pidfile");
        assert_eq!((&violation["executions"], &violation["first_execution"]), (&json!(12), &json!(1114)));
        assert_eq!(violation["file"], "my violations/running-owns-pidfile-1.json");
        assert_eq!(violation["processes"][0], json!({"task": "A", "end": "killed (SIGTERM)", "says": ""}));
        assert_eq!(
            violation["schedule"][0],
            json!({"task": "A", "operation": "open d.pid()", "result": "3"})
        );
        assert_eq!(violation["schedule"][5]["task"], "!A");
        assert_eq!(violation["schedule"].as_array().unwrap().len(), 9);
    }

    #[test]
    fn what_is_inconclusive_has_a_reason() {
        let mut race = example();
        race.drawings.clear();
        let search = race.search.as_mut().unwrap();
        (search.verdict, search.exhausted) = (Verdict::Inconclusive, false);
        search.stopped = Some("interrupted".into());
        let document = document(&race);
        assert_eq!(document["verdict"], "inconclusive");
        assert_eq!(document["reason"], "interrupted");
        assert_eq!(document["exhausted"], false);
        assert_eq!(document["violations"], json!([]));
    }
}
