//! Imitates a database that replays its log before it serves.

use std::process::ExitCode;

fn main() -> ExitCode {
    daemonproof::helper::main("slow-start", std::env::args_os().skip(1))
}
