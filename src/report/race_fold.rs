//! Which steps of an execution are shown, and which ones stand behind an ellipsis.

use super::race::{Drawing, State};
use std::ops::Range;

/// A row of the drawing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Row {
    Step(usize),
    /// Two or more steps of one task in a row, none of which another task could see, or hear of.
    Folded(Range<usize>),
}

/// The rows of the drawing; with `all`, none is folded.
pub(crate) fn rows(drawing: &Drawing, all: bool) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut next = 0;
    while next < drawing.steps.len() {
        let run = if all { next..next } else { quiet_run(drawing, next) };
        match run.len() {
            0 | 1 => rows.push(Row::Step(next)),
            _ => rows.push(Row::Folded(run.clone())),
        }
        next = run.end.max(next + 1);
    }
    rows
}

fn quiet_run(drawing: &Drawing, first: usize) -> Range<usize> {
    let lane = drawing.steps[first].lane;
    let mut run = first..drawing.steps.len();
    let end = run.find(|index| drawing.steps[*index].lane != lane || !is_quiet(drawing, *index));
    first..end.unwrap_or(drawing.steps.len())
}

fn is_quiet(drawing: &Drawing, index: usize) -> bool {
    let step = &drawing.steps[index];
    let is_pointed_out =
        drawing.critical == Some(index) || drawing.is_flipped(index) || !step.remark.is_empty();
    let ends_or_begins_a_task = drawing.before(index).running != step.state.running;
    if is_pointed_out || ends_or_begins_a_task || step.is_signal() {
        return false;
    }
    let is_shared = |object: &String| {
        drawing.steps.iter().any(|other| other.lane != step.lane && other.objects.contains(object))
    };
    let mut shared = step.objects.iter().filter(|object| is_shared(object));
    let changes = changes_names_or_locks(drawing.before(index), &step.state);
    shared.all(|object| !changes && !is_next_to_another(drawing, index, object))
}

fn changes_names_or_locks(before: &State, after: &State) -> bool {
    before.names != after.names || before.locks != after.locks
}

/// Whether the last change of `object` before the step, or the first after it, is another task's. Of two steps that
/// change nothing, neither learns of the other.
fn is_next_to_another(drawing: &Drawing, index: usize, object: &String) -> bool {
    let changes = |index: usize| *drawing.before(index) != drawing.steps[index].state;
    let concerns =
        |other: &usize| drawing.steps[*other].objects.contains(object) && (changes(index) || changes(*other));
    let lane = drawing.steps[index].lane;
    let last = (0..index).rev().find(concerns);
    let first = (index + 1..drawing.steps.len()).find(concerns);
    last.into_iter().chain(first).any(|other| drawing.steps[other].lane != lane)
}

#[cfg(test)]
mod tests {
    use super::super::race::tests::drawing;
    use super::*;

    #[test]
    fn what_nobody_else_sees_is_folded() {
        let drawing = drawing();
        let steps = |range: Range<usize>| range.map(Row::Step);
        let expected: Vec<_> = steps(0..3).chain([Row::Folded(3..5)]).chain(steps(5..9)).collect();
        assert_eq!(rows(&drawing, false), expected);
        assert_eq!(rows(&drawing, true), steps(0..9).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_pointed_out_is_shown() {
        let folds = |change: fn(&mut Drawing)| {
            let mut drawing = drawing();
            change(&mut drawing);
            rows(&drawing, false).contains(&Row::Folded(3..5))
        };
        assert!(folds(|_| {}));
        assert!(!folds(|drawing| drawing.critical = Some(3)));
        assert!(!folds(|drawing| drawing.flip = Some((0, 4))));
        assert!(!folds(|drawing| drawing.steps[4].remark = "why".into()));
        assert!(!folds(|drawing| drawing.steps[4].task = "!A".into()));
        assert!(!folds(|drawing| drawing.steps[4].state.running.clear()), "a task ends");
        assert!(!folds(|drawing| drawing.steps[4].lane = 1), "two tasks");
    }

    #[test]
    fn what_another_task_sees_is_shown() {
        let folds = |object: &str, content: &str| {
            let mut drawing = drawing();
            for index in [3, 4, 8] {
                drawing.steps[index].objects = vec![object.into()];
            }
            drawing.steps[4].state.contents = vec![("a".into(), content.into())];
            rows(&drawing, false).contains(&Row::Folded(3..5))
        };
        assert!(!folds("content a", "other"), "B overwrites what A wrote");
        let mut reads = drawing();
        reads.steps[1].objects = vec!["meta a".into()];
        reads.steps[3].objects = vec!["meta a".into()];
        assert!(rows(&reads, false).contains(&Row::Folded(3..5)), "two that only look");
    }
}
