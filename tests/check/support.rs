//! Running the catalogue and comparing its outcomes.

use daemonproof::check::{Check, Driving, Outcome, Report, catalogue, find, judge};
use daemonproof::fixture::CommandLine;
use std::collections::BTreeSet;

/// The families that run the daemon call by call.
pub(crate) const EXPLORED: [&str; 3] = ["race", "crash", "fault"];

/// Judges by the whole catalogue.
pub(crate) fn judge_all(driving: &Driving) -> Report {
    let checks: Vec<&'static Check> = catalogue().collect();
    judge(driving, &checks, |_| {}).expect("the command has no unknown placeholder")
}

/// Judges by one check.
pub(crate) fn judge_by(id: &str, driving: &Driving) -> Report {
    let check = find(id).unwrap_or_else(|| panic!("there is a check {id}"));
    judge(driving, &[check], |_| {}).expect("the command has no unknown placeholder")
}

/// Judges by all checks of these families.
pub(crate) fn judge_families(families: &[&str], driving: &Driving) -> Report {
    let checks: Vec<&'static Check> =
        catalogue().filter(|check| families.contains(&check.family())).collect();
    judge(driving, &checks, |_| {}).expect("the command has no unknown placeholder")
}

/// Judges by what is seen of the daemon without running it call by call: for many daemons that would take too long here.
pub(crate) fn judge_observed(driving: &Driving) -> Report {
    let checks: Vec<&'static Check> =
        catalogue().filter(|check| !EXPLORED.contains(&check.family())).collect();
    judge(driving, &checks, |_| {}).expect("the command has no unknown placeholder")
}

/// The ids of the checks that found the promise broken.
pub(crate) fn failures(report: &Report) -> BTreeSet<&'static str> {
    ids(report, |outcome| matches!(outcome, Outcome::Fail(_)))
}

/// The ids of the checks that could not judge.
pub(crate) fn unknowns(report: &Report) -> BTreeSet<&'static str> {
    ids(report, |outcome| matches!(outcome, Outcome::Unknown(_)))
}

fn ids(report: &Report, is: impl Fn(&Outcome) -> bool) -> BTreeSet<&'static str> {
    report.findings.iter().filter(|finding| is(&finding.outcome)).map(|finding| finding.check.id).collect()
}

/// Everything but what passed, a line each.
pub(crate) fn shown(report: &Report) -> String {
    let findings = report.findings.iter().filter(|finding| finding.outcome != Outcome::Pass);
    let lines = findings.map(|finding| format!("  {}: {:?}\n", finding.check.id, finding.outcome));
    lines.collect()
}

pub(crate) fn shell(script: &str) -> Driving {
    Driving::new(CommandLine::new("sh").arg("-c").arg(script))
}

pub(crate) fn expect(report: &Report, broken: &[&str]) {
    assert_eq!(failures(report), broken.iter().copied().collect::<BTreeSet<_>>(), "\n{}", shown(report));
}
