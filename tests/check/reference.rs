//! The reference daemon keeps every promise.

use super::support::{judge_all, shown};
use daemonproof::check::{Outcome, Profile, Verdict};
use daemonproof::fixture::CommandLine;

#[test]
fn the_reference_daemon_keeps_every_promise() {
    let command = CommandLine::new(env!("CARGO_BIN_EXE_reference"))
        .args(["--pidfile={pidfile}", "--restart-interval=400ms"]);
    let driving = Profile::named("reference")
        .unwrap()
        .driving(Some(command))
        .unwrap();
    let report = judge_all(&driving);
    assert_eq!(report.verdict(), Verdict::Holds, "\n{}", shown(&report));
    let passed = report
        .findings
        .iter()
        .filter(|finding| finding.outcome == Outcome::Pass)
        .count();
    assert_eq!(
        passed,
        report.findings.len(),
        "none is skipped:\n{}",
        shown(&report)
    );
}
