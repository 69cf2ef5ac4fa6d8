//! How far a search is, on a terminal.

use super::progress::line;
use crate::explore::request::Progress;
use indicatif::ProgressBar;
use std::time::Instant;

/// A line on the standard error: executions, their rate, their depth, and violations so far.
pub(super) struct Meter {
    bar: ProgressBar,
    started: Instant,
    limit: Option<u64>,
}

impl Meter {
    /// Shown only if it is `wanted` and can be.
    pub(super) fn new(wanted: bool, limit: Option<u64>) -> Self {
        Self { bar: line(None, "{spinner} {wide_msg} {elapsed}", wanted), started: Instant::now(), limit }
    }

    pub(super) fn update(&self, progress: &Progress) {
        if !self.bar.is_hidden() {
            self.bar.set_message(message(progress, self.started.elapsed().as_secs_f64(), self.limit));
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn message(progress: &Progress, elapsed_s: f64, limit: Option<u64>) -> String {
    let Progress { executions, depth, violations } = progress;
    let limit = limit.map(|limit| format!(" of {limit}")).unwrap_or_default();
    // Of the first instant there is no rate.
    let rate = *executions as f64 / elapsed_s.max(0.001);
    let violations = match violations {
        0 => String::new(),
        1 => ", 1 violation".to_owned(),
        several => format!(", {several} violations"),
    };
    format!("{executions}{limit} executions, {rate:.0}/s, depth {depth}{violations}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_says_how_far_it_is() {
        let progress = Progress { executions: 910, depth: 28, violations: 0 };
        assert_eq!(message(&progress, 2.0, None), "910 executions, 455/s, depth 28");
        let progress = Progress { violations: 2, ..progress };
        assert_eq!(
            message(&progress, 2.0, Some(1000)),
            "910 of 1000 executions, 455/s, depth 28, 2 violations"
        );
        assert_eq!(message(&Progress::default(), 0.0, None), "0 executions, 0/s, depth 0");
    }
}
