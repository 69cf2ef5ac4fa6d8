//! What the explorer costs, each beside its floor, in one run: an execution of three contenders beside starting and reaping
//! the same three processes untraced, and an operation beside a bare stop of a traced task.
//!
//! The ratios are taken from alternating rounds, so that what else the machine does hits both: `cargo bench --bench race`
//! prints them.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use daemonproof::explore::request::StrategyKind;
use daemonproof::prelude::*;
use nix::sched::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use nix::sys::ptrace::{self, Options};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

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

/// A shell's loop of so many looks at a file.
fn looks(count: u32, at: &str) -> String {
    format!("i=0; while [ $i -lt {count} ]; do [ -e {at} ]; i=$((i + 1)); done")
}

/// How long `EXECUTIONS` executions of one shell take that looks so often at a file.
fn looked(count: u32) -> Duration {
    let script = format!("{}; exec sleep 1000", looks(count, "\"$1\""));
    let sandbox = Sandbox::new().unwrap();
    let race = sandbox.race("sh").args(["-c", &script, "sh"]).pidfile("{pidfile}").contenders(1usize);
    let race = race.strategy(StrategyKind::Random).max_executions(u64::from(EXECUTIONS));
    let found = race.explore().outcome;
    assert!(found.violations.is_empty() && found.operations >= u64::from(EXECUTIONS * count), "{found:?}");
    found.elapsed
}

/// How long a traced shell takes from one stop to the next, with nothing done in between, on the tracer's own core.
#[expect(clippy::zombie_processes, reason = "it is waited for by its number")]
fn bare_stop() -> Duration {
    let before = sched_getaffinity(Pid::from_raw(0)).unwrap();
    let mut core = CpuSet::new();
    core.set(sched_getcpu().unwrap()).unwrap();
    sched_setaffinity(Pid::from_raw(0), &core).unwrap();
    let script = format!("read go; {}", looks(LOOKS, "/nonexistent"));
    let mut shell = Command::new("sh").args(["-c", &script]).stdin(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_raw(shell.id().cast_signed());
    ptrace::seize(pid, Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_EXITKILL).unwrap();
    ptrace::interrupt(pid).unwrap();
    waitpid(pid, None).unwrap();
    shell.stdin.take().unwrap().write_all(b"\n").unwrap();
    let (began, mut stops) = (Instant::now(), 0);
    loop {
        ptrace::syscall(pid, None).unwrap();
        match waitpid(pid, None).unwrap() {
            WaitStatus::Exited(..) => break,
            _ => stops += 1,
        }
    }
    let elapsed = began.elapsed();
    sched_setaffinity(Pid::from_raw(0), &before).unwrap();
    assert!(stops >= 2 * LOOKS);
    elapsed / stops
}

const EXECUTIONS: u32 = 10;
const LOOKS: u32 = 500;

fn median(mut ratios: Vec<f64>) -> f64 {
    ratios.sort_unstable_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

fn main() {
    // `cargo test --benches` runs this as a test: once is enough then.
    let rounds = if std::env::args().any(|arg| arg == "--test") { 1 } else { 10 };
    let (mut executions, mut operations) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (traced, count) = explored();
        let plain = untraced();
        println!("an execution of {count} operations {traced:.0?}, the same processes untraced {plain:.0?}");
        executions.push(traced.as_secs_f64() / plain.as_secs_f64());
        let operation = looked(LOOKS).saturating_sub(looked(0)) / (EXECUTIONS * LOOKS);
        let stop = bare_stop();
        println!("an operation {operation:.1?}, a bare stop {stop:.1?}");
        operations.push(operation.as_secs_f64() / stop.as_secs_f64());
    }
    println!("execution / untraced: {:.2} (median of {rounds})", median(executions));
    println!("operation / bare stop: {:.2} (median of {rounds})", median(operations));
}
