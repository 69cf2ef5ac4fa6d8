//! A daemon in the foreground that keeps others away with the crate `pidlock`, and releases when SIGTERM ends it.
//!
//! `peer-pidlock --pidfile FILE`

use std::process::ExitCode;

use nix::sys::signal::{SigSet, Signal};
use pidlock::Pidlock;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [option, pidfile] = args.as_slice() else {
        eprintln!("usage: peer-pidlock --pidfile FILE");
        return ExitCode::from(2);
    };
    if option != "--pidfile" {
        eprintln!("usage: peer-pidlock --pidfile FILE");
        return ExitCode::from(2);
    }
    match run(pidfile) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{pidfile}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(pidfile: &str) -> Result<(), Box<dyn std::error::Error>> {
    let term = SigSet::from(Signal::SIGTERM);
    term.thread_block()?;
    let mut lock = Pidlock::new_validated(pidfile)?;
    lock.acquire()?;
    term.wait()?;
    Ok(lock.release()?)
}
