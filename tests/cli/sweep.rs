//! `daemonproof crash` and `daemonproof fault`.

use super::support::daemonproof;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use rstest::rstest;
use serde_json::Value;

const REFERENCE: &str = env!("CARGO_BIN_EXE_reference");
const PUBLISHED: &str = env!("CARGO_BIN_EXE_published-protocol");
const DEFECTIVE: &str = env!("CARGO_BIN_EXE_defective");
const PIDFILE: &str = "--pidfile={pidfile}";

#[test]
fn a_right_daemon_survives() {
    let words = || contains("the daemon is up").and(contains(", 0 broken, 0 skipped, 0 not judged"));
    daemonproof(&["crash", "--", REFERENCE, PIDFILE]).assert().success().stdout(words()).stderr("");
    let told = ["crash", "--signal=SIGTERM", "--stale", "--detach=--detach", "--", REFERENCE, PIDFILE];
    daemonproof(&told).assert().success().stdout(words()).stderr("");
}

fn json(args: &[&str], code: i32) -> Value {
    let args = [args, &["--json=-", "--quiet", "--", PUBLISHED, PIDFILE]].concat();
    let output = daemonproof(&args).assert().code(code).stderr("").get_output().stdout.clone();
    serde_json::from_slice(&output).unwrap()
}

#[test]
fn what_goes_wrong_is_told_and_can_be_had_again() {
    let all = json(&["fault"], 1);
    assert_eq!(all["verdict"], "violated");
    let cases = all["cases"].as_array().unwrap();
    let wrong = cases.iter().find(|case| case["outcome"] == "fail" && case["errno"] == "ENOSPC").unwrap();
    assert_eq!(wrong["detail"], "it has ended, and d.pid.tmp is left");
    let at = format!("--at={}", wrong["at"]);
    let again = json(&["fault", &at, "--errno=ENOSPC"], 1);
    assert_eq!(again["cases"].as_array().unwrap(), std::slice::from_ref(wrong));
    assert_eq!(again["operations"], all["operations"]);
}

#[test]
fn it_is_a_page_as_well_and_says_what_it_swept() {
    let directory = tempfile::tempdir().unwrap();
    let (page, report) = (directory.path().join("sweep.html"), directory.path().join("sweep.json"));
    let outputs = [format!("--html={}", page.display()), format!("--json={}", report.display())];
    let sweep = ["fault", "--at=1", "--overwrite=--overwrite-pidfile", &outputs[0], &outputs[1], "--"];
    let told = contains("overwrite: --overwrite-pidfile").and(contains(", 0 broken"));
    daemonproof(&[&sweep[..], &[REFERENCE, PIDFILE]].concat()).assert().success().stdout(told);
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("<strong class=\"kept\">holds</strong>"), "{page}");
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    let said = report["cases"][0]["said"].as_str().unwrap();
    assert!(said.starts_with("reference: failed to "), "{said}");
}

#[rstest]
#[case(&["crash", "--overwrite=-f", "--stale", "--", REFERENCE, PIDFILE], "cannot be used with")]
#[case(&["crash", "--signal=SIGUSR1", "--", REFERENCE, PIDFILE], "SIGKILL or SIGTERM")]
#[case(&["fault", "--errno=ENONSENSE", "--", REFERENCE, PIDFILE], "not an error such as ENOSPC")]
#[case(&["fault", "--at=0", "--", REFERENCE, PIDFILE], "--at")]
#[case(&["crash", "--", REFERENCE], "names no {pidfile}")]
#[case(&["crash"], "give one after --")]
fn mistakes_are_told(#[case] args: &[&str], #[case] message: &str) {
    daemonproof(args).assert().code(2).stdout("").stderr(contains(message));
}

#[rstest]
#[case(&["crash", "--at=9999", "--", REFERENCE, PIDFILE], "the start has no operation 9999")]
#[case(&["fault", "--", "sh", "-c", "exit 3 # {pidfile}"], "exit 3")]
#[case(&["fault", "--", "/nonexistent/daemon", PIDFILE], "/nonexistent/daemon")]
#[case(&["crash", "--signal=TERM", "--", DEFECTIVE, "--defect=ignores-sigterm", PIDFILE], "does not end by SIGTERM")]
fn what_cannot_be_swept_is_told(#[case] args: &[&str], #[case] message: &str) {
    daemonproof(args).assert().code(3).stdout("").stderr(contains(message));
}
