//! Claims about a process or its descriptors, if there are any.

use std::borrow::Cow;
use std::fmt;

use super::{Claim, Finding};
use crate::observe::{Descriptors, ObserveError, Observed, Process, Stat, State, View};

/// A claim about a process that exists. Of one that is gone, or hidden, nothing is known.
pub(super) fn of_process(
    text: impl Into<Cow<'static, str>>,
    judge: impl Fn(&Process) -> Finding + Send + Sync + 'static,
) -> Claim<View> {
    Claim::new(text, move |view: &View| match view.process() {
        Ok(Observed::Present(process)) => judge(process),
        Ok(Observed::Gone) => gone(view),
        Err(error) => unreadable(error),
    })
}

/// The same, if it is about nothing but what stands in its `stat`, which is a tenth of what there is to be read.
pub(super) fn of_stat(
    text: impl Into<Cow<'static, str>>,
    judge: impl Fn(&Stat) -> Finding + Send + Sync + 'static,
) -> Claim<View> {
    Claim::new(text, move |view: &View| match view.stat() {
        Ok(Observed::Present(stat)) => judge(&stat),
        Ok(Observed::Gone) => gone(view),
        Err(error) => unreadable(error),
    })
}

/// A claim about the descriptors of a process that has not ended.
pub(super) fn of_descriptors(
    text: impl Into<Cow<'static, str>>,
    judge: impl Fn(&Descriptors) -> Finding + Send + Sync + 'static,
) -> Claim<View> {
    Claim::new(text, move |view: &View| descriptors(view).map_or_else(|finding| finding, &judge))
}

/// The descriptors, or why there are none to be judged. A zombie has none, but must not pass for a tidy daemon.
pub(super) fn descriptors(view: &View) -> Result<&Descriptors, Finding> {
    match view.descriptors() {
        Ok(Observed::Present(all)) if all.is_empty() && is_zombie(view) => {
            Err(Finding::unknown().with("process", format_args!("pid {} is a zombie", view.pid())))
        }
        Ok(Observed::Present(all)) => Ok(all),
        Ok(Observed::Gone) => Err(gone(view)),
        Err(error) => Err(unreadable(error)),
    }
}

fn is_zombie(view: &View) -> bool {
    matches!(view.stat(), Ok(Observed::Present(stat)) if stat.is_zombie())
}

pub(super) fn gone(view: &View) -> Finding {
    Finding::unknown().with("process", format_args!("pid {} is gone", view.pid()))
}

pub(super) fn unreadable(error: &ObserveError) -> Finding {
    Finding::unknown().with("error", error)
}

/// `S, sleeping`
pub(super) fn state(process: &Process) -> String {
    state_of(&process.into())
}

/// The same.
pub(super) fn state_of(stat: &Stat) -> String {
    let state = stat.state;
    let word = match state {
        State::Zombie if !stat.is_zombie() => "its first thread has ended, others go on",
        State::Running => "running",
        State::Sleeping => "sleeping",
        State::DiskSleep => "waiting for a device",
        State::Zombie => "a zombie",
        State::Stopped => "stopped by a signal",
        State::Traced => "stopped by a tracer",
        State::Dead => "being removed",
        State::Idle => "idle",
        _ => return state.to_string(),
    };
    format!("{state}, {word}")
}

/// `a, b, c`, or `none`.
pub(super) fn list<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}

/// One a line, or `none`.
pub(super) fn lines<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if items.is_empty() { "none".to_owned() } else { items.join("\n") }
}
