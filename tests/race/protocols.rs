//! Pidfile protocols: the holes of those that have one are found, and that of the library is shown to have none.

use crate::support::{broken, race_helper, turn};
use daemonproof::prelude::*;
use rstest::rstest;

#[test]
fn the_holes_of_the_published_protocol_are_found() {
    let _turn = turn();
    let sandbox = Sandbox::new().unwrap();
    let found =
        race_helper(&sandbox, "published-protocol").scenario(Scenario::Handover).contenders(3).explore();
    assert!(found.outcome.exhausted, "{found}");
    let all = ["reader-never-sees-garbage", "running-owns-pidfile", "someone-runs"];
    assert_eq!(broken(&found), all, "{found}");
    for violation in found.violations() {
        assert!(violation.schedule.flip.is_some(), "{found}");
    }
    let shown = found.to_string();
    // The directory is another in each run, and so is the time.
    let root = sandbox.rundir();
    let shown = shown.replace(root.to_str().unwrap(), "RUNDIR");
    insta::assert_snapshot!(drawn(&shown));
}

/// The lanes of the invariant that the published protocol is known for.
fn drawn(shown: &str) -> String {
    let lines = shown.lines().skip_while(|line| !line.starts_with("running-owns-pidfile is broken"));
    let lanes = lines.take_while(|line| *line != "in the end");
    lanes.map(|line| format!("{line}\n")).collect()
}

/// What it takes three for breaks other invariants.
#[test]
fn four_contenders_of_the_published_protocol_let_two_run() {
    let _turn = turn();
    let sandbox = Sandbox::new().unwrap();
    let race = race_helper(&sandbox, "published-protocol").scenario(Scenario::Handover).contenders(4).jobs(2);
    // All of it takes a minute or two.
    let found = match std::env::var_os("DAEMONPROOF_LONG") {
        Some(_) => race.explore(),
        None => race.only("at-most-one-running").stop_on_first(true).explore(),
    };
    assert!(broken(&found).contains(&"at-most-one-running"), "{found}");
}

#[rstest]
fn the_reference_has_no_hole(
    #[values(Scenario::Start, Scenario::Stale, Scenario::Handover, Scenario::Crash)] scenario: Scenario,
) {
    let _turn = turn();
    let sandbox = Sandbox::new().unwrap();
    // These are the longest, and the last: two workers have both cores then.
    let found = race_helper(&sandbox, "reference").scenario(scenario).jobs(2).explore();
    found.assert_holds();
    assert!(found.outcome.executions > 10, "there is something to reorder: {found}");
}

/// Each defect, with a scenario that shows it, and everything that it breaks in that one.
#[rstest]
#[case::none("none", Scenario::Start, &[])]
#[case::none_to_hand_over("none", Scenario::Handover, &[])]
#[case::not_locked("not-locked", Scenario::Start, &["at-most-one-running", "no-litter", "running-owns-pidfile"])]
#[case::lock_dropped("lock-dropped", Scenario::Start, &["at-most-one-running", "no-litter", "running-owns-pidfile"])]
#[case::check_then_create("check-then-create", Scenario::Start, &["at-most-one-running", "no-litter", "running-owns-pidfile"])]
#[case::writes_in_place("writes-in-place", Scenario::Start, &["reader-never-sees-garbage"])]
#[case::truncates("truncates-live-pidfile", Scenario::Start, &["no-litter", "running-owns-pidfile"])]
#[case::unlinks("unlinks-live-pidfile", Scenario::Start, &["running-owns-pidfile"])]
#[case::silent("silent-refusal", Scenario::Start, &["losers-fail"])]
#[case::exits_0("refusal-exits-0", Scenario::Start, &["losers-fail"])]
fn a_defect_is_found(#[case] defect: &str, #[case] scenario: Scenario, #[case] breaks: &[&str]) {
    let _turn = turn();
    let sandbox = Sandbox::new().unwrap();
    let race = race_helper(&sandbox, "defective").arg(format!("--defect={defect}"));
    let found = race.scenario(scenario).explore();
    assert!(found.outcome.exhausted, "{found}");
    assert_eq!(broken(&found), breaks, "{found}");
}

/// What is not asked for is not judged, and who asks for what there is not is told so.
#[test]
fn some_invariants_can_be_judged_alone() {
    let _turn = turn();
    let sandbox = Sandbox::new().unwrap();
    let race = || race_helper(&sandbox, "defective").arg("--defect=writes-in-place");
    race().only("at-most-one-running").only("no-litter").explore().assert_holds();
    let found = race().only("reader-never-sees-garbage").stop_on_first(true).explore();
    assert_eq!(broken(&found), ["reader-never-sees-garbage"], "{found}");
    let error = race().only("never-sees-garbage").try_explore().unwrap_err().to_string();
    assert!(
        error.starts_with("no invariant \"never-sees-garbage\"; there are at-most-one-running, "),
        "{error}"
    );
}
