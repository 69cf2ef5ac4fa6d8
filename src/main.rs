//! The `daemonproof` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    daemonproof::cli::main()
}
