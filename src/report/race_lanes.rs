//! Swim lanes for a terminal: one column a task, one row a step. Where they do not fit, a list with the tasks beside.

use super::race::{Drawing, Lane, Step};
use super::race_fold::{Row, rows};
use super::text::Look;
use super::wrap::{printable, wrap};
use anstyle::{AnsiColor, Style};
use std::fmt::Write;
use std::ops::Range;

/// Wider lanes would only be further apart.
const WIDEST_LANE: usize = 34;
/// Narrower ones cannot be told apart, because each row runs on into the lanes to its right.
const NARROWEST_LANE: usize = 14;
/// The last lane has nowhere to run on to.
const NARROWEST_LAST_LANE: usize = 30;
/// From the number of a step to the first lane.
const GAP: usize = 3;
/// A longer call moves what stands beside it.
const WIDEST_CALL: usize = 22;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const RED: Style = AnsiColor::Red.on_default();
const COLOURS: [AnsiColor; 4] = [AnsiColor::Cyan, AnsiColor::Magenta, AnsiColor::Yellow, AnsiColor::Blue];

/// The rows, and how they are drawn.
pub(super) fn lanes(drawing: &Drawing, all: bool, look: Look) -> (Vec<Row>, String) {
    let rows = rows(drawing, all);
    let canvas = Canvas::new(drawing, &rows, look);
    let mut text = canvas.heading();
    for row in &rows {
        canvas.row(&mut text, row);
    }
    (rows, text)
}

/// Where everything stands.
struct Canvas<'a> {
    drawing: &'a Drawing,
    look: Look,
    number_width: usize,
    /// Where each lane begins.
    offsets: Vec<usize>,
    /// How wide its calls are.
    call_widths: Vec<usize>,
    /// Whether all lanes begin at the same place, with the tasks beside.
    is_list: bool,
}

/// Text of one style that is not divided unless it must be.
struct Piece {
    style: Style,
    text: String,
    /// What is left blank behind it if something follows.
    width: usize,
}

impl<'a> Canvas<'a> {
    fn new(drawing: &'a Drawing, rows: &[Row], look: Look) -> Self {
        let number_width = drawing.steps.len().to_string().len().max(3);
        let start = number_width + GAP;
        let count = drawing.lanes.len();
        let others = count.saturating_sub(1).max(1);
        let lane_width = (look.width.saturating_sub(start + NARROWEST_LAST_LANE) / others).min(WIDEST_LANE);
        let is_list = count > 1 && lane_width < NARROWEST_LANE;
        let offsets = match is_list {
            false => (0..count).map(|lane| start + lane * lane_width).collect(),
            true => vec![start + tasks_width(&drawing.lanes, look) + 2; count],
        };
        let widest_call = if is_list { WIDEST_CALL } else { WIDEST_CALL.min(lane_width * 6 / 10) };
        let mut call_widths = vec![0; count];
        for row in rows {
            if let Row::Step(index) = row {
                let step = &drawing.steps[*index];
                let widest =
                    if is_list { &mut call_widths[..] } else { &mut call_widths[step.lane..=step.lane] };
                widest.iter_mut().for_each(|width| {
                    *width = (*width).max(call(step, look).chars().count()).min(widest_call)
                });
            }
        }
        Self { drawing, look, number_width, offsets, call_widths, is_list }
    }

    fn style(&self, lane: usize) -> Style {
        let contender = self.drawing.lanes.get(lane).map_or(0, |lane| lane.contender);
        COLOURS[contender % COLOURS.len()].on_default()
    }

