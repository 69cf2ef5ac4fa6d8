//! Imitates the daemons that people write: right in everything but one named thing.

use std::process::ExitCode;

fn main() -> ExitCode {
    daemonproof::helper::main("defective", std::env::args_os().skip(1))
}
