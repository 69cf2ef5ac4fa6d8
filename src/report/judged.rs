//! What was found about one daemon.

use serde::Serialize;
use std::time::Duration;

/// All that is to be told about one daemon.
#[derive(Debug, Clone)]
pub(crate) struct Judged {
    /// The command, with its placeholders, as a shell would take it.
    pub(crate) command: String,
    /// Which argument switches on what.
    pub(crate) modes: Vec<(&'static str, String)>,
    pub(crate) verdict: Verdict,
    /// Why nothing at all could be judged.
    pub(crate) obstacle: Option<String>,
    /// In the order of the catalogue, so that a family stands together.
    pub(crate) rows: Vec<Row>,
    pub(crate) elapsed: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Holds,
    Violated,
    Inconclusive,
}

/// One promise.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// `family.promise`.
    pub(crate) id: String,
    pub(crate) promise: String,
    pub(crate) outcome: Outcome,
    /// What was seen, or why nothing was; empty if the promise is kept.
    pub(crate) detail: String,
    pub(crate) elapsed: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Kept,
    Broken,
    Skipped,
    NotJudged,
}

impl Verdict {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Violated => "violated",
            Self::Inconclusive => "inconclusive",
        }
    }
}

impl Row {
    pub(crate) fn family(&self) -> &str {
        family(&self.id)
    }
}

fn family(id: &str) -> &str {
    id.split_once('.').map_or(id, |(family, _)| family)
}

/// One reason, and the checks that share it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reason<'a> {
    pub(crate) text: &'a str,
    pub(crate) ids: Vec<&'a str>,
}

impl Judged {
    pub(crate) fn count(&self, outcome: Outcome) -> usize {
        self.of(outcome).count()
    }

    /// Whether anything was judged at all.
    pub(crate) fn has_judgements(&self) -> bool {
        self.count(Outcome::Kept) + self.count(Outcome::Broken) > 0
    }

    pub(crate) fn families(&self) -> impl Iterator<Item = &[Row]> {
        self.rows.chunk_by(|a, b| a.family() == b.family())
    }

    /// The reasons of the checks that ended in this way, the first one first.
    pub(crate) fn reasons(&self, outcome: Outcome) -> Vec<Reason<'_>> {
        let mut reasons: Vec<Reason<'_>> = Vec::new();
        for row in self.of(outcome) {
            match reasons.iter_mut().find(|reason| reason.text == row.detail) {
                Some(reason) => reason.ids.push(&row.id),
                None => reasons.push(Reason { text: &row.detail, ids: vec![&row.id] }),
            }
        }
        reasons
    }

    /// Why the verdict is that nothing can be said.
    pub(crate) fn reason(&self) -> Option<String> {
        if self.verdict != Verdict::Inconclusive {
            return None;
        }
        let most_frequent = |outcome| {
            let reasons = self.reasons(outcome).into_iter().rev();
            let reason = reasons.max_by_key(|reason| reason.ids.len());
            reason.map(|reason| reason.text.to_owned())
        };
        let no_check_applies = || Some("no check applies".to_owned());
        self.obstacle
            .clone()
            .or_else(|| most_frequent(Outcome::NotJudged))
            .or_else(|| most_frequent(Outcome::Skipped))
            .or_else(no_check_applies)
    }

    /// `42 kept, 1 broken, 3 skipped, 0 not judged`.
    pub(crate) fn summary(&self) -> String {
        format!(
            "{} kept, {} broken, {} skipped, {} not judged",
            self.count(Outcome::Kept),
            self.count(Outcome::Broken),
            self.count(Outcome::Skipped),
            self.count(Outcome::NotJudged),
        )
    }

    fn of(&self, outcome: Outcome) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.outcome == outcome)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// One of each, with text that needs care.
    pub(crate) fn example() -> Judged {
        let row = |id: &str, promise: &str, outcome, detail: &str| Row {
            id: id.into(),
            promise: promise.into(),
            outcome,
            detail: detail.into(),
            elapsed: Duration::from_millis(1234),
        };
        let no_monitor = "no argument is known that has the daemon monitored (--monitor)";
        Judged {
            command: "mydaemon --pidfile={pidfile}".into(),
            modes: vec![("detach", "--detach".into())],
            verdict: Verdict::Violated,
            obstacle: None,
            rows: vec![
                row("detach.new-session", "it runs in a session of its own", Outcome::Kept, ""),
                row(
                    "detach.no-terminal",
                    "it has no controlling terminal and cannot get one by accident, because it does not lead its session",
                    Outcome::Broken,
                    "pid 812 (mydaemon) leads session 812\nits title: \x1b[2J<b>\"a & b\"</b>",
                ),
                row("monitor.restarts", "a crash brings a new daemon", Outcome::Skipped, no_monitor),
                row("monitor.forwards", "SIGTERM ends both", Outcome::Skipped, no_monitor),
                row("stop.in-time", "SIGTERM ends it", Outcome::NotJudged, "timed out"),
            ],
            elapsed: Duration::from_millis(2100),
        }
    }

    #[test]
    fn equal_reasons_are_told_once() {
        let judged = example();
        let reasons = judged.reasons(Outcome::Skipped);
        assert_eq!(reasons.len(), 1);
        assert_eq!(reasons[0].ids, ["monitor.restarts", "monitor.forwards"]);
        assert_eq!(judged.families().count(), 3);
    }

    #[test]
    fn only_an_inconclusive_verdict_needs_a_reason() {
        let mut judged = example();
        assert_eq!(judged.reason(), None);
        judged.verdict = Verdict::Inconclusive;
        assert_eq!(judged.reason().as_deref(), Some("timed out"));
        judged.rows.truncate(4);
        assert!(judged.reason().is_some_and(|reason| reason.contains("--monitor")));
        judged.rows.clear();
        assert_eq!(judged.reason().as_deref(), Some("no check applies"));
    }
}
