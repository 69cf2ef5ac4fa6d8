//! The `daemonproof` command.

fn main() {}
