//! Reports for programs.

use super::judged::{Judged, Outcome, Row, Verdict};
use serde::Serialize;

#[derive(Serialize)]
struct Document<'a> {
    verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    command: &'a str,
    summary: Summary,
    elapsed_s: f64,
    checks: Vec<Check<'a>>,
}

#[derive(Serialize)]
struct Summary {
    kept: usize,
    broken: usize,
    skipped: usize,
    not_judged: usize,
}

#[derive(Serialize)]
struct Check<'a> {
    id: &'a str,
    outcome: &'static str,
    detail: &'a str,
    family: &'a str,
    promise: &'a str,
    /// False for a check that applies but could not be judged; both that and one that does not apply are skipped.
    judged: bool,
    elapsed_s: f64,
}

impl<'a> Check<'a> {
    fn new(row: &'a Row) -> Self {
        let outcome = match row.outcome {
            Outcome::Kept => "pass",
            Outcome::Broken => "fail",
            Outcome::Skipped | Outcome::NotJudged => "skip",
        };
        Self {
            id: &row.id,
            outcome,
            detail: &row.detail,
            family: row.family(),
            promise: &row.promise,
            judged: row.outcome != Outcome::NotJudged,
            elapsed_s: row.elapsed.as_secs_f64(),
        }
    }
}

/// The report as the JSON that the command line promises.
pub(crate) fn judged_json(judged: &Judged) -> serde_json::Result<String> {
    to_json(&Document {
        verdict: judged.verdict,
        reason: judged.reason(),
        command: &judged.command,
        summary: Summary {
            kept: judged.count(Outcome::Kept),
            broken: judged.count(Outcome::Broken),
            skipped: judged.count(Outcome::Skipped),
            not_judged: judged.count(Outcome::NotJudged),
        },
        elapsed_s: judged.elapsed.as_secs_f64(),
        checks: judged.rows.iter().map(Check::new).collect(),
    })
}

/// Any plain value, one field a line, with a line feed at the end.
pub(crate) fn to_json(value: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string_pretty(value).map(|text| text + "\n")
}

#[cfg(test)]
mod tests {
    use super::super::judged::tests::example;
    use super::*;

    #[test]
    fn it_is_what_the_command_line_promises() {
        insta::assert_snapshot!(judged_json(&example()).unwrap());
    }

    #[test]
    fn nothing_judged_is_an_empty_list() {
        let judged = Judged {
            verdict: Verdict::Inconclusive,
            obstacle: Some("failed to start x".into()),
            rows: Vec::new(),
            ..example()
        };
        let json: serde_json::Value = serde_json::from_str(&judged_json(&judged).unwrap()).unwrap();
        assert_eq!(json["verdict"], "inconclusive");
        assert_eq!(json["checks"], serde_json::json!([]));
        assert_eq!(json["reason"], "failed to start x");
    }
}
