//! A race for a terminal, with ANSI escapes; who prints it removes those where they are not wanted.

use super::judged::Verdict;
use super::race::{Drawing, Race, Search};
use super::race_fold::Row;
use super::race_lanes::{lanes, shown};
use super::text::Look;
use super::wrap::{printable, wrap};
use anstyle::{AnsiColor, Style};
use std::fmt::Write;

/// More are of no use to anybody.
const MOST_FILES: usize = 20;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const RED: Style = AnsiColor::Red.on_default().bold();

/// The violations as swim lanes, and the verdict. With `all`, no step is folded.
pub(crate) fn race_text(race: &Race, all: bool, look: Look) -> String {
    let mut text = heading(race, look);
    let summary = race.search.as_ref().map(|search| (search.summary(), search.verdict));
    let is_only_one = race.drawings.len() == 1;
    for drawing in &race.drawings {
        let beside = summary.as_ref().filter(|_| is_only_one).map(|(summary, _)| summary.as_str());
        text += &drawing_text(drawing, race.search.as_ref(), beside, all, look);
        text.push('\n');
    }
    match summary {
        Some((summary, verdict)) if !is_only_one => text += &ending(&summary, verdict, look),
        // The last blank line was to be between two.
        _ => drop(text.pop()),
    }
    text
}

fn heading(race: &Race, look: Look) -> String {
    let facts = race.facts.iter().map(|(name, value)| format!("{name}: {}", printable(value)));
    let facts = facts.collect::<Vec<_>>().join(", ");
    let mut text = styled(&wrap(&printable(&race.command), look.width), BOLD);
    text += &styled(&wrap(&facts, look.width), DIM);
    text.push('\n');
    text
}

fn ending(summary: &str, verdict: Verdict, look: Look) -> String {
    let style = match verdict {
        Verdict::Holds => AnsiColor::Green.on_default().bold(),
        Verdict::Violated => RED,
        Verdict::Inconclusive => AnsiColor::Yellow.on_default().bold(),
    };
    let verdict = verdict.name();
    let mut lines = wrap(&format!("{summary}: {verdict}"), look.width);
    if let Some(last) = lines.last_mut() {
        let rest = last.len() - verdict.len();
        *last = format!("{}{style}{verdict}{style:#}", &last[..rest]);
    }
    styled(&lines, Style::new())
}

/// One execution; `beside` stands at its end.
fn drawing_text(
    drawing: &Drawing,
    search: Option<&Search>,
    beside: Option<&str>,
    all: bool,
    look: Look,
) -> String {
    let (rows, body) = lanes(drawing, all, look);
    let mut text = title(drawing, search, look);
    text += &body;
    text += &finish(drawing, look);
    let passes = drawing.passes().map(|passes| format!("{passes}."));
    let line: Vec<_> = passes.into_iter().chain(beside.map(str::to_owned)).collect();
    match line.join("   ") {
        both if both.chars().count() <= look.width => text += &styled(&[both], Style::new()),
        _ => {
            text += &styled(
                &line.iter().flat_map(|part| wrap(part, look.width)).collect::<Vec<_>>(),
                Style::new(),
            )
        }
    }
    if let Some(replay) = drawing.replay() {
        // Not wrapped: it is to be copied.
        let _ = writeln!(text, "replay: {}", printable(&replay));
    }
    if rows.iter().any(|row| matches!(row, Row::Folded(_))) {
        let file =
            drawing.replay().map(|replay| replay.replacen("daemonproof replay", "daemonproof show --all", 1));
        let how = file.map_or_else(|| "--all".to_owned(), |show| printable(&show));
        let _ = writeln!(text, "{DIM}every step: {how}{DIM:#}");
    }
    text
}

/// What is broken, and in which execution, beside each other if that fits.
fn title(drawing: &Drawing, search: Option<&Search>, look: Look) -> String {
    let style = if drawing.broken.is_some() { RED } else { BOLD };
    let heading = shown(&drawing.heading(), look);
    let place = drawing.place(search).map(|place| format!("({place})")).unwrap_or_default();
    let space = look.width.saturating_sub(heading.chars().count() + place.chars().count());
    let mut text = match space {
        0..4 => styled(&wrap(&heading, look.width), style) + &styled(&wrap(&place, look.width), DIM),
        // Far from it, it would be overlooked.
        4.. => format!("{style}{heading}{style:#}{:1$}{DIM}{place}{DIM:#}\n", "", space.min(8)),
    };
    if place.is_empty() {
        text = styled(&wrap(&heading, look.width), style);
    }
    text.push('\n');
    text
}

