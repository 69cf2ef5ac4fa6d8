//! The daemon that does everything right.

use super::behaviour::{LibraryArgs, fail_startup, run_until_killed};
use super::names::{Helper, Outcome};
use crate::sys::fork::{Fork, fork};
use clap::{Parser, ValueEnum};
use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::waitpid;
use std::process;

/// A daemon that does everything right: what `check` looks at when no command is given.
///
/// It starts, reports that it is ready and waits for signals.
#[derive(Debug, Parser)]
#[command(name = "reference")]
pub(super) struct Args {
    #[command(flatten)]
    library: LibraryArgs,
    /// Fail to initialise, with this exit status
    #[arg(long, value_name = "STATUS")]
    fail: Option<i32>,
    /// Fork a process before reporting ready
    #[arg(long, value_name = "WHICH")]
    fork: Option<Forked>,
    /// End like this on SIGUSR1: return, abort or exit=STATUS [default: be killed by it]
    #[arg(long, value_name = "HOW", value_parser = ending)]
    then: Option<End>,
}

/// What a process that the daemon forks does.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Forked {
    /// Exit at once, and be waited for.
    Exits,
    /// Run until it is killed.
    Stays,
}

/// How the daemon ends.
#[derive(Debug, Clone, Copy)]
enum End {
    /// By returning from `main`.
    Return,
    /// By `exit`, with this status.
    Exit(i32),
    /// By `abort`.
    Abort,
}

fn ending(text: &str) -> Result<End, String> {
    let status = || text.strip_prefix("exit=")?.parse().ok();
    match text {
        "return" => Ok(End::Return),
        "abort" => Ok(End::Abort),
        _ => status().map(End::Exit).ok_or_else(|| "expected return, abort or exit=STATUS".to_owned()),
    }
}

impl Forked {
    fn start(self) -> Outcome {
        match fork().map_err(|error| format!("failed to fork: {error:?}"))? {
            Fork::Parent(child) if matches!(self, Self::Exits) => {
                waitpid(child, None)?;
            }
            Fork::Parent(_) => {}
            Fork::Child if matches!(self, Self::Exits) => process::exit(0),
            Fork::Child => run_until_killed(),
        }
        Ok(())
    }
}

impl End {
    fn come(self) -> Outcome {
        match self {
            Self::Return => Ok(()),
            Self::Exit(status) => process::exit(status),
            Self::Abort => process::abort(),
        }
    }
}

/// Returns when `SIGUSR1` has arrived.
fn wait_for_usr1(usr1: SigSet) -> Result<(), Errno> {
    loop {
        match usr1.wait() {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

impl Helper for Args {
    fn run(self) -> Outcome {
        let usr1 = SigSet::from(Signal::SIGUSR1);
        let startup = match self.then {
            Some(_) => self.library.start_deaf("reference", usr1)?,
            None => self.library.start("reference")?,
        };
        if let Some(status) = self.fail {
            fail_startup("reference", status);
        }
        if let Some(forked) = self.fork {
            forked.start()?;
        }
        let Some(end) = self.then else {
            startup.complete()?;
            run_until_killed();
        };
        startup.complete()?;
        wait_for_usr1(usr1)?;
        end.come()
    }
}
