//! Imitates a program with a bug that kills it, during its start or later.

use std::process::ExitCode;

fn main() -> ExitCode {
    daemonproof::helper::main("crash", std::env::args_os().skip(1))
}