/// What became of the tasks and of the files.
fn finish(drawing: &Drawing, look: Look) -> String {
    let state = drawing.last_state();
    let mut facts: Vec<(String, String)> = Vec::new();
    for end in &drawing.ends {
        let says = if end.says.is_empty() { String::new() } else { format!(": {}", end.says) };
        facts.push((end.task.clone(), format!("{}{says}", end.end)));
    }
    if !drawing.pidfile.is_empty() && !state.has_name(&drawing.pidfile) {
        facts.push((drawing.pidfile.clone(), "missing".to_owned()));
    }
    let files = state.files();
    let files: Vec<_> = files.iter().filter(|file| file.matters()).collect();
    for file in files.iter().take(MOST_FILES) {
        let name = if file.names.is_empty() { "(no name)".to_owned() } else { file.names.join(", ") };
        let locks = file.locks.iter().map(|(kind, task)| format!("locked by {task} ({kind})"));
        let content = file.content.map(|_| file.shown_content());
        let parts = std::iter::once(format!("file {}", file.file)).chain(content).chain(locks);
        facts.push((name, parts.collect::<Vec<_>>().join(", ")));
    }
    if files.len() > MOST_FILES {
        facts.push((String::new(), format!("and {} more", files.len() - MOST_FILES)));
    }
    if facts.is_empty() {
        return "\n".to_owned();
    }
    let width = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).min(20);
    let mut text = format!("\n{BOLD}in the end{BOLD:#}\n");
    for (name, fact) in facts {
        let lines = wrap(&shown(&fact, look), look.width.saturating_sub(width + 4).max(20));
        for (index, line) in lines.iter().enumerate() {
            let name = if index == 0 { printable(&name) } else { String::new() };
            let _ = writeln!(text, "  {name:width$}  {line}");
        }
    }
    text.push('\n');
    text
}

fn styled(lines: &[String], style: Style) -> String {
    let mut text = String::new();
    for line in lines {
        let _ = writeln!(text, "{style}{line}{style:#}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::race::tests::{drawing, example};
    use super::*;

    fn plain(race: &Race, width: usize) -> String {
        let text = race_text(race, false, Look { width, utf8: true });
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn swim_lanes() {
        insta::assert_snapshot!(plain(&example(), 100));
    }

    #[test]
    fn every_step_without_utf8() {
        let mut race = example();
        race.drawings[0].steps[2].short = "rename .tmp → d.pid".into();
        let text = race_text(&race, true, Look { width: 60, utf8: false });
        let text = anstream::adapter::strip_str(&text).to_string();
        assert!(text.is_ascii(), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn what_holds_takes_three_lines() {
        let mut race = example();
        race.drawings.clear();
        race.search.as_mut().unwrap().verdict = Verdict::Holds;
        insta::assert_snapshot!(plain(&race, 80), @r"
        mydaemon --pidfile={pidfile}
        scenario: handover, contenders: 2

        exhausted: 6,574 executions, 23 distinct outcomes, 11.2 s: holds
        ");
    }

    #[test]
    fn several_violations_share_the_verdict() {
        let mut race = example();
        race.drawings.push(Drawing { broken: None, found: None, file: None, ..drawing() });
        let text = plain(&race, 100);
        assert!(
            text.ends_with("\n\nexhausted: 6,574 executions, 23 distinct outcomes, 11.2 s: violated\n"),
            "{text}"
        );
        assert!(text.contains("\nno invariant is broken\n"), "{text}");
        assert_eq!(text.matches("passes if 2 comes after 8.\n").count(), 2, "{text}");
        assert_eq!(text.matches("every step: --all\n").count(), 1, "{text}");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in 60..140 {
            for line in plain(&example(), width).lines().filter(|line| !line.contains(": daemonproof ")) {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn nothing_escapes_to_the_terminal() {
        let text = race_text(&example(), true, Look { width: 100, utf8: true });
        assert!(text.contains("\x1b[1m\x1b[31m"), "colours are escapes");
        assert!(text.contains(r#"<b>\u{1b}[2J & "so""#), "{text}");
    }
}
