//! Claims about the locks on a file.

use std::borrow::Cow;

use super::subject::lines;
use super::{Claim, Finding, NamedProcess};
use crate::observe::{FileView, LockKind, LockState};

/// `process` holds a lock on it, of whatever kind, be it inherited.
///
/// ```
/// use daemonproof::observe::{FileView, LockKind};
/// use daemonproof::predicate::{locked_by, locked_with};
/// use nix::unistd::Pid;
/// use predicates::prelude::*;
/// # let file = std::env::temp_dir();
/// let by_me = locked_by(Pid::this()).and(locked_with(LockKind::Posix));
/// assert!(!by_me.eval(&FileView::at(file)));
/// ```
pub fn locked_by(process: impl Into<NamedProcess>) -> Claim<FileView> {
    let process = process.into();
    Claim::new(format!("it is locked by {process}"), move |view: &FileView| {
        if view.pidfile().locker_pid() == Some(process.pid) {
            return Finding::new(true).with("locker", &process);
        }
        match view.held_by(process.pid) {
            Ok(held) if held.is_empty() => Finding::new(false).with("locks", locks(view)),
            Ok(held) => Finding::new(true).with("locks", lines(held)),
            Err(error) => Finding::unknown().with("error", error),
        }
    })
}

/// Somebody holds a lock on it, of whatever kind.
pub fn locked() -> Claim<FileView> {
    of_locks("it is locked", |state, elsewhere| state.is_locked() || elsewhere)
}

/// Somebody holds a lock on it that excludes all others, as an owner does.
pub fn locked_exclusively() -> Claim<FileView> {
    of_locks("it is locked exclusively", |state, elsewhere| state.is_write_locked() || elsewhere)
}

/// Somebody holds a lock of this kind on it.
pub fn locked_with(kind: LockKind) -> Claim<FileView> {
    of_locks(format!("it has a lock of kind {kind}"), move |state, _| {
        state.held.iter().any(|lock| lock.kind == kind)
    })
}

/// It exists, and nobody holds a lock on it.
pub fn unlocked() -> Claim<FileView> {
    of_locks("nobody locks it", |state, elsewhere| !state.is_locked() && !elsewhere)
}

/// It exists, and nobody waits for a lock on it.
pub fn nobody_waits() -> Claim<FileView> {
    of_locks("nobody waits for a lock on it", |state, _| state.awaited.is_empty())
}

/// A claim about the locks on a file that exists, and whether a process locks it that only `F_GETLK` tells of.
fn of_locks(
    text: impl Into<Cow<'static, str>>,
    judge: impl Fn(&LockState, bool) -> bool + Send + Sync + 'static,
) -> Claim<FileView> {
    Claim::new(text, move |view: &FileView| {
        let finding = match view.locks() {
            _ if view.pidfile().is_missing() => return Finding::unknown().with("file", view.pidfile()),
            Ok(state) => Finding::new(judge(state, view.pidfile().locker.is_some())),
            Err(_) => Finding::unknown(),
        };
        finding.with("locks", locks(view))
    })
}

/// All locks on it, as far as they could be seen.
pub(super) fn locks(view: &FileView) -> String {
    let state = match view.locks() {
        _ if view.pidfile().is_missing() => return "none, the file is missing".to_owned(),
        Ok(state) => state,
        Err(error) => return error.to_string(),
    };
    let held = state.held.iter().map(ToString::to_string);
    let elsewhere = match view.pidfile().locker {
        Some(locker) if !state.is_write_locked() => Some(format!("write lock of {locker}")),
        _ => None,
    };
    let awaited = state.awaited.iter().map(|lock| format!("waiting for: {lock}"));
    lines(held.chain(elsewhere).chain(awaited))
}
