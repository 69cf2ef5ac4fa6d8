//! `daemonproof crash` and `daemonproof fault`.

use super::exit::{Failure, Status};
use super::guard;
use super::interrupt::Interrupt;
use super::output::{Outputs, complain};
use super::program::obstacle;
use super::progress::line;
use super::race;
use super::sweep_args::{CrashArgs, FaultArgs, SweepArgs};
use crate::explore::drawing::command;
use crate::explore::sweep::{Blow, Case, SweepOutcome, SweepRequest, sweep};
use crate::fixture::Sandbox;
use crate::report::{Judged, Outcome, Row, Verdict, judged_html, judged_text, to_json};
use nix::errno::Errno;
use nix::sys::signal::Signal;
use serde::Serialize;
use std::ffi::OsStr;
use std::process::ExitCode;
use std::time::Duration;

pub(super) fn crash(args: &CrashArgs) -> Result<ExitCode, Failure> {
    let blow = if args.signal == Signal::SIGTERM { Blow::Terminate } else { Blow::Kill };
    run("crash", &args.sweep, blow, None)
}

pub(super) fn fault(args: &FaultArgs) -> Result<ExitCode, Failure> {
    run("fault", &args.sweep, Blow::Fail, args.errno)
}

/// Sweeps, in a child that this process outlives.
fn run(
    family: &'static str,
    args: &SweepArgs,
    blow: Blow,
    errno: Option<Errno>,
) -> Result<ExitCode, Failure> {
    let (setup, package) = race::setup(&args.contend())?;
    if !guard::is_guarded() {
        return guard::run();
    }
    let outputs = Outputs::open(&args.output)?;
    let missing = obstacle(OsStr::new(&setup.command[0]), package.as_deref());
    let request = SweepRequest { setup, blow, at: args.at.map(Into::into), errno, max_time: None };
    let outcome = missing.map_or_else(|| swept(&request, &outputs), Err);
    let outcome = outcome.unwrap_or_else(|obstacle| {
        complain(&Failure::Inconclusive(obstacle.clone()));
        SweepOutcome { cases: Vec::new(), operations: 0, stopped: Some(obstacle), elapsed: Duration::ZERO }
    });
    let judged = judged(family, &request, &outcome);
    let text = |look| match outcome.cases.is_empty() {
        // Why has just been told.
        true => String::new(),
        false => judged_text(&judged, look),
    };
    outputs.write(text, || to_json(&Document::new(&judged, &outcome)), || judged_html(&judged))?;
    Ok(Status::from(judged.verdict).into())
}

fn swept(request: &SweepRequest, outputs: &Outputs) -> Result<SweepOutcome, String> {
    let interrupt = Interrupt::watch().map_err(|errno| format!("failed to watch for signals: {errno}"))?;
    let bar = line(Some(0), "{spinner} operation {pos} of {len} {elapsed}", outputs.wants_text());
    let mut report = |done: usize, all: usize| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
        interrupt.flow().is_continue()
    };
    let sandbox = Sandbox::new().map_err(|error| error.to_string())?;
    let outcome = sweep(request, &sandbox, &mut report);
    bar.finish_and_clear();
    let outcome = outcome.map_err(|error| error.to_string())?;
    match outcome.cases.is_empty() && outcome.stopped.is_none() {
        true => Err(nothing(request, &outcome)),
        false => Ok(outcome),
    }
}

/// Why there was nothing to be done.
fn nothing(request: &SweepRequest, outcome: &SweepOutcome) -> String {
    let errno = request.errno.map(|errno| format!(" that can give {errno:?}")).unwrap_or_default();
    match request.at {
        Some(at) => format!("the start has no operation {at}{errno}: it has {}", outcome.operations),
        None => format!("the start has no operation{errno}"),
    }
}

/// A row for each operation.
fn judged(family: &str, request: &SweepRequest, outcome: &SweepOutcome) -> Judged {
    let any_broken = outcome.broken().next().is_some();
    let mut judged = Judged {
        command: command(&request.setup),
        modes: request.setup.switches().map(|(name, argument)| (name, argument.clone())).collect(),
        verdict: match (any_broken, &outcome.stopped) {
            (true, _) => Verdict::Violated,
            (false, Some(_)) => Verdict::Inconclusive,
            (false, None) => Verdict::Holds,
        },
        obstacle: outcome.stopped.clone().filter(|_| !any_broken),
        rows: outcome.cases.chunk_by(is_same_row).map(|cases| row(family, cases)).collect(),
        elapsed: outcome.elapsed,
    };
    if let Some(stopped) = outcome.stopped.as_ref().filter(|_| !outcome.cases.is_empty()) {
        judged.rows.push(Row {
            id: format!("{family}.rest"),
            promise: "what comes after it".to_owned(),
            outcome: Outcome::NotJudged,
            detail: stopped.clone(),
            elapsed: Duration::ZERO,
        });
    }
    judged
}

/// Whether two cases are about the same call.
fn is_same_row(a: &Case, b: &Case) -> bool {
    (a.at, &a.operation) == (b.at, &b.operation)
}

/// What came of all errors of one operation, or of the one blow.
fn row(family: &str, cases: &[Case]) -> Row {
    let broken = cases.iter().filter_map(|case| {
        let errno = case.errno.map(|errno| format!("{errno:?}: ")).unwrap_or_default();
        Some(format!("{errno}{}", case.broken.as_ref()?))
    });
    let broken: Vec<String> = broken.collect();
    Row {
        id: format!("{family}.{}", cases[0].at),
        promise: cases[0].operation.clone(),
        outcome: if broken.is_empty() { Outcome::Kept } else { Outcome::Broken },
        detail: broken.join("; "),
        elapsed: Duration::ZERO,
    }
}

/// For programs.
#[derive(Serialize)]
struct Document<'a> {
    verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    command: &'a str,
    operations: usize,
    elapsed_s: f64,
    cases: Vec<CaseDocument<'a>>,
}

#[derive(Serialize)]
struct CaseDocument<'a> {
    at: usize,
    operation: &'a str,
    errno: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    said: Option<&'a str>,
    outcome: &'static str,
    detail: &'a str,
}

impl<'a> Document<'a> {
    fn new(judged: &'a Judged, outcome: &'a SweepOutcome) -> Self {
        let case = |case: &'a Case| CaseDocument {
            at: case.at,
            operation: &case.operation,
            errno: case.errno.map(|errno| format!("{errno:?}")),
            said: case.said.as_deref(),
            outcome: if case.broken.is_some() { "fail" } else { "pass" },
            detail: case.broken.as_ref().map_or("", |harm| &harm.sentence),
        };
        Document {
            verdict: judged.verdict,
            reason: outcome.stopped.as_deref(),
            command: &judged.command,
            operations: outcome.operations,
            elapsed_s: outcome.elapsed.as_secs_f64(),
            cases: outcome.cases.iter().map(case).collect(),
        }
    }
}
