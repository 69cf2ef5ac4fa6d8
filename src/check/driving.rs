//! How to drive a daemon.

use super::outcome::{No, does_not_apply};
use super::profile::Declared;
use crate::fixture::{CommandLine, Placeholder};
use std::ffi::OsString;
use std::time::Duration;

/// How long each wait lasts unless told otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);

/// So that all of them stay under a minute.
const SEARCH: Duration = Duration::from_secs(6);

const DEEP_SEARCH: Duration = Duration::from_secs(300);

/// How a daemon is driven: its command, and which argument switches on what.
///
/// Without an argument the mode is not driven, and the checks that are about it do not apply. An empty
/// [`detach`](Self::detach) says that the daemon detaches by itself.
#[derive(Debug, Clone)]
pub struct Driving {
    pub(super) command: CommandLine,
    pub(super) detach: Option<OsString>,
    pub(super) foreground: Option<OsString>,
    pub(super) monitor: Option<OsString>,
    pub(super) overwrite: Option<OsString>,
    pub(super) no_chdir: Option<OsString>,
    pub(super) fail: Option<OsString>,
    pub(super) declared: Declared,
    pub(super) timeout: Duration,
    pub(super) real_time: bool,
    pub(super) deep: bool,
    pub(super) search_limit: Option<Duration>,
}

/// In which mode a daemon is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mode {
    pub(super) detached: bool,
    pub(super) monitored: bool,
}

impl Mode {
    pub(super) const FOREGROUND: Self = Self { detached: false, monitored: false };

    pub(super) fn name(self) -> &'static str {
        match (self.detached, self.monitored) {
            (false, false) => "in the foreground",
            (true, false) => "detached",
            (false, true) => "monitored in the foreground",
            (true, true) => "detached and monitored",
        }
    }
}

macro_rules! argument {
    ($name:ident, $doc:literal) => {
        #[doc = $doc]
        #[must_use]
        pub fn $name(mut self, argument: impl Into<OsString>) -> Self {
            self.$name = Some(argument.into());
            self
        }
    };
}

impl Driving {
    /// Drives `command` in the foreground.
    pub fn new(command: CommandLine) -> Self {
        Self {
            command,
            detach: None,
            foreground: None,
            monitor: None,
            overwrite: None,
            no_chdir: None,
            fail: None,
            declared: Declared::default(),
            timeout: TIMEOUT,
            real_time: false,
            deep: false,
            search_limit: None,
        }
    }

    argument!(detach, "The argument that detaches the daemon; empty if it does so by itself.");
    argument!(foreground, "The argument that keeps it in the foreground, if it detaches by itself.");
    argument!(monitor, "The argument that has it monitored.");
    argument!(overwrite, "The argument that lets it start although it runs already.");
    argument!(no_chdir, "The argument that keeps the working directory.");
    argument!(fail, "An argument that makes it fail to start.");

    /// What the daemon promises beyond what every daemon does.
    #[must_use]
    pub fn declares(mut self, declared: Declared) -> Self {
        self.declared = declared;
        self
    }

    /// How long each wait lasts; 10 s by default.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Drives the daemon on the machine's clock. Without this it has a clock of its own, which jumps to the end of each wait, see
    /// [`DaemonCommand::virtual_time`](crate::fixture::DaemonCommand::virtual_time), but where several of them run at the same
    /// time; and what is found broken by that clock is judged anew by the machine's, but for restarts.
    #[must_use]
    pub fn real_time(mut self) -> Self {
        self.real_time = true;
        self
    }

    /// Searches and sweeps (the families `race`, `crash` and `fault`) in every mode, with three instances too, and for longer.
    /// What cannot be explored to the end then counts as not judged, not as skipped.
    #[must_use]
    pub fn deep(mut self) -> Self {
        self.deep = true;
        self
    }

    /// How long each search and each sweep may take; 6 s by default, 5 min if it is [`deep`](Self::deep).
    #[must_use]
    pub fn search_for(mut self, limit: Duration) -> Self {
        self.search_limit = Some(limit);
        self
    }

    pub(super) fn search_limit(&self) -> Duration {
        self.search_limit.unwrap_or(if self.deep { DEEP_SEARCH } else { SEARCH })
    }

    pub(super) fn has_pidfile(&self) -> bool {
        self.command_in(self.usual()).uses(Placeholder::Pidfile)
    }

    /// The mode in which most checks look at the daemon: detached if it can.
    pub(super) fn usual(&self) -> Mode {
        Mode { detached: self.detach.is_some(), monitored: false }
    }

    /// The usual mode, with a monitor.
    pub(super) fn monitored(&self) -> Result<Mode, No> {
        match self.monitor {
            Some(_) => Ok(Mode { monitored: true, ..self.usual() }),
            None => does_not_apply("no argument is known that has the daemon monitored (--monitor)"),
        }
    }

    pub(super) fn detached(&self) -> Result<Mode, No> {
        match self.detach {
            Some(_) => Ok(Mode { detached: true, monitored: false }),
            None => does_not_apply("no argument is known that detaches the daemon (--detach)"),
        }
    }

    /// In the foreground, if the daemon can stay there.
    pub(super) fn in_foreground(&self) -> Result<Mode, No> {
        let always_detaches = self.detach.as_ref().is_some_and(|argument| argument.is_empty());
        match always_detaches && self.foreground.is_none() {
            true => does_not_apply("the daemon always detaches"),
            false => Ok(Mode::FOREGROUND),
        }
    }

    pub(super) fn pidfile(&self) -> Result<(), No> {
        match self.has_pidfile() {
            true => Ok(()),
            false => does_not_apply("the command names no {pidfile}"),
        }
    }

    /// The command that starts the daemon in this mode.
    pub(super) fn command_in(&self, mode: Mode) -> CommandLine {
        let switches = [
            (mode.detached, &self.detach),
            (!mode.detached, &self.foreground),
            (mode.monitored, &self.monitor),
        ];
        let switches =
            switches.into_iter().filter(|(on, _)| *on).filter_map(|(_, argument)| argument.as_ref());
        self.command.clone().args(switches.filter(|argument| !argument.is_empty()))
    }
}
