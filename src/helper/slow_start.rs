//! The daemon that takes its time.

use super::behaviour::{LibraryArgs, delay, fail_startup, run_until_killed};
use super::names::{Helper, Outcome};
use clap::Parser;
use std::time::Duration;

/// A daemon that needs long to become ready, or to find out that it cannot.
///
/// It imitates a database that replays its log before it serves.
#[derive(Debug, Parser)]
#[command(name = "slow-start")]
pub(super) struct Args {
    #[command(flatten)]
    library: LibraryArgs,
    /// How long the start takes
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = humantime::parse_duration)]
    delay: Duration,
    /// Fail after it, with this exit status
    #[arg(long, value_name = "STATUS")]
    fail: Option<i32>,
}

impl Helper for Args {
    fn run(self) -> Outcome {
        let startup = self.library.start("slow-start")?;
        delay(self.delay);
        if let Some(status) = self.fail {
            fail_startup("slow-start", status);
        }
        startup.complete()?;
        run_until_killed()
    }
}
