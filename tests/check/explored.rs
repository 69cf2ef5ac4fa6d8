//! The families that run the daemon call by call: `race`, `crash` and `fault`.

use super::support::{EXPLORED, failures, judge_by, judge_families, shown};
use clap::ValueEnum;
use daemonproof::check::{Driving, Outcome, Report, Verdict};
use daemonproof::fixture::{CommandLine, Sandbox};
use daemonproof::helper::Defect;
use std::collections::BTreeSet;
use std::time::Duration;

/// Long enough for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(240);

fn driving(defect: Defect) -> Driving {
    let name = defect.to_possible_value().expect("no defect is hidden");
    let command = CommandLine::new(env!("CARGO_BIN_EXE_defective"))
        .arg("--pidfile={pidfile}")
        .arg(format!("--defect={}", name.get_name()));
    Driving::new(command).detach("--detach").search_for(PATIENCE)
}

const ALL_RACES: &[&str] = &["race.start", "race.stale", "race.handover", "race.crash"];

/// What each defect breaks among all checks of these families. The others were run to the end, and are kept.
pub(crate) const TABLE: &[(Defect, &[&str], &[&str])] = &[
    (Defect::None, &EXPLORED, &[]),
    (Defect::CheckThenCreate, &["race"], ALL_RACES),
    (Defect::StaleRefused, &["crash", "fault"], &["crash.next-start"]),
    (
        Defect::MarkerWhileStarting,
        &["crash", "fault"],
        &["crash.next-start", "crash.sigterm", "fault.next-start"],
    ),
    (Defect::SigtermLostInStart, &["crash", "fault"], &["crash.sigterm"]),
    (Defect::FullDiskUnnoticed, &["crash", "fault"], &["fault.all-or-nothing"]),
    (Defect::FailureExits0, &["crash", "fault"], &["fault.all-or-nothing"]),
    (Defect::SilentFailure, &["crash", "fault"], &["fault.message"]),
];

#[test]
fn each_defect_breaks_what_it_breaks_and_nothing_else() {
    for (defect, families, broken) in TABLE {
        let report = judge_families(families, &driving(*defect));
        let expected = broken.iter().copied().collect::<BTreeSet<_>>();
        assert_eq!(failures(&report), expected, "{defect:?}\n{}", shown(&report));
        every_one(&report, |outcome| matches!(outcome, Outcome::Pass | Outcome::Fail(_)));
    }
}

/// Where two run whenever one is started after the other, their races say nothing.
#[test]
fn who_lets_two_run_anyway_is_not_raced() {
    let report = judge_families(&["race"], &driving(Defect::NotLocked));
    every_one(
        &report,
        |outcome| matches!(outcome, Outcome::Skip(why) if why.contains("second-start-refused")),
    );
}

/// Not enough time is no judgement, and matters only to somebody who has asked for all of it.
#[test]
fn what_was_not_run_to_the_end_is_not_kept() {
    let none = Duration::from_nanos(1);
    let report = judge_families(&EXPLORED, &driving(Defect::None).search_for(none));
    every_one(&report, |outcome| matches!(outcome, Outcome::Skip(why) if why.ends_with("; --deep goes on")));
    let report = judge_families(&["race"], &driving(Defect::None).deep().search_for(none));
    every_one(&report, |outcome| matches!(outcome, Outcome::Unknown(why) if why.contains("there are more")));
    assert_eq!(report.verdict(), Verdict::Inconclusive);
}

/// One opens the guard, its owner deletes it and goes, a third one makes a new guard: two have one locked.
#[test]
fn deep_is_for_three() {
    let command = CommandLine::new(env!("CARGO_BIN_EXE_defective")).arg("--pidfile={pidfile}");
    let removed = Driving::new(command.arg("--defect=guard-removed")).search_for(PATIENCE);
    every_one(&judge_by("race.handover", &removed), |outcome| *outcome == Outcome::Pass);
    every_one(&judge_by("race.handover", &removed.deep()), |outcome| matches!(outcome, Outcome::Fail(_)));
}

/// A relative name leads where the caller is, under the explorer too.
#[test]
fn a_program_is_found_where_it_is() {
    let script = "tests/peers/keeper.py";
    assert!(std::path::Path::new(script).exists());
    let driving = Driving::new(CommandLine::new("sh").args([
        "-c",
        "test -e $1 || exit 3; exec sleep 1000",
        "sh",
        script,
    ]));
    let report = judge_families(&["crash"], &driving);
    every_one(&report, |outcome| *outcome == Outcome::Pass);
}

/// Whoever is traced cannot trace; see `restarts.rs`.
#[test]
fn where_nobody_may_trace_nothing_is_explored() {
    let sandbox = Sandbox::new().unwrap();
    let check = sandbox.daemon(env!("CARGO_BIN_EXE_daemonproof")).args(["check", "--json", "-", "--quiet"]);
    let check = check.args(["--only", "stop.sigterm"]).args(EXPLORED);
    let finished = check.env("TMPDIR", "{rundir}").virtual_time().run();
    let json = finished.assert().success().get_output().stdout.clone();
    let report: serde_json::Value = serde_json::from_slice(&json).unwrap();
    for finding in report["checks"].as_array().unwrap() {
        let why = finding["detail"].as_str().unwrap_or_default();
        assert_eq!(why.contains("not permitted to trace"), finding["id"] != "stop.sigterm", "{finding}");
    }
}

#[track_caller]
fn every_one(report: &Report, is_right: impl Fn(&Outcome) -> bool) {
    assert!(!report.findings.is_empty());
    assert!(report.findings.iter().all(|finding| is_right(&finding.outcome)), "\n{}", shown(report));
}
