//! `daemonproof show`.

use crate::support::{daemonproof, json};
use predicates::prelude::*;
use predicates::str::{contains, starts_with};
use rstest::rstest;
use std::fs;
use std::path::PathBuf;

fn schedule(name: &str) -> String {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "cli", "schedules"].iter().collect();
    folder.join(name).to_str().unwrap().to_owned()
}

#[test]
fn a_schedule_is_drawn_as_swim_lanes() {
    let file = schedule("handover-3.json");
    let heading = starts_with("published-protocol --pidfile={pidfile}\nscenario: handover, contenders: 3\n");
    let broken = contains("running-owns-pidfile is broken: B is running, but d.pid is missing\n");
    let lanes = contains("      A                     B  start              C  start\n")
        .and(contains("\n 12                         lock a        ok   ◀ a has no name any more\n"))
        .and(contains("\n  …   3 steps: open d.pid, fstat a, truncate a\n"));
    let end = contains("\npasses if 17 comes after 18.\n")
        .and(contains(format!("\nreplay: daemonproof replay {file}\n")));
    let stdout = heading.and(broken).and(lanes).and(end).and(contains("\x1b[").not());
    daemonproof(&["show", &file]).assert().success().stdout(stdout).stderr("");
}

#[test]
fn every_step_is_shown_on_request() {
    let stdout =
        contains("\n  5   truncate a    ok\n").and(contains("…").not()).and(contains("steps: ").not());
    daemonproof(&["show", "--all", &schedule("handover-3.json")]).assert().success().stdout(stdout);
}

#[test]
fn colours_and_marks_follow_the_environment() {
    let file = schedule("handover-4.json");
    let mut forced = daemonproof(&["show", &file]);
    forced.env("CLICOLOR_FORCE", "1").assert().stdout(contains("\x1b["));
    forced.env("NO_COLOR", "1").assert().stdout(contains("\x1b[").not());
    let ascii = contains("<-- a has no name any more").and(contains("rename .tmp -> d.pid"));
    let is_ascii = predicate::function(|text: &str| text.is_ascii());
    daemonproof(&["show", &file]).env("LC_ALL", "C").assert().stdout(ascii.and(is_ascii));
}

#[test]
fn reports_go_to_files() {
    let directory = tempfile::tempdir().unwrap();
    let [to_json, to_html] = ["s.json", "s.html"].map(|name| directory.path().join(name));
    let file = schedule("detach-2.json");
    let args =
        ["show", &file, "--quiet", "--json", to_json.to_str().unwrap(), "--html", to_html.to_str().unwrap()];
    daemonproof(&args).assert().success().stdout("").stderr("");
    assert_eq!(json(&fs::read(&to_json).unwrap()), json(&fs::read(&file).unwrap()));
    let html = fs::read_to_string(to_html).unwrap();
    assert!(html.starts_with("<!DOCTYPE html>") && html.contains("A.1 and B.1 are running"), "{html}");
    // What was written can be shown again.
    daemonproof(&["show", to_json.to_str().unwrap()]).assert().success();
    let lanes_on_stderr = contains("child of A");
    daemonproof(&["show", &file, "--html=-"])
        .assert()
        .stdout(starts_with("<!DOCTYPE html>"))
        .stderr(lanes_on_stderr);
}

#[rstest]
#[case::not_json("hello", "not a schedule: expected value at line 1 column 1")]
#[case::another_json("{\"verdict\": \"holds\"}", "not a schedule: missing field `format`")]
#[case::another_format(
    "{\"format\": 2}",
    "a schedule of format 2, but this program reads format 1 only: use a newer"
)]
#[case::empty("", "not a schedule: EOF")]
fn what_is_no_schedule_is_a_usage_error(#[case] content: &str, #[case] message: &str) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("s.json");
    fs::write(&file, content).unwrap();
    let named = contains("s.json: ").and(contains(message));
    daemonproof(&["show", file.to_str().unwrap()]).assert().code(2).stdout("").stderr(named);
}

#[test]
fn an_absurd_schedule_is_a_usage_error() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("s.json");
    let text = fs::read_to_string(schedule("handover-3.json")).unwrap();
    fs::write(&file, text.replace("\"critical\": 11", "\"critical\": 1100")).unwrap();
    let message = contains("not a schedule of an execution: the critical step is 1100");
    daemonproof(&["show", file.to_str().unwrap()]).assert().code(2).stdout("").stderr(message);
}

#[test]
fn a_missing_file_is_named() {
    let message = contains("failed to read the schedule /nonexistent/s.json: No such file");
    daemonproof(&["show", "/nonexistent/s.json"]).assert().code(2).stdout("").stderr(message);
    daemonproof(&["show"]).assert().code(2).stderr(contains("<FILE>"));
}
