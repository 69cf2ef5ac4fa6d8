//! Claims about a pidfile.

use std::borrow::Cow;

use nix::unistd::{Gid, Uid};

use super::lock::locks;
use super::subject::state;
use super::{Claim, Finding, NamedProcess};
use crate::observe::{FileFacts, FileView, LockState, Observed, PidfileContent};

/// There is no such file.
pub fn missing() -> Claim<FileView> {
    Claim::new("it is missing", |view: &FileView| existing(view, false))
}

/// There is such a file, or something else of that name.
pub fn exists() -> Claim<FileView> {
    Claim::new("it exists", |view: &FileView| existing(view, true))
}

fn existing(view: &FileView, wanted: bool) -> Finding {
    let pidfile = view.pidfile();
    let unreachable = matches!(pidfile.content, PidfileContent::Unreadable(_)) && pidfile.file.is_none();
    let finding = if unreachable { Finding::unknown() } else { Finding::new(pidfile.is_missing() != wanted) };
    finding.with("file", pidfile)
}

/// Its content is the number of `process`.
///
/// ```
/// use daemonproof::observe::FileView;
/// use daemonproof::predicate::{explain, names};
/// use nix::unistd::Pid;
/// use predicates::prelude::*;
///
/// let claim = names(Pid::from_raw(812));
/// let case = claim.find_case(false, &FileView::at("/nonexistent/d.pid"));
/// assert_eq!(explain(&case.expect("there is no such file")), "\
/// expected: it names pid 812
///    found: content missing");
/// ```
pub fn names(process: impl Into<NamedProcess>) -> Claim<FileView> {
    let process = process.into();
    of_content(
        format!("it names {process}"),
        move |content| matches!(content, PidfileContent::Pid { pid, .. } if *pid == process.pid),
    )
}

/// Its first line is a pid in decimal digits and nothing else. More lines may follow, as PostgreSQL's do.
pub fn well_formed() -> Claim<FileView> {
    of_content("its first line is a pid", |content| matches!(content, PidfileContent::Pid { .. }))
}

/// Its first line is a pid, and there are no more lines.
pub fn only_a_pid() -> Claim<FileView> {
    of_content(
        "a pid is all that it holds",
        |content| matches!(content, PidfileContent::Pid { rest, .. } if rest.is_empty()),
    )
}

/// The last byte of it is a line feed, without which `read` in a shell fails.
pub fn ends_with_newline() -> Claim<FileView> {
    Claim::new("it ends with a line feed", |view: &FileView| match &view.pidfile().content {
        PidfileContent::Pid { newline, rest, .. } if rest.is_empty() => {
            Finding::new(*newline).with("content", &view.pidfile().content)
        }
        PidfileContent::Pid { rest: bytes, .. } | PidfileContent::Malformed(bytes) => {
            let end = &bytes[bytes.len().saturating_sub(SHOWN_BYTES)..];
            Finding::new(bytes.ends_with(b"\n")).with("end", format_args!("\"{}\"", end.escape_ascii()))
        }
        content @ PidfileContent::Unreadable(_) => Finding::unknown().with("content", content),
        content => Finding::new(false).with("content", content),
    })
}

/// How much of the end of a file is shown.
const SHOWN_BYTES: usize = 20;

fn of_content(
    text: impl Into<Cow<'static, str>>,
    judge: impl Fn(&PidfileContent) -> bool + Send + Sync + 'static,
) -> Claim<FileView> {
    Claim::new(text, move |view: &FileView| {
        let content = &view.pidfile().content;
        let finding = match content {
            PidfileContent::Unreadable(_) => Finding::unknown(),
            content => Finding::new(judge(content)),
        };
        finding.with("content", content)
    })
}

/// Its permission bits are `bits`, such as `0o644`.
pub fn mode(bits: u32) -> Claim<FileView> {
    of_file(format!("its mode is {bits:04o}"), move |file| {
        Finding::new(file.mode == bits).with("mode", format_args!("{:04o}", file.mode))
    })
}

/// The user `uid` owns it.
pub fn owner(uid: Uid) -> Claim<FileView> {
    of_file(format!("its owner is user {uid}"), move |file| {
        Finding::new(file.uid == uid.as_raw()).with("owner", format_args!("user {}", file.uid))
    })
}

