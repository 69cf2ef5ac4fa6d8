//! The reference daemon keeps every promise.

use super::support::{judge_observed, shown};
use daemonproof::check::{Outcome, Profile, Verdict};
use daemonproof::fixture::CommandLine;
use std::time::Duration;

/// On a machine under load, more than the profile's 400 ms are needed for another start between two restarts.
const INTERVAL: Duration = Duration::from_secs(1);

/// What it keeps call by call is for `tests/race`, and for `ci/check`.
#[test]
fn the_reference_daemon_keeps_every_promise() {
    let command = CommandLine::new(env!("CARGO_BIN_EXE_reference")).args([
        "--pidfile={pidfile}",
        "--restart-interval=1s",
        "--backoff-limit=2s",
        "--give-up-after=12",
    ]);
    let mut profile = Profile::named("reference").unwrap();
    profile.declares.restart_interval = Some(INTERVAL);
    let report = judge_observed(&profile.driving(Some(command)).unwrap());
    assert_eq!(report.verdict(), Verdict::Holds, "\n{}", shown(&report));
    let passed = report.findings.iter().filter(|finding| finding.outcome == Outcome::Pass).count();
    assert_eq!(passed, report.findings.len(), "none is skipped:\n{}", shown(&report));
}
