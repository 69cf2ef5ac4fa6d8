//! What is being judged, on a terminal.

use super::output::shows_progress;
use crate::check::Progress;
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// A line on the standard error: which check is running, how many are done, and for how long.
pub(super) struct Bar(ProgressBar);

impl Bar {
    /// Shown only if it is `wanted` and can be.
    pub(super) fn new(checks: usize, wanted: bool) -> Self {
        if !wanted || !shows_progress() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(checks as u64);
        let template = "{spinner} {pos}/{len} {wide_msg} {elapsed}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    pub(super) fn update(&self, progress: Progress<'_>) {
        match progress {
            Progress::Started(check) => self.0.set_message(check.id),
            Progress::Finished(_) => self.0.inc(1),
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
