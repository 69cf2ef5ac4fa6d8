//! Which steps of an execution are shown, and which ones stand behind an ellipsis.

use super::race::Drawing;
use std::collections::HashMap;
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
    if all {
        return (0..drawing.steps.len()).map(Row::Step).collect();
    }
    let quiet = Accesses::of(drawing).quiet();
    let mut rows = Vec::new();
    let mut next = 0;
    while let Some(step) = drawing.steps.get(next) {
        let goes_on = |index: &usize| quiet[*index] && drawing.steps[*index].lane == step.lane;
        let end = next + (next..quiet.len()).take_while(goes_on).count();
        match end - next {
            0 | 1 => rows.push(Row::Step(next)),
            _ => rows.push(Row::Folded(next..end)),
        }
        next = end.max(next + 1);
    }
    rows
}

/// Who has to do with which object, and when.
struct Accesses<'a> {
    drawing: &'a Drawing,
    /// Of each object, the steps that are about it.
    steps: HashMap<&'a str, Vec<usize>>,
    /// Whether a step changes anything.
    changes: Vec<bool>,
}

impl<'a> Accesses<'a> {
    fn of(drawing: &'a Drawing) -> Self {
        let mut steps: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, step) in drawing.steps.iter().enumerate() {
            step.objects.iter().for_each(|object| steps.entry(object).or_default().push(index));
        }
        let changes =
            (0..drawing.steps.len()).map(|index| *drawing.before(index) != drawing.steps[index].state);
        Self { drawing, steps, changes: changes.collect() }
    }

    fn quiet(&self) -> Vec<bool> {
        (0..self.drawing.steps.len()).map(|index| self.is_quiet(index)).collect()
    }

    fn is_quiet(&self, index: usize) -> bool {
        let (drawing, step) = (self.drawing, &self.drawing.steps[index]);
        let is_pointed_out =
            drawing.critical == Some(index) || drawing.is_flipped(index) || !step.remark.is_empty();
        let before = drawing.before(index);
        if is_pointed_out || step.is_signal() || before.running != step.state.running {
            return false;
        }
        let changes = before.names != step.state.names || before.locks != step.state.locks;
        step.objects.iter().filter_map(|object| self.steps.get(object.as_str())).all(|accesses| {
            let is_mine = |other: &usize| drawing.steps[*other].lane == step.lane;
            accesses.iter().all(is_mine) || !changes && !self.is_next_to_another(index, accesses)
        })
    }

    /// Whether the last change before the step of what the `accesses` are to, or the first one after it, is another
    /// task's. Of two steps that change nothing, neither learns of the other.
    fn is_next_to_another(&self, index: usize, accesses: &[usize]) -> bool {
        let concerns = |other: &&usize| self.changes[index] || self.changes[**other];
        let (earlier, rest) = accesses.split_at(accesses.partition_point(|other| *other < index));
        let last = earlier.iter().rev().find(concerns);
        let first = rest.iter().filter(|other| **other > index).find(concerns);
        let lane = self.drawing.steps[index].lane;
        last.into_iter().chain(first).any(|other| self.drawing.steps[*other].lane != lane)
    }
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
