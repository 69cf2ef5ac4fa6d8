//! `daemonproof check`, from end to end.

use crate::support::{PROGRAM, daemonproof, json};
use predicates::prelude::*;
use predicates::str::contains;
use rstest::rstest;
use serde_json::Value;
use std::fs;
use std::process::{Command, Stdio};

/// What takes no time to judge.
const QUICK: [&str; 4] = ["check", "--only", "detach", "pidfile"];

fn quick<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&QUICK, more].concat()
}

#[test]
fn the_built_in_daemon_keeps_every_promise() {
    let stdout =
        contains("✓ pidfile.locked-by-daemon").and(contains(" 0 broken, 0 skipped, 0 not judged in "));
    // How far the others come depends on how busy the machine is.
    let args = ["check", "--skip", "race", "crash", "fault"];
    daemonproof(&args).assert().success().stdout(stdout.and(contains(": holds\n"))).stderr("");
}

#[test]
fn a_broken_promise_is_told_with_what_was_seen() {
    let left = ["helper", "defective", "--defect=pidfile-left", "--pidfile={pidfile}"];
    let args = [&["check", "--only", "stop", "--detach=--detach", "--", PROGRAM][..], &left].concat();
    let stdout = contains("✗ stop.pidfile-removed").and(contains("\n      ")).and(contains(": violated\n"));
    daemonproof(&args).assert().code(1).stdout(stdout);
}

#[test]
fn a_program_that_is_no_daemon_is_judged_by_little() {
    let holds = contains("✓ stop.sigterm").and(contains("checks skipped: the command names no {pidfile}"));
    daemonproof(&["check", "--", "sleep", "1000"]).assert().success().stdout(holds);
}

/// A name that is another one each time cannot be followed.
#[rstest]
#[case::bounded(&[], "1 check skipped")]
#[case::deep(&["--deep"], "1 check not judged")]
fn what_cannot_be_explored_counts_as_not_judged_if_all_of_it_is_asked_for(
    #[case] deep: &[&str],
    #[case] so: &str,
) {
    let script = "exec 9>>{rundir}/lock; flock -n 9 || exit 1; read x </proc/sys/kernel/random/uuid; \
                  : >{rundir}/$x; echo $$ >{pidfile}; exec sleep 1000";
    let args = [&["check", "--only", "race.start"], deep, &["--", "sh", "-c", script]].concat();
    let why = contains("deterministic: step ").and(contains("the name"));
    daemonproof(&args).assert().code(3).stdout(contains(so).and(why));
}

#[test]
fn a_program_that_ends_at_once_cannot_be_judged() {
    let assert = daemonproof(&["check", "--json=-", "--", "/bin/true"]).assert().code(3);
    let report = json(&assert.get_output().stdout);
    assert_eq!(report["verdict"], "inconclusive");
    let unjudged = |check: &&Value| check["judged"] == false;
    let checks = report["checks"].as_array().unwrap();
    let first = checks.iter().find(unjudged).unwrap();
    assert_eq!(first["outcome"], "skip");
    assert_eq!(report["reason"], first["detail"]);
    let text = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    let reason = "and nothing runs";
    assert_eq!(text.matches(reason).count(), 1, "told once: {text}");
}

#[rstest]
#[case::missing("/nonexistent", "failed to start /nonexistent: No such file or directory")]
#[case::a_directory("/", "failed to start /: it is a directory")]
#[case::not_executable("/dev/null", "failed to start /dev/null: Permission denied")]
#[case::not_on_path("no-such-daemon", "failed to start no-such-daemon: it is not on PATH")]
fn what_cannot_be_started_is_told_once(#[case] program: &str, #[case] message: &str) {
    let assert = daemonproof(&["check", "--json=-", "--", program]).assert().code(3);
    let assert = assert.stderr(format!("error: {message}\n"));
    let report = json(&assert.get_output().stdout);
    assert_eq!(report["verdict"], "inconclusive");
    assert_eq!(report["reason"], message);
    assert_eq!(report["checks"], serde_json::json!([]));
}

#[test]
fn a_profile_whose_program_is_missing_says_what_to_install() {
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("missing.toml");
    let text = "name = \"missing\"\nsummary = \"no daemon\"\npackage = \"missing-d\"\ncommand = [\"no-such-daemon\"]\n";
    std::fs::write(&profile, text).unwrap();
    let message = "no-such-daemon: it is not on PATH; install the Debian package missing-d";
    daemonproof(&["check", "--profile", profile.to_str().unwrap()])
        .assert()
        .code(3)
        .stderr(contains(message));
}

