//! Imitates Open vSwitch's `lib/daemon-unix.c`: its pidfile steps one by one, holes included.

use std::process::ExitCode;

fn main() -> ExitCode {
    daemonproof::helper::main("published-protocol", std::env::args_os().skip(1))
}
