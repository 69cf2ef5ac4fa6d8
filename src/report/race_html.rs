//! A race for a browser: one file that loads nothing, swim lanes with the state of the world beside each step.
//!
//! It can be read without scripts: folds open, and what is pointed at shows its state, by style alone.

use super::html::{escape, page_with};
use super::judged::Verdict;
use super::race::{Drawing, Lane, Race, Search, Step, grouped, seconds};
use super::race_fold::{Row, rows};
use super::race_html_state::view;
use std::fmt::Write;
use std::ops::Range;

const STYLE: &str = include_str!("race.css");
const SCRIPT: &str = include_str!("race.js");

/// Whatever is in a schedule, the page loads nothing.
const POLICY: &str = "<meta http-equiv=\"Content-Security-Policy\" \
    content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n";

/// More lanes are narrower than their steps, and scroll.
const MOST_LANES_AT_ONCE: usize = 4;

/// The verdict, and each violation in a section of its own.
pub(crate) fn race_html(race: &Race) -> String {
    let mut body = header(race);
    if race.drawings.len() > 1 {
        tabs(&mut body, &race.drawings);
    }
    for (index, drawing) in race.drawings.iter().enumerate() {
        section(&mut body, index + 1, drawing, race.search.as_ref());
    }
    let _ = write!(body, "<script>\n{SCRIPT}</script>\n");
    let subject = match (&race.search, race.drawings.first()) {
        (Some(search), _) => search.verdict.name().to_owned(),
        (None, Some(drawing)) => drawing.heading(),
        (None, None) => "schedule".to_owned(),
    };
    page_with(&format!("{subject}: {}", race.command), STYLE, &body).replacen(
        "<title>",
        &format!("{POLICY}<title>"),
        1,
    )
}

fn header(race: &Race) -> String {
    let mut body = String::from("<header>\n<div class=\"top\">");
    if let Some(search) = &race.search {
        let class = match search.verdict {
            Verdict::Holds => "kept",
            Verdict::Violated => "broken",
            Verdict::Inconclusive => "open",
        };
        let _ = write!(body, "<p class=\"verdict {class}\">{}</p>", search.verdict.name());
    }
    let _ = writeln!(body, "<h1><code>{}</code></h1></div>", escape(&race.command));
    let facts = race.facts.iter().map(|(name, value)| (*name, value.clone())).collect::<Vec<_>>();
    list(&mut body, "facts", &facts);
    if let Some(search) = &race.search {
        list(&mut body, "numbers", &numbers(search));
        let _ = writeln!(body, "<p class=\"why dim\">{}</p>", escape(&explanation(search)));
    }
    body + "</header>\n"
}

fn list(body: &mut String, class: &str, facts: &[(&str, String)]) {
    let _ = write!(body, "<dl class=\"{class}\">");
    for (name, value) in facts {
        let _ = write!(body, "<div><dt>{name}</dt><dd>{}</dd></div>", escape(value));
    }
    *body += "</dl>\n";
}

fn numbers(search: &Search) -> Vec<(&'static str, String)> {
    let mut numbers =
        vec![("executions", grouped(search.executions)), ("of which pruned", grouped(search.pruned))];
    numbers.extend(search.outcomes.map(|outcomes| ("distinct outcomes", grouped(outcomes))));
    numbers.extend([("operations", grouped(search.operations)), ("time", seconds(search.elapsed))]);
    numbers
}

fn explanation(search: &Search) -> String {
    let covered = match (search.exhausted, &search.stopped) {
        (true, _) => "Exhausted: every order of operations that could make a difference was run".to_owned(),
        (false, Some(reason)) => format!("Not exhausted ({reason})"),
        (false, None) => "Not exhausted".to_owned(),
    };
    let found = match search.verdict {
        Verdict::Holds => ", and no invariant is broken.",
        Verdict::Violated => ".",
        Verdict::Inconclusive => ": nothing was found so far, which proves nothing.",
    };
    covered + found
}