    /// The names of the tasks and what they do, above their lanes or one a line.
    fn heading(&self) -> String {
        let lanes = &self.drawing.lanes;
        let mut text = String::new();
        if self.is_list {
            let width = lanes.iter().map(|lane| lane.task.chars().count()).max().unwrap_or(0);
            for (index, Lane { task, role, .. }) in lanes.iter().enumerate() {
                let style = self.style(index).bold();
                let _ = writeln!(text, "  {style}{task:width$}{style:#}  {DIM}{role}{DIM:#}");
            }
            text.push('\n');
            return text;
        }
        let headings: Vec<_> = (0..lanes.len()).map(|index| self.lane_heading(index)).collect();
        let height = headings.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..height {
            let mut column = 0;
            for (index, heading) in headings.iter().enumerate() {
                if let Some(words) = heading.get(line) {
                    let space = self.offsets[index].saturating_sub(column);
                    let style = self.style(index).bold();
                    let _ = write!(text, "{:space$}{style}{words}{style:#}", "");
                    column = self.offsets[index] + words.chars().count();
                }
            }
            text.push('\n');
        }
        text
    }

    fn lane_heading(&self, index: usize) -> Vec<String> {
        let Lane { task, role, .. } = &self.drawing.lanes[index];
        let end = self.offsets.get(index + 1).copied().unwrap_or(self.look.width + 2);
        let width = (end - self.offsets[index]).saturating_sub(2);
        let heading = format!("{task}  {role}");
        match heading.chars().count() <= width {
            true => vec![heading],
            false => std::iter::once(task.clone()).chain(wrap(role, width)).collect(),
        }
    }

    fn row(&self, text: &mut String, row: &Row) {
        match row {
            Row::Step(index) => {
                let step = &self.drawing.steps[*index];
                let mark = if self.drawing.critical == Some(*index) { RED.bold() } else { Style::new() };
                let number = format!("{:>1$}", index + 1, self.number_width);
                self.margin(text, &number, mark, step.lane);
                self.place(text, step.lane, self.pieces(*index));
            }
            Row::Folded(steps) => {
                let lane = self.drawing.steps[steps.start].lane;
                let number = shown("…", self.look);
                self.margin(text, &format!("{number:>0$}", self.number_width), DIM, lane);
                self.folded(text, lane, steps);
            }
        }
    }

    /// The number, and the tasks of a list.
    fn margin(&self, text: &mut String, number: &str, style: Style, lane: usize) {
        let _ = write!(text, "{style}{number}{style:#}");
        if !self.is_list {
            let space = self.offsets[lane] - self.number_width;
            let _ = write!(text, "{:space$}", "");
            return;
        }
        let style = self.style(lane);
        let lanes = &self.drawing.lanes;
        let _ = write!(text, "{:GAP$}", "");
        if has_dots(lanes, self.look) {
            let (here, elsewhere) = if self.look.utf8 { ("●", "·") } else { ("*", ".") };
            for index in 0..lanes.len() {
                match index == lane {
                    true => drop(write!(text, "{style}{here}{style:#} ")),
                    false => drop(write!(text, "{DIM}{elsewhere}{DIM:#} ")),
                }
            }
        }
        let width = task_width(lanes);
        let _ = write!(text, "{style}{:width$}{style:#}  ", lanes[lane].task);
    }

    fn pieces(&self, index: usize) -> Vec<Piece> {
        let step = &self.drawing.steps[index];
        let is_critical = self.drawing.critical == Some(index);
        let call_style = if step.is_signal() { BOLD } else { self.style(step.lane) };
        let detail_style = if step.failed() { RED } else { Style::new() };
        let piece = |style, text: String, width| Piece { style, text, width };
        let mut pieces = vec![
            piece(call_style, call(step, self.look), self.call_widths[step.lane] + 1),
            piece(detail_style, shown(&step.detail(), self.look), 0),
        ];
        if is_critical || !step.remark.is_empty() {
            let mark = shown(&format!("◀ {}", step.remark), self.look);
            pieces.push(piece(RED.bold(), mark.trim_end().to_owned(), 0));
        }
        pieces.retain(|piece| !piece.text.is_empty());
        pieces
    }