/// It belongs to the group `gid`.
pub fn owner_group(gid: Gid) -> Claim<FileView> {
    of_file(format!("it belongs to group {gid}"), move |file| {
        Finding::new(file.gid == gid.as_raw()).with("group", file.gid)
    })
}

/// A claim about a file that exists.
fn of_file(text: String, judge: impl Fn(&FileFacts) -> Finding + Send + Sync + 'static) -> Claim<FileView> {
    Claim::new(text, move |view: &FileView| match &view.pidfile().file {
        Some(file) => judge(file),
        None => Finding::unknown().with("file", view.pidfile()),
    })
}

/// It is a regular file, and no symbolic link to one.
pub fn regular() -> Claim<FileView> {
    Claim::new("it is a regular file", |view: &FileView| {
        let pidfile = view.pidfile();
        let is_other = matches!(pidfile.content, PidfileContent::NotRegular(_)) || pidfile.symlink.is_some();
        let finding = pidfile.file.as_ref().map_or(Finding::unknown(), |_| Finding::new(!is_other));
        match &pidfile.symlink {
            Some(target) => finding.with("symbolic link to", target.display()),
            None => finding.with("file", pidfile),
        }
    })
}

/// The process whose number is in it runs.
pub fn names_running() -> Claim<FileView> {
    Claim::new("it names a running process", |view: &FileView| {
        judged(named_runs(view)).with("content", &view.pidfile().content).with("process", named(view))
    })
}

/// It exists and nobody owns it: nobody holds an exclusive lock on it, and the number in it, if any, is of no process
/// but perhaps a zombie.
///
/// A shared lock owns nothing: whoever may read the file may take one. A file that could not be read is neither stale
/// nor `not` stale.
pub fn stale() -> Claim<FileView> {
    Claim::new("it is stale: nobody locks it, and it names no running process", |view: &FileView| {
        let pidfile = view.pidfile();
        let locked = pidfile.locker.is_some() || view.locks().as_ref().is_ok_and(LockState::is_write_locked);
        let stale = match pidfile.content {
            PidfileContent::Missing | PidfileContent::NotRegular(_) => Some(false),
            PidfileContent::Unreadable(_) => None,
            _ if locked => Some(false),
            _ if view.locks().is_err() => None,
            _ => named_runs(view).map(|runs| !runs),
        };
        judged(stale)
            .with("content", &pidfile.content)
            .with("process", named(view))
            .with("locks", locks(view))
    })
}

/// It names a running process, and that holds an exclusive lock on it, be it inherited.
pub fn owned() -> Claim<FileView> {
    Claim::new("a running process that it names locks it", |view: &FileView| {
        let pidfile = view.pidfile();
        let locks_it = |pid| match pidfile.locker_pid() {
            Some(locker) if locker == pid => Some(true),
            _ => Some(view.held_by(pid).ok()?.iter().any(|held| held.lock.is_write())),
        };
        let owned = match (&pidfile.content, named_runs(view)) {
            (PidfileContent::Unreadable(_), _) | (_, None) => None,
            (_, Some(runs)) => pidfile.pid().map_or(Some(false), locks_it).map(|locks_it| runs && locks_it),
        };
        judged(owned)
            .with("content", &pidfile.content)
            .with("process", named(view))
            .with("locks", locks(view))
    })
}

fn judged(verdict: Option<bool>) -> Finding {
    verdict.map_or(Finding::unknown(), Finding::new)
}

/// Whether it names a process that runs; `None` if that cannot be told.
fn named_runs(view: &FileView) -> Option<bool> {
    match view.named() {
        _ if matches!(view.pidfile().content, PidfileContent::Unreadable(_)) => None,
        None | Some(Ok(Observed::Gone)) => Some(false),
        Some(Ok(Observed::Present(process))) => Some(!process.is_zombie()),
        Some(Err(_)) => None,
    }
}

/// What became of the process that it names.
fn named(view: &FileView) -> String {
    match view.named() {
        _ if matches!(view.pidfile().content, PidfileContent::Unreadable(_)) => "unknown".to_owned(),
        None => "none is named".to_owned(),
        Some(Ok(Observed::Gone)) => "gone".to_owned(),
        Some(Ok(Observed::Present(process))) => {
            format!("{} ({})", process.comm.display(), state(process))
        }
        Some(Err(error)) => error.to_string(),
    }
}
