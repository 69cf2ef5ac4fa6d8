//! Claims about a pidfile.

use super::{Claim, Finding, NamedProcess};
use crate::observe::FileView;

/// There is no such file.
pub fn missing() -> Claim<FileView> {
    Claim::new("it is missing", |view: &FileView| {
        Finding::new(view.pidfile().is_missing()).with("file", view.pidfile())
    })
}

/// Its content is the number of `process`.
pub fn names(process: impl Into<NamedProcess>) -> Claim<FileView> {
    let process = process.into();
    Claim::new(format!("it names {process}"), move |view: &FileView| {
        Finding::new(view.pidfile().pid() == Some(process.pid)).with("content", &view.pidfile().content)
    })
}

/// `process` holds a lock on it, of whatever kind.
pub fn locked_by(process: impl Into<NamedProcess>) -> Claim<FileView> {
    let process = process.into();
    Claim::new(format!("it is locked by {process}"), move |view: &FileView| {
        if view.pidfile().locker_pid() == Some(process.pid) {
            return Finding::new(true).with("locker", &process);
        }
        match view.held_by(process.pid) {
            Ok(held) => Finding::new(!held.is_empty()).with("file", view),
            Err(error) => Finding::new(false).with("error", error),
        }
    })
}

/// Its permission bits are `bits`.
pub fn mode(bits: u32) -> Claim<FileView> {
    Claim::new(format!("its mode is {bits:04o}"), move |view: &FileView| {
        let mode = view.pidfile().file.as_ref().map(|file| file.mode);
        let finding = Finding::new(mode == Some(bits));
        match mode {
            Some(mode) => finding.with("mode", format_args!("{mode:04o}")),
            None => finding.with("file", view.pidfile()),
        }
    })
}