    /// Writes the pieces beside each other as far as that fits, and below each other where it does not.
    fn place(&self, text: &mut String, lane: usize, pieces: Vec<Piece>) {
        let offset = self.offsets[lane];
        let available = self.look.width.saturating_sub(offset).max(1);
        let (mut column, mut space) = (0, 0);
        for (index, Piece { style, text: words, width }) in pieces.into_iter().enumerate() {
            let length = words.chars().count();
            if index > 0 && column + space + length > available {
                (column, space) = (2.min(available / 2), 0);
                let _ = write!(text, "\n{:1$}", "", offset + column);
            }
            for (part, line) in pieces_of(&words, available - column).iter().enumerate() {
                match part {
                    0 => drop(write!(text, "{:space$}{style}{line}{style:#}", "")),
                    _ => drop(write!(text, "\n{:1$}{style}{line}{style:#}", "", offset + column)),
                }
            }
            column += space + length.min(available);
            space = width.saturating_sub(length).max(if index == 0 { 1 } else { 3 });
        }
        text.push('\n');
    }

    fn folded(&self, text: &mut String, lane: usize, steps: &Range<usize>) {
        let calls: Vec<_> =
            self.drawing.steps[steps.clone()].iter().map(|step| call(step, self.look)).collect();
        let all = format!("{} steps: {}", steps.len(), calls.join(", "));
        let available = self.look.width.saturating_sub(self.offsets[lane]);
        let shown = match all.chars().count() <= available {
            true => all,
            false => {
                all.chars().take(available.saturating_sub(3)).collect::<String>() + &shown("…", self.look)
            }
        };
        let _ = writeln!(text, "{DIM}{shown}{DIM:#}");
    }
}

/// The words in lines of at most `width`; a word that is longer is cut.
fn pieces_of(words: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let lines = wrap(words, width).into_iter();
    let cut = |line: String| {
        let chars: Vec<char> = line.chars().collect();
        chars.chunks(width).map(|chunk| chunk.iter().collect()).collect::<Vec<String>>()
    };
    lines.flat_map(cut).collect()
}

fn call(step: &Step, look: Look) -> String {
    let short = if step.short.is_empty() { &step.operation } else { &step.short };
    shown(short, look)
}

/// In one line, and without what a terminal without UTF-8 would show as noise.
pub(super) fn shown(text: &str, look: Look) -> String {
    let text = printable(text).replace('\n', " ");
    match look.utf8 {
        true => text,
        false => text.replace('→', "->").replace('◀', "<--").replace('…', "..."),
    }
}

fn task_width(lanes: &[Lane]) -> usize {
    lanes.iter().map(|lane| lane.task.chars().count()).max().unwrap_or(0)
}

/// Whether a list has a dot for each lane: with too many of them, little is left for the steps.
fn has_dots(lanes: &[Lane], look: Look) -> bool {
    lanes.len() * 2 <= look.width / 4
}

fn tasks_width(lanes: &[Lane], look: Look) -> usize {
    let dots = if has_dots(lanes, look) { lanes.len() * 2 } else { 0 };
    dots + task_width(lanes)
}

#[cfg(test)]
mod tests {
    use super::super::race::tests::drawing;
    use super::*;

    fn plain(drawing: &Drawing, width: usize) -> String {
        let (_, text) = lanes(drawing, false, Look { width, utf8: true });
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn lanes_that_do_not_fit_are_a_list() {
        let mut drawing = drawing();
        assert!(plain(&drawing, 60).starts_with("      A  start, then stopped"));
        for (index, task) in ["B.1", "C", "C.1", "D"].into_iter().enumerate() {
            let contender = 2 + index / 2;
            drawing.lanes.push(Lane { task: task.into(), role: "child".into(), contender });
        }
        insta::assert_snapshot!(plain(&drawing, 60));
    }

    #[test]
    fn no_task_and_no_step_is_no_panic() {
        assert_eq!(plain(&Drawing::default(), 60), "");
        assert_eq!(plain(&Drawing::default(), 0), "");
        let mut drawing = drawing();
        drawing.steps[8].remark = "x".repeat(500);
        drawing.steps[0].short = "y".repeat(500);
        for width in 0..200 {
            plain(&drawing, width);
        }
    }

    #[test]
    fn a_word_that_is_too_long_is_cut() {
        assert_eq!(pieces_of("ab cdefgh", 4), ["ab", "cdef", "gh"]);
        assert_eq!(pieces_of("ab", 0), ["a", "b"]);
    }
}
