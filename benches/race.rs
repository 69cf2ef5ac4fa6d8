//! What an execution of the explorer costs: one of three contenders, beside starting and reaping the same three processes
//! untraced, in one run.
//!
//! The ratio is taken from alternating rounds, so that what else the machine does hits both: `cargo bench --bench race`
//! prints it.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use daemonproof::prelude::*;

const PUBLISHED: &str = env!("CARGO_BIN_EXE_published-protocol");
const CONTENDERS: usize = 3;

/// As many executions as it takes to cover everything; how long one takes.
fn explored() -> (Duration, u64) {
    let sandbox = Sandbox::new().unwrap();
    let race = sandbox.race(PUBLISHED).pidfile("--pidfile={pidfile}").scenario(Scenario::Handover);
    let found = race.contenders(CONTENDERS).explore().outcome;
    assert!(found.exhausted && !found.violations.is_empty(), "{found:?}");
    let executions = u32::try_from(found.executions).unwrap();
    (found.elapsed / executions, found.operations / found.executions)
}

/// How long the same processes take without a tracer: started at once, with pidfiles of their own, stopped and reaped.
fn untraced() -> Duration {
    let sandbox = Sandbox::new().unwrap();
    let began = Instant::now();
    let start = |index: usize| {
        let pidfile = sandbox.rundir().join(format!("{index}.pid"));
        let mut command = Command::new(PUBLISHED);
        command.arg(format!("--pidfile={}", pidfile.display())).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    };
    let started: Vec<_> = (0..CONTENDERS).map(start).collect();
    for mut child in started {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    began.elapsed()
}

fn main() {
    // `cargo test --benches` runs this as a test: once is enough then.
    let rounds = if std::env::args().any(|arg| arg == "--test") { 1 } else { 10 };
    let mut ratios = Vec::new();
    for _ in 0..rounds {
        let (traced, operations) = explored();
        let plain = untraced();
        println!(
            "an execution of {operations} operations {traced:.0?}, the same processes untraced {plain:.0?}"
        );
        ratios.push(traced.as_secs_f64() / plain.as_secs_f64());
    }
    ratios.sort_unstable_by(f64::total_cmp);
    println!("ratio {:.2} (median of {rounds})", ratios[ratios.len() / 2]);
}
