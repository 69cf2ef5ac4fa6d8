//! Reports for a terminal, with ANSI escapes; who prints them removes those where they are not wanted.

use super::judged::{Judged, Outcome, Row, Verdict};
use super::wrap::{printable, wrap};
use anstyle::{AnsiColor, Style};
use std::fmt::Write;

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// In columns.
    pub(crate) width: usize,
    /// Whether it can show more than ASCII.
    pub(crate) utf8: bool,
}

/// Below this a promise is easier to read on a line of its own.
const NARROWEST_PROMISE: usize = 28;
const DETAIL_INDENT: usize = 6;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default();

impl Look {
    fn mark(self, outcome: Outcome) -> &'static str {
        match (outcome, self.utf8) {
            (Outcome::Kept, true) => "✓",
            (Outcome::Kept, false) => "+",
            (Outcome::Broken, true) => "✗",
            (Outcome::Broken, false) => "x",
            (Outcome::Skipped, true) => "–",
            (Outcome::Skipped, false) => "-",
            (Outcome::NotJudged, _) => "?",
        }
    }
}

/// The table of what was judged, by family; the checks that were not, by reason; and the verdict.
pub(crate) fn judged_text(judged: &Judged, look: Look) -> String {
    let mut text = heading(judged, look);
    // Where nothing at all was judged, the reasons say everything.
    let has_table = judged.has_judgements();
    if has_table {
        for family in judged.families() {
            table(&mut text, family, look);
        }
        text.push('\n');
    }
    reasons(&mut text, judged, Outcome::Skipped, look);
    reasons(&mut text, judged, Outcome::NotJudged, look);
    ending(&mut text, judged);
    text
}

fn heading(judged: &Judged, look: Look) -> String {
    let mut text = lines(&wrap(&printable(&judged.command), look.width), 0, BOLD);
    let modes = judged.modes.iter().map(|(name, argument)| match argument.is_empty() {
        true => format!("{name}: by itself"),
        false => format!("{name}: {}", printable(argument)),
    });
    let modes = modes.collect::<Vec<_>>().join(", ");
    text += &lines(&wrap(&modes, look.width), 0, DIM);
    text.push('\n');
    text
}

fn table(text: &mut String, rows: &[Row], look: Look) {
    let rows = || rows.iter().filter(|row| row.outcome != Outcome::Skipped);
    let id_width = rows().map(|row| row.id.chars().count()).max().unwrap_or(0);
    if let Some(first) = rows().next() {
        *text += &lines(&[first.family().to_owned()], 0, BOLD);
    }
    for row in rows() {
        promise(text, row, id_width, look);
        if row.outcome == Outcome::Broken {
            let width = look.width.saturating_sub(DETAIL_INDENT);
            *text += &lines(&wrap(&printable(&row.detail), width), DETAIL_INDENT, Style::new());
        }
    }
}

/// `  ✓ family.promise  the promise`, continued below itself.
fn promise(text: &mut String, row: &Row, id_width: usize, look: Look) {
    let (mark_style, style) = match row.outcome {
        Outcome::Kept => (GREEN, Style::new()),
        Outcome::Broken => (RED, BOLD),
        Outcome::Skipped => (DIM, DIM),
        Outcome::NotJudged => (YELLOW, Style::new()),
    };
    let mark = look.mark(row.outcome);
    let id = &row.id;
    let beside = id_width + 6;
    let stacked = beside + NARROWEST_PROMISE > look.width;
    let indent = if stacked { DETAIL_INDENT } else { beside };
    let promise = wrap(&row.promise, look.width.saturating_sub(indent));
    let (first, rest) = match promise.split_first() {
        Some((first, rest)) if !stacked => (first.as_str(), rest),
        _ => ("", promise.as_slice()),
    };
    let id_width = if first.is_empty() { 0 } else { id_width };
    let space = if first.is_empty() { "" } else { "  " };
    let _ = writeln!(text, "  {mark_style}{mark}{mark_style:#} {style}{id:id_width$}{space}{first}{style:#}");
    *text += &lines(rest, indent, style);
}

/// `– 12 checks skipped: no argument is known …`, and which they are, unless the table or the reason tells.
fn reasons(text: &mut String, judged: &Judged, outcome: Outcome, look: Look) {
    let reasons = judged.reasons(outcome);
    let (how, in_table) = match outcome {
        Outcome::NotJudged => ("not judged", judged.has_judgements()),
        _ => ("skipped", false),
    };
    let is_all = judged.count(outcome) == judged.rows.len();
    let names_ids = reasons.len() > 1 || !in_table && !is_all;
    for reason in &reasons {
        let count = reason.ids.len();
        let checks = if count == 1 { "check" } else { "checks" };
        let mark = look.mark(outcome);
        let told = format!("{mark} {count} {checks} {how}: {}", printable(reason.text));
        *text += &lines(&wrap(&told, look.width), 0, Style::new());
        if names_ids {
            let ids = wrap(&reason.ids.join(", "), look.width.saturating_sub(4));
            *text += &lines(&ids, 4, DIM);
        }
    }
}

fn ending(text: &mut String, judged: &Judged) {
    let style = match judged.verdict {
        Verdict::Holds => GREEN.bold(),
        Verdict::Violated => RED,
        Verdict::Inconclusive => YELLOW.bold(),
    };
    let (summary, verdict) = (judged.summary(), judged.verdict.name());
    let elapsed_s = judged.elapsed.as_secs_f64();
    let _ = writeln!(text, "{summary} in {elapsed_s:.1} s: {style}{verdict}{style:#}");
}

fn lines(lines: &[String], indent: usize, style: Style) -> String {
    let mut text = String::new();
    for line in lines {
        let _ = writeln!(text, "{:indent$}{style}{line}{style:#}", "");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::judged::tests::example;
    use super::*;

    fn plain(judged: &Judged, look: Look) -> String {
        anstream::adapter::strip_str(&judged_text(judged, look)).to_string()
    }

    #[test]
    fn a_table_by_family() {
        insta::assert_snapshot!(plain(&example(), Look { width: 80, utf8: true }));
    }

    #[test]
    fn a_narrow_terminal_without_utf8() {
        insta::assert_snapshot!(plain(&example(), Look { width: 40, utf8: false }));
    }

    #[test]
    fn colours_are_escapes() {
        let text = judged_text(&example(), Look { width: 200, utf8: true });
        assert!(text.contains("\x1b[1m\x1b[31m✗\x1b[0m"), "{text:?}");
        let text = text.replace('\x1b', "ESC");
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
    }

    #[test]
    fn one_reason_for_everything_is_told_once() {
        let mut judged = example();
        judged.verdict = Verdict::Inconclusive;
        for row in &mut judged.rows {
            row.outcome = Outcome::NotJudged;
            row.detail = "timed out".into();
        }
        insta::assert_snapshot!(plain(&judged, Look { width: 80, utf8: true }));
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in 70..120 {
            for line in plain(&example(), Look { width, utf8: true }).lines().skip(1) {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
    }
}
