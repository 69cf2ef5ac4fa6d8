//! The daemon that dies when and how it is told.

use super::behaviour::{LibraryArgs, Moment, count_in, delay, die_by, run_until_killed, signal};
use super::names::{Helper, Outcome};
use clap::Parser;
use nix::sys::signal::Signal;
use std::error::Error;
use std::path::PathBuf;
use std::process;
use std::time::Duration;

/// A daemon that crashes: by a signal or with an exit status, at a moment of its life, a number of times.
///
/// It imitates a program with a bug in its initialisation or in its main loop.
#[derive(Debug, Parser)]
#[command(name = "crash")]
pub(super) struct Args {
    #[command(flatten)]
    library: LibraryArgs,
    /// Die by this signal [default: SIGSEGV]
    #[arg(long, value_parser = signal, conflicts_with = "exit")]
    signal: Option<Signal>,
    /// Die with this exit status
    #[arg(long, value_name = "STATUS")]
    exit: Option<i32>,
    /// When to die
    #[arg(long, default_value = "after-ready")]
    when: Moment,
    /// How long after that moment
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = humantime::parse_duration)]
    after: Duration,
    /// Die this many times, then run normally; needs --count-file [default: always]
    #[arg(long, requires = "count_file")]
    times: Option<u64>,
    /// Live through this many starts before; needs --count-file
    #[arg(long, requires = "count_file", default_value_t = 0)]
    skip: u64,
    /// Where the starts are counted, one byte each, each before it is ready
    #[arg(long, value_name = "FILE")]
    count_file: Option<PathBuf>,
}

impl Args {
    /// Whether this start is one of those that die, as counted.
    fn dies(&self) -> Result<bool, Box<dyn Error>> {
        let before = self.count_file.as_deref().map(count_in).transpose()?.unwrap_or(0);
        let crashes = before.checked_sub(self.skip);
        Ok(crashes.is_some_and(|crashes| self.times.is_none_or(|times| crashes < times)))
    }

    fn die(&self) -> ! {
        delay(self.after);
        match self.exit {
            Some(status) => process::exit(status),
            None => die_by(self.signal.unwrap_or(Signal::SIGSEGV)),
        }
    }
}

impl Helper for Args {
    fn run(self) -> Outcome {
        let startup = match self.when {
            Moment::BeforePidfile => self.library.clone().start_before_pidfile("crash")?,
            _ => self.library.start("crash")?,
        };
        // Counted in any case before it is ready, so that whoever waited for that finds the count.
        let dies = self.dies()?;
        if dies && self.when != Moment::AfterReady {
            self.die();
        }
        startup.complete()?;
        if dies {
            self.die();
        }
        run_until_killed()
    }
}
