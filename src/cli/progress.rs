//! How far a command is, on a terminal.

use super::output::shows_progress;
use crate::check::Progress;
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// A line on the standard error: which check is running, how many are done, and for how long.
pub(super) struct Bar(ProgressBar);

impl Bar {
    /// Shown only if it is `wanted` and can be.
    pub(super) fn new(checks: usize, wanted: bool) -> Self {
        Self(line(Some(checks as u64), "{spinner} {pos}/{len} {wide_msg} {elapsed}", wanted))
    }

    pub(super) fn update(&self, progress: Progress<'_>) {
        match progress {
            Progress::Started(check) => self.0.set_message(check.id),
            Progress::Finished(_) => self.0.inc(1),
        }
    }
}

/// A line of this template, of `length` steps if that is known, shown only if it is `wanted` and can be.
pub(super) fn line(length: Option<u64>, template: &str, wanted: bool) -> ProgressBar {
    if !wanted || !shows_progress() {
        return ProgressBar::hidden();
    }
    let bar = length.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
