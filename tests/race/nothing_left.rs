//! Whatever ends an exploration, it leaves no task behind, and what it says is true.

use crate::support::PATIENCE;
use daemonproof::fixture::Subject;
use daemonproof::prelude::*;
use rstest::rstest;
use serde_json::Value;
use std::fs;

/// A search that takes minutes, once its tasks are under way.
fn searching(sandbox: &Sandbox) -> Subject {
    let command = CommandLine::new(env!("CARGO_BIN_EXE_daemonproof"))
        .args([
            "race",
            "--scenario=handover",
            "--contenders=6",
            "--jobs=2",
            "--quiet",
            "--json={rundir}/r.json",
        ])
        .args(["--save={rundir}/violations", "--", env!("CARGO_BIN_EXE_reference"), "--pidfile={{pidfile}}"])
        .env("TMPDIR", "{rundir}");
    let subject = sandbox.start(&command, StartOptions::new()).unwrap();
    let is_racing = || {
        let live = subject.live_pids()?;
        let names = live.iter().filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).ok());
        Ok::<_, FixtureError>((names.filter(|name| name.trim() == "reference").count() >= 6).then_some(()))
    };
    subject.wait_until("six contenders", sandbox.deadline(), is_racing).unwrap();
    subject
}

/// The processes that are `daemonproof` itself: the guard, and then the one that explores.
fn own(subject: &Subject) -> [Pid; 2] {
    let children = format!("/proc/{0}/task/{0}/children", subject.pid());
    let worker = fs::read_to_string(children).unwrap();
    [subject.pid(), Pid::from_raw(worker.split_whitespace().next().unwrap().parse().unwrap())]
}

#[rstest]
fn sigkill_leaves_no_task(#[values(0, 1)] whom: usize) {
    let sandbox = Sandbox::new().unwrap().timeout(PATIENCE);
    let subject = searching(&sandbox);
    let target = own(&subject)[whom];
    subject.signal(target, Signal::SIGKILL).unwrap();
    subject.wait_empty(sandbox.deadline()).unwrap();
}

#[rstest]
fn a_request_to_end_gives_what_was_found(#[values(Signal::SIGINT, Signal::SIGTERM)] signal: Signal) {
    let sandbox = Sandbox::new().unwrap().timeout(PATIENCE);
    let subject = searching(&sandbox);
    subject.signal(subject.pid(), signal).unwrap();
    let status = subject.wait_exit(sandbox.deadline()).unwrap();
    assert_eq!(status.code(), Some(3), "{}", String::from_utf8_lossy(&subject.stderr().unwrap()));
    subject.wait_empty(sandbox.deadline()).unwrap();
    let json: Value = serde_json::from_slice(&fs::read(sandbox.rundir().join("r.json")).unwrap()).unwrap();
    assert_eq!((&json["verdict"], &json["reason"]), (&"inconclusive".into(), &"interrupted".into()));
    let left: Vec<_> =
        fs::read_dir(sandbox.rundir()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["r.json"]);
}

/// Under a tracer, or a filter as containers have it, there is no tracing.
#[test]
fn who_may_not_trace_is_told_so() {
    let Some(python) = crate::peers::Missing::skip(crate::peers::python()) else { return };
    let sandbox = Sandbox::new().unwrap();
    let command = CommandLine::new(python)
        .arg(crate::programs::source("without_ptrace.py"))
        .args([env!("CARGO_BIN_EXE_daemonproof"), "race", "--json={rundir}/r.json", "--"])
        .args([env!("CARGO_BIN_EXE_reference"), "--pidfile={{pidfile}}"])
        .env("TMPDIR", "{rundir}");
    let subject = sandbox.start(&command, StartOptions::new()).unwrap();
    let status = subject.wait_exit(sandbox.deadline()).unwrap();
    let said = String::from_utf8(subject.stderr().unwrap()).unwrap();
    assert_eq!(status.code(), Some(3), "{said}");
    assert!(said.contains("not permitted to trace: "), "{said}");
    subject.wait_empty(sandbox.deadline()).unwrap();
}
