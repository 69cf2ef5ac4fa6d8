//! The daemon that stops responding.

use super::behaviour::{LibraryArgs, run_until_killed};
use super::names::{Helper, Outcome};
use crate::daemon::Startup;
use crate::sys::signal::set_ignored;
use clap::{Parser, ValueEnum};
use nix::sys::signal::{SigSet, Signal};
use std::error::Error;

/// A daemon that hangs at a moment of its life, or when it is told to end.
///
/// It imitates a program that waits for a network file system or a lock that never comes.
#[derive(Debug, Parser)]
#[command(name = "hang")]
pub(super) struct Args {
    #[command(flatten)]
    library: LibraryArgs,
    /// When to hang
    #[arg(long, default_value = "after-ready")]
    when: When,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum When {
    /// Detached and monitored, before the pidfile is created.
    BeforePidfile,
    /// With the pidfile, before it reports that it is ready.
    BeforeReady,
    /// Once ready, deaf to every signal that can be blocked.
    AfterReady,
    /// Once ready, deaf to SIGTERM only.
    OnSigterm,
}

impl Args {
    fn start(&self) -> Result<Startup, Box<dyn Error>> {
        match self.when {
            When::BeforePidfile => self.library.clone().start_before_pidfile("hang"),
            When::BeforeReady => self.library.start("hang"),
            When::AfterReady => self.library.start_deaf("hang", SigSet::all()),
            When::OnSigterm => {
                let sigterm = SigSet::from(Signal::SIGTERM);
                let startup = self.library.start_deaf("hang", sigterm)?;
                // Ignored from now on, which drops those that have arrived.
                set_ignored(Signal::SIGTERM)?;
                sigterm.thread_unblock()?;
                Ok(startup)
            }
        }
    }
}

impl Helper for Args {
    fn run(self) -> Outcome {
        let startup = self.start()?;
        if matches!(self.when, When::AfterReady | When::OnSigterm) {
            startup.complete()?;
        }
        run_until_killed()
    }
}