fn tabs(body: &mut String, drawings: &[Drawing]) {
    *body += "<nav class=\"tabs\" role=\"tablist\" aria-label=\"Violations\">";
    for (index, drawing) in drawings.iter().enumerate() {
        let name = drawing.broken.as_ref().map_or("schedule", |broken| &broken.invariant);
        let number = index + 1;
        let _ = write!(body, "<a href=\"#v{number}\" role=\"tab\">{}</a>", escape(name));
    }
    *body += "</nav>\n";
}

fn section(body: &mut String, number: usize, drawing: &Drawing, search: Option<&Search>) {
    let rows = rows(drawing, false);
    let _ = writeln!(body, "<section id=\"v{number}\">");
    about(body, drawing, search);
    tools(body, drawing, &rows);
    let many = if drawing.lanes.len() > MOST_LANES_AT_ONCE { " many" } else { "" };
    let count = drawing.lanes.len();
    let _ = writeln!(body, "<div class=\"board\">\n<div class=\"scroll{many}\" style=\"--count: {count}\">");
    table(body, drawing, &rows);
    let shown = drawing.critical.or(drawing.steps.len().checked_sub(1));
    let first = shown.map(|index| view(drawing, index)).unwrap_or_default();
    let _ = writeln!(
        body,
        "</div>\n<aside class=\"panel\" aria-label=\"State\">{first}</aside>\n</div>\n</section>"
    );
}

fn about(body: &mut String, drawing: &Drawing, search: Option<&Search>) {
    let _ = match &drawing.broken {
        Some(broken) => {
            let (invariant, sentence) = (escape(&broken.invariant), escape(&broken.sentence));
            writeln!(body, "<h2><code>{invariant} is broken</code> {sentence}</h2>")
        }
        None => writeln!(body, "<h2>No invariant is broken</h2>"),
    };
    *body += "<p class=\"about\">";
    if let Some(found) = drawing.found {
        let executions = if found.executions == 1 { "execution" } else { "executions" };
        let broken = format!("Broken in {} {executions}", grouped(found.executions));
        let place = drawing.place(search).map(|place| format!(", first in {place}")).unwrap_or_default();
        let _ = write!(body, "<span class=\"dim\">{broken}{place}.</span>");
    }
    if let Some(passes) = drawing.passes() {
        let _ = write!(body, "<span><span class=\"swap\">⇅</span>It {passes}.</span>");
    }
    if let Some(replay) = drawing.replay() {
        let _ = write!(
            body,
            "<span><code>{}</code> <button class=\"copy\" type=\"button\">copy</button></span>",
            escape(&replay)
        );
    }
    *body += "</p>\n";
}

fn tools(body: &mut String, drawing: &Drawing, rows: &[Row]) {
    *body += "<p class=\"tools\">";
    if rows.iter().any(|row| matches!(row, Row::Folded(_))) {
        *body += "<button class=\"all\" type=\"button\">Show all steps</button>";
    }
    let critical = if drawing.critical.is_some() { ", <kbd>c</kbd> goes to the critical step" } else { "" };
    let _ = writeln!(body, "<span><kbd>↑</kbd> <kbd>↓</kbd> move{critical}.</span></p>");
}

fn table(body: &mut String, drawing: &Drawing, rows: &[Row]) {
    *body += "<table class=\"lanes\">\n<colgroup><col class=\"number\">";
    *body += &"<col>".repeat(drawing.lanes.len());
    *body += "</colgroup>\n<thead><tr><th scope=\"col\" aria-label=\"Step\"></th>";
    for lane in &drawing.lanes {
        let (class, task, role) = (class(lane), escape(&lane.task), escape(&lane.role));
        let _ = write!(body, "<th scope=\"col\" class=\"{class}\"><b>{task}</b><span>{role}</span></th>");
    }
    *body += "</tr></thead>\n";
    // A fold has a body of its own, so that its switch can show its rows without a script.
    for row in rows {
        *body += "<tbody>\n";
        match row {
            Row::Step(index) => step(body, drawing, *index, false),
            Row::Folded(steps) => {
                fold(body, drawing, steps);
                steps.clone().for_each(|index| step(body, drawing, index, true));
            }
        }
        *body += "</tbody>\n";
    }
    ends(body, drawing);
    *body += "</table>\n";
}

