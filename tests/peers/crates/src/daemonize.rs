//! A daemon as the README of the crate `daemonize` shows it: it detaches, and the crate locks and writes the pidfile.
//!
//! `peer-daemonize --pidfile FILE [--remove]`: with `--remove` it deletes its pidfile when SIGTERM ends it, which the crate
//! leaves to the program.

use std::process::ExitCode;

use daemonize::Daemonize;
use nix::sys::signal::{SigSet, Signal};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (Some("--pidfile"), Some(pidfile)) = (args.first().map(String::as_str), args.get(1)) else {
        eprintln!("usage: peer-daemonize --pidfile FILE [--remove]");
        return ExitCode::from(2);
    };
    let term = SigSet::from(Signal::SIGTERM);
    if let Err(error) = term.thread_block() {
        eprintln!("failed to block SIGTERM: {error}");
        return ExitCode::FAILURE;
    }
    if let Err(error) = Daemonize::new().pid_file(pidfile).start() {
        eprintln!("failed to daemonize: {error}");
        return ExitCode::FAILURE;
    }
    let ended = term.wait();
    if args.iter().any(|arg| arg == "--remove") && std::fs::remove_file(pidfile).is_err() {
        return ExitCode::FAILURE;
    }
    ExitCode::from(u8::from(ended.is_err()))
}