#[test]
fn json_is_what_the_contract_says() {
    let assert = daemonproof(&quick(&["--quiet", "--json=-"])).assert().success().stderr("");
    let report = json(&assert.get_output().stdout);
    assert_eq!(report["verdict"], "holds");
    let checks = report["checks"].as_array().unwrap();
    assert_eq!(report["summary"]["kept"], checks.len());
    for check in checks {
        assert_eq!(check["outcome"], "pass", "{check}");
        assert_eq!(check["detail"], "", "{check}");
        let id = check["id"].as_str().unwrap();
        assert!(daemonproof::check::find(id).is_some(), "{id}");
    }
}

#[test]
fn reports_go_to_files_and_the_table_to_the_terminal() {
    let directory = tempfile::tempdir().unwrap();
    let [json_file, html_file] = ["r.json", "r.html"].map(|name| directory.path().join(name));
    let [to_json, to_html] = [&json_file, &html_file].map(|path| path.to_str().unwrap());
    let args = quick(&["--json", to_json, "--html", to_html]);
    daemonproof(&args).assert().success().stdout(contains(": holds\n"));
    assert_eq!(json(&fs::read(json_file).unwrap())["verdict"], "holds");
    let html = fs::read_to_string(html_file).unwrap();
    assert!(html.starts_with("<!DOCTYPE html>") && html.contains("<code>detach.new-session</code>"));
    let table_on_stderr = contains(": holds\n");
    let assert = daemonproof(&quick(&["--html=-"])).assert().success().stderr(table_on_stderr);
    assert.stdout(predicates::str::starts_with("<!DOCTYPE html>"));
}

#[test]
fn arguments_take_precedence_over_the_profile() {
    let args = ["--profile", "reference", "--monitor=--other", "--json=-"];
    let assert = daemonproof(&quick(&args)).assert().success();
    assert.stderr(contains("monitor: --other").and(contains("detach: --detach")));
    let directory = tempfile::tempdir().unwrap();
    let profile = directory.path().join("empty.toml");
    fs::write(&profile, "name = \"x\"\nsummary = \"y\"\n").unwrap();
    let profile = profile.to_str().unwrap();
    daemonproof(&["check", "--profile", profile]).assert().code(2).stderr(contains("give one after --"));
    let args = ["--profile", profile, "--detach=--detach", "--env", "X={rundir}", "--"];
    let command = [PROGRAM, "helper", "reference", "--pidfile={pidfile}"];
    daemonproof(&quick(&[&args[..], &command].concat())).assert().success();
}

#[test]
fn a_relative_program_is_found_from_any_directory() {
    let program = std::path::Path::new(PROGRAM);
    let relative = format!("./{}", program.file_name().unwrap().to_str().unwrap());
    let args = ["--detach=--detach", "--", &relative, "helper", "reference", "--pidfile={pidfile}"];
    daemonproof(&quick(&args)).current_dir(program.parent().unwrap()).assert().success();
}

#[test]
fn colours_and_marks_follow_the_environment() {
    let escape = || contains("\x1b[");
    daemonproof(&QUICK).assert().stdout(escape().not());
    daemonproof(&QUICK).env("CLICOLOR_FORCE", "1").assert().stdout(escape());
    let mut never = daemonproof(&QUICK);
    never.env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").assert().stdout(escape().not());
    let ascii = contains("+ detach.new-session").and(contains("✓").not());
    daemonproof(&QUICK).env("LC_ALL", "C").assert().stdout(ascii);
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    for args in [&["check", "--list"][..], &["check", "--only", "detach"], &["profiles"]] {
        let mut command = Command::new(PROGRAM);
        let command = command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{args:?}: {output:?}");
    }
}

#[test]
fn sandboxes_are_kept_on_request() {
    let directory = tempfile::tempdir().unwrap();
    let left = || fs::read_dir(directory.path()).unwrap().count();
    let mut command = daemonproof(&QUICK);
    command.env("TMPDIR", directory.path()).assert().success().stderr("");
    assert_eq!(left(), 0);
    let kept = format!("kept the sandboxes in {}", directory.path().display());
    command.env("DAEMONPROOF_KEEP", "1").assert().success().stderr(contains(kept));
    // With the file that says so.
    assert_eq!(left(), 2);
}
