//! The daemon that does everything right: what every check must hold for.

use std::process::ExitCode;

fn main() -> ExitCode {
    daemonproof::helper::main("reference", std::env::args_os().skip(1))
}
