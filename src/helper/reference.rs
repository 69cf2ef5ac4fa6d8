//! The daemon that does everything right.

use super::behaviour::{LibraryArgs, fail_startup, run_until_killed};
use super::names::{Helper, Outcome};
use clap::Parser;

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
}

impl Helper for Args {
    fn run(self) -> Outcome {
        let startup = self.library.start("reference")?;
        if let Some(status) = self.fail {
            fail_startup("reference", status);
        }
        startup.complete()?;
        run_until_killed()
    }
}