/// The colour of the contender.
fn class(lane: &Lane) -> String {
    format!("l{}", lane.contender % 8)
}

fn step(body: &mut String, drawing: &Drawing, index: usize, is_within: bool) {
    let taken = &drawing.steps[index];
    let is_critical = drawing.critical == Some(index);
    let is_flipped = drawing.is_flipped(index);
    let mut classes = String::from("step");
    for (applies, class) in [(is_critical, " critical"), (is_flipped, " flip"), (is_within, " within")] {
        classes += if applies { class } else { "" };
    }
    let swap = match (is_flipped, drawing.passes()) {
        (true, Some(passes)) => format!("<span class=\"swap\" title=\"{passes}\">⇅</span>"),
        _ => String::new(),
    };
    let _ = write!(body, "<tr class=\"{classes}\" tabindex=\"0\"><th scope=\"row\">{swap}{}</th>", index + 1);
    cells(body, drawing, index, &operation(taken, is_critical));
    let _ = writeln!(body, "<td class=\"state\">{}</td></tr>", view(drawing, index));
}

/// A cell a lane: that of step `index` with `content`, the others with the lines of those that live.
fn cells(body: &mut String, drawing: &Drawing, index: usize, content: &str) {
    let taken = &drawing.steps[index];
    let is_in = |running: &[String], lane: &Lane| running.contains(&lane.task);
    for (at, lane) in drawing.lanes.iter().enumerate() {
        let before = is_in(&drawing.before(index).running, lane);
        let life = match (before, is_in(&taken.state.running, lane)) {
            (_, true) => " alive",
            (true, false) => " ends",
            (false, false) => "",
        };
        let content = if at == taken.lane { content } else { "" };
        let _ = write!(body, "<td class=\"{}{life}\">{content}</td>", class(lane));
    }
}

fn operation(taken: &Step, is_critical: bool) -> String {
    let signal = if taken.is_signal() { " signal" } else { "" };
    let short = if taken.short.is_empty() { &taken.operation } else { &taken.short };
    let error = if taken.failed() { " error" } else { "" };
    let (title, short, detail) = (escape(&taken.operation), escape(short), escape(&taken.detail()));
    let mut text = format!("<span class=\"op{signal}\" title=\"{title}\"><code>{short}</code>");
    if !detail.is_empty() {
        let _ = write!(text, "<span class=\"result{error}\">{detail}</span>");
    }
    if is_critical || !taken.remark.is_empty() {
        let _ = write!(text, "<span class=\"remark\">◀ {}</span>", escape(&taken.remark));
    }
    text + "</span>"
}

fn fold(body: &mut String, drawing: &Drawing, steps: &Range<usize>) {
    let calls: Vec<_> = drawing.steps[steps.clone()].iter().map(|step| escape(&step.short)).collect();
    let calls = calls.join(", ");
    let count = steps.len();
    let content = format!(
        "<label class=\"more\" title=\"{calls}\"><input type=\"checkbox\"><b>{count} steps</b> <span>{calls}</span></label>"
    );
    *body += "<tr class=\"fold\"><th>…</th>";
    cells(body, drawing, steps.start, &content);
    *body += "</tr>\n";
}

/// Below each lane, what became of its task.
fn ends(body: &mut String, drawing: &Drawing) {
    *body += "<tfoot><tr><td></td>";
    for lane in &drawing.lanes {
        let end = drawing.ends.iter().find(|end| end.task == lane.task);
        let is_running = end.is_some_and(|end| end.end == "running");
        let life = if is_running { " alive" } else { "" };
        let _ = write!(body, "<td class=\"{}{life}\">", class(lane));
        if let Some(end) = end {
            let running = if is_running { " running" } else { "" };
            let _ = write!(body, "<span class=\"end{running}\">{}</span>", escape(&end.end));
            if !end.says.is_empty() {
                let _ = write!(body, "<span class=\"says\">{}</span>", escape(&end.says));
            }
        }
        *body += "</td>";
    }
    *body += "</tr></tfoot>\n";
}

