//! Restarts are judged on a clock of the daemon's own, which jumps, and on the machine's where that is asked for or cannot
//! be helped.

use super::support::{judge_families, shown};
use daemonproof::check::{Driving, Outcome, Profile, Report, Verdict};
use daemonproof::fixture::{CommandLine, Sandbox};
use std::time::Duration;

/// The checks that set the clock, or need to know when all are asleep.
const TAKE_A_CLOCK: [&str; 4] =
    ["restart.wall-clock", "restart.wall-clock-forward", "restart.none-after-sigterm", "restart.at-rest"];
/// Those that only its own clock can judge.
const TAKE_ITS_CLOCK: [&str; 3] = ["restart.first-at-once", "restart.back-off", "restart.gives-up"];

fn driving(interval: Duration) -> Driving {
    let ms = |duration: Duration| format!("{}ms", duration.as_millis());
    let command = CommandLine::new(env!("CARGO_BIN_EXE_reference"))
        .args(["--pidfile={pidfile}", "--give-up-after=12"])
        .arg(format!("--restart-interval={}", ms(interval)))
        .arg(format!("--backoff-limit={}", ms(3 * interval)));
    let mut profile = Profile::named("reference").unwrap();
    profile.declares.restart_interval = Some(interval);
    profile.declares.longest_restart_interval = Some(3 * interval);
    profile.driving(Some(command)).unwrap()
}

fn skipped(report: &Report) -> Vec<(&str, &str)> {
    let skipped = report.findings.iter().filter(|finding| matches!(finding.outcome, Outcome::Skip(_)));
    skipped.map(|finding| (finding.check.id, finding.outcome.detail())).collect()
}

#[test]
fn a_throttle_of_minutes_is_no_wait() {
    let interval = Duration::from_secs(240);
    let report = judge_families(&["restart"], &driving(interval));
    assert_eq!(report.verdict(), Verdict::Holds, "\n{}", shown(&report));
    assert_eq!(skipped(&report), []);
    let elapsed: Duration = report.findings.iter().map(|finding| finding.elapsed).sum();
    assert!(elapsed < interval, "{elapsed:?}");
}

#[test]
fn on_the_machines_clock_it_is_not_set() {
    let report = judge_families(&["restart"], &driving(Duration::from_millis(200)).real_time());
    assert_eq!(report.verdict(), Verdict::Holds, "\n{}", shown(&report));
    let skipped = skipped(&report);
    let ids: Vec<_> = skipped.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, [&TAKE_ITS_CLOCK[..], &TAKE_A_CLOCK].concat());
    assert!(skipped.iter().all(|(_, why)| why.contains("--real-time")), "{skipped:?}");
}

/// Whoever is traced cannot trace: a check that runs by virtual time itself is the simplest case. (How far apart restarts are
/// is not asked there, because the kernel's notes of births do not follow that time.)
#[test]
fn where_nobody_may_trace_the_machines_clock_will_do() {
    let sandbox = Sandbox::new().unwrap();
    let check = sandbox.daemon(env!("CARGO_BIN_EXE_daemonproof")).args(["check", "--json", "-", "--quiet"]);
    let check = check.args(["--only", "restart.as-before", "restart.no-zombies"]).args(TAKE_A_CLOCK);
    let finished = check.env("TMPDIR", "{rundir}").virtual_time().run();
    let json = finished.assert().success().get_output().stdout.clone();
    let report: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let checks = report["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 2 + TAKE_A_CLOCK.len());
    for finding in checks {
        let takes_a_clock = TAKE_A_CLOCK.iter().any(|id| finding["id"] == *id);
        assert_eq!(finding["outcome"], if takes_a_clock { "skip" } else { "pass" }, "{finding}");
        let why = finding["detail"].as_str().unwrap_or_default();
        assert_eq!(why.contains("not permitted to trace"), takes_a_clock, "{finding}");
    }
}
