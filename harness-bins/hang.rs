//! Imitates a program that waits for something that never comes, during its start or when told to end.

use std::process::ExitCode;

fn main() -> ExitCode {
    daemonproof::helper::main("hang", std::env::args_os().skip(1))
}