#[cfg(test)]
mod tests {
    use super::super::race::tests::{drawing, example};
    use super::*;

    #[test]
    fn one_page() {
        let html = race_html(&example()).replace(STYLE, "…\n").replace(SCRIPT, "…\n");
        insta::assert_snapshot!(html);
    }

    /// The names of elements in the order in which they are opened; panics at one that is not closed in its place.
    fn elements(html: &str) -> Vec<&str> {
        let (mut open, mut all) = (Vec::new(), Vec::new());
        for tag in html.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
            let name = tag.split_whitespace().next().unwrap_or_default();
            match name.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name), "{all:?}"),
                None if ["!DOCTYPE", "meta", "col", "input"].contains(&name) => {}
                None => {
                    open.push(name);
                    all.push(name);
                }
            }
        }
        assert_eq!(open, [""; 0]);
        all
    }

    #[test]
    fn it_is_well_formed_and_loads_nothing() {
        let mut race = example();
        race.drawings.push(drawing());
        let html = race_html(&race);
        let plain = html.replace(SCRIPT, "");
        assert_eq!(elements(&plain).iter().filter(|name| **name == "section").count(), 2);
        for loads in
            ["src=", "http:", "https:", "url(", "@import", "<link", "<img", "<iframe", "fetch(", "import "]
        {
            assert!(!html.contains(loads), "{loads}");
        }
        assert!(html.contains("default-src 'none'"));
    }

    #[test]
    fn no_text_is_markup() {
        let hostile = "</pre></script><script>alert(1)</script>&'\"<!--\x1b";
        let mut race = example();
        race.command = hostile.into();
        race.facts = vec![("scenario", hostile.into())];
        race.search.as_mut().unwrap().stopped = Some(hostile.into());
        race.search.as_mut().unwrap().exhausted = false;
        let drawing = &mut race.drawings[0];
        drawing.file = Some(hostile.into());
        drawing.broken.as_mut().unwrap().sentence = hostile.into();
        drawing.broken.as_mut().unwrap().invariant = hostile.into();
        drawing.ends[0].says = hostile.into();
        drawing.lanes[0].role = hostile.into();
        for step in &mut drawing.steps {
            for text in
                [&mut step.operation, &mut step.short, &mut step.result, &mut step.note, &mut step.remark]
            {
                *text = hostile.into();
            }
            step.others = vec![hostile.into()];
            step.state.names = vec![(hostile.into(), hostile.into())];
            step.state.contents = vec![(hostile.into(), hostile.into())];
            step.state.locks = vec![(hostile.into(), hostile.into(), hostile.into())];
            step.state.running = vec![hostile.into()];
        }
        let html = race_html(&race);
        assert_eq!(html.matches("<script>").count(), 1);
        assert!(!html.contains("<!--") && !html.contains('\x1b'));
        elements(&html.replace(SCRIPT, ""));
    }

    #[test]
    fn every_step_can_be_seen() {
        let html = race_html(&example());
        assert_eq!(html.matches("<tr class=\"step").count(), 9);
        assert_eq!(html.matches("<tr class=\"step within\"").count(), 2);
        assert_eq!(html.matches("<tr class=\"step critical\"").count(), 1);
        assert_eq!(html.matches("<tr class=\"step flip\"").count(), 2);
    }

    #[test]
    fn nothing_to_draw_is_no_panic() {
        let mut race = example();
        race.drawings = vec![Drawing::default()];
        elements(&race_html(&race).replace(SCRIPT, ""));
        race.drawings.clear();
        race.search = None;
        elements(&race_html(&race).replace(SCRIPT, ""));
    }
}
