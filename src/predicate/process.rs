//! Claims about a process: session, family, directory, threads, life.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use predicates::Predicate;

use super::subject::{self, of_process, of_stat, state, state_of, unreadable};
use super::text::{about, look_at};
use super::{Claim, Finding, NamedProcess};
use crate::observe::{Fact, Observed, Stat, View};

/// It exists and has not ended.
pub fn alive() -> Claim<View> {
    of_life("it is alive", |stat| stat.is_some_and(|stat| !stat.is_zombie()))
}

/// It has ended: nothing is left of it, or only a zombie.
pub fn ended() -> Claim<View> {
    of_life("it has ended", |stat| stat.is_none_or(Stat::is_zombie))
}

/// Nothing is left of it: it has ended and been reaped.
pub fn gone() -> Claim<View> {
    of_life("it is gone", |stat| stat.is_none())
}

/// It has ended, but has not been reaped. What is gone is neither a zombie nor `not` one; see [`gone`] and [`alive`].
pub fn zombie() -> Claim<View> {
    of_stat("it is a zombie", |stat| Finding::new(stat.is_zombie()).with("state", state_of(stat)))
}

fn of_life(text: &'static str, judge: fn(Option<&Stat>) -> bool) -> Claim<View> {
    Claim::new(text, move |view: &View| match view.stat() {
        Ok(Observed::Present(stat)) => Finding::new(judge(Some(&stat))).with("state", state_of(&stat)),
        Ok(Observed::Gone) => {
            Finding::new(judge(None)).with("process", format_args!("pid {} is gone", view.pid()))
        }
        Err(error) => unreadable(error),
    })
}

/// It leads its session, as after setsid(2).
pub fn session_leader() -> Claim<View> {
    of_stat("it leads its session", |stat| leading(stat, true))
}

/// It does not lead its session, as after a second fork, and so can acquire no controlling terminal by opening one.
pub fn not_session_leader() -> Claim<View> {
    of_stat("it does not lead its session", |stat| leading(stat, false))
}

fn leading(stat: &Stat, wanted: bool) -> Finding {
    Finding::new((stat.sid == stat.pid) == wanted)
        .with("session", format_args!("{}, and it is pid {}", stat.sid, stat.pid))
}

/// It has no controlling terminal.
pub fn no_terminal() -> Claim<View> {
    of_stat("it has no controlling terminal", |stat| {
        let finding = Finding::new(stat.tty.is_none());
        match stat.tty {
            Some(device) => {
                finding.with("terminal", format_args!("device {device}")).with("session", stat.sid)
            }
            None => finding.with("terminal", "none"),
        }
    })
}

/// Its parent is `parent`.
///
/// Under the fixtures a daemon whose parent has ended is a child of the reaper, not of pid 1.
pub fn child_of(parent: impl Into<NamedProcess>) -> Claim<View> {
    let parent = parent.into();
    of_stat(format!("its parent is {parent}"), move |stat| of_parent(stat, &parent, true))
}

/// Its parent is not `parent`; for a daemon, the process that started it.
pub fn not_child_of(parent: impl Into<NamedProcess>) -> Claim<View> {
    let parent = parent.into();
    of_stat(format!("its parent is not {parent}"), move |stat| of_parent(stat, &parent, false))
}

fn of_parent(stat: &Stat, parent: &NamedProcess, wanted: bool) -> Finding {
    Finding::new((stat.ppid == parent.pid) == wanted).with("parent", format_args!("pid {}", stat.ppid))
}

/// Its working directory is `directory`, without symbolic links.
pub fn cwd(directory: impl Into<PathBuf>) -> Claim<View> {
    let directory = directory.into();
    let name = "working directory";
    Claim::new(format!("its {name} is {}", directory.display()), move |view: &View| match view.cwd() {
        Ok(Observed::Present(Fact::Known(path))) => {
            Finding::new(*path == directory).with(name, path.display())
        }
        Ok(Observed::Present(Fact::Denied)) => Finding::unknown().with(name, "hidden: permission denied"),
        Ok(Observed::Present(Fact::Absent)) => Finding::new(false).with(name, "none"),
        Ok(Observed::Present(Fact::TooLong)) => {
            Finding::unknown().with(name, "a path too long for the kernel to tell")
        }
        Ok(Observed::Gone) => subject::gone(view),
        Err(error) => unreadable(error),
    })
}

/// Its file mode creation mask is `bits`, such as `0o022`.
pub fn umask(bits: u32) -> Claim<View> {
    of_process(format!("its umask is {bits:04o}"), move |process| match process.umask {
        Some(umask) => Finding::new(umask == bits).with("umask", format_args!("{umask:04o}")),
        None => Finding::unknown().with("umask", format_args!("not shown, state {}", state(process))),
    })
}

/// Its short name is `name`, of which the kernel keeps the first 15 bytes.
pub fn comm(name: impl Into<OsString>) -> Claim<View> {
    let mut name = name.into().into_vec();
    name.truncate(15);
    let name = OsString::from_vec(name);
    of_stat(format!("its short name is {}", name.display()), move |stat| {
        Finding::new(stat.comm == name).with("short name", stat.comm.display())
    })
}

/// Its title, the command line as `ps` shows it, fulfils `predicate`. What is no UTF-8 is replaced by U+FFFD.
///
/// ```
/// use daemonproof::observe::View;
/// use daemonproof::predicate::title;
/// use nix::unistd::Pid;
/// use predicates::prelude::*;
///
/// let healthy = title(predicate::str::ends_with("(healthy)"));
/// assert_eq!(healthy.to_string(), "title.ends_with(\"(healthy)\")");
/// assert!(healthy.not().eval(&View::of(Pid::this())));
/// ```
pub fn title(predicate: impl Predicate<str> + Send + Sync + 'static) -> Claim<View> {
    of_process(about("title", &predicate), move |process| {
        look_at("title", &String::from_utf8_lossy(process.title().as_bytes()), &predicate)
    })
}

/// It has one thread.
pub fn single_threaded() -> Claim<View> {
    of_stat("it has one thread", |stat| Finding::new(stat.threads == 1).with("threads", stat.threads))
}
