//! What is typed: mistakes, help, and the commands that only print.

use crate::support::daemonproof;
use predicates::prelude::*;
use predicates::str::{contains, starts_with};
use rstest::rstest;

#[rstest]
#[case::no_command(&[], "Usage: daemonproof")]
#[case::unknown_command(&["juggle"], "unrecognized subcommand 'juggle'")]
#[case::unknown_option(&["check", "--nope"], "unexpected argument '--nope'")]
#[case::command_without_dashes(&["check", "sleep", "1000"], "unexpected argument 'sleep'")]
#[case::unknown_placeholder(&["check", "--", "sleep", "{pid}"], "unknown placeholder {pid}")]
#[case::placeholder_in_env(&["check", "--env", "A={x}", "--", "sleep"], "unknown placeholder {x}")]
#[case::placeholder_in_mode(&["check", "--detach={x}", "--", "sleep"], "unknown placeholder {x}")]
#[case::bad_env(&["check", "--env", "A", "--", "sleep"], "expected NAME=VALUE")]
#[case::bad_duration(&["check", "--timeout", "soon"], "invalid value 'soon'")]
#[case::unknown_check(&["check", "--only", "pidfile.lokced-by-daemon"], "similar are pidfile.locked-by-daemon")]
#[case::unknown_skip(&["check", "--skip", "xyzzy"], "no check or family \"xyzzy\"; --list")]
#[case::unknown_explain(&["check", "--explain", "pidfil"], "similar are pidfile")]
#[case::nothing_left(&["check", "--only", "stop", "--skip", "stop"], "leave no check")]
#[case::unknown_profile(&["check", "--profile", "nope"], "no profile \"nope\"")]
#[case::missing_profile(&["check", "--profile", "./none.toml"], "failed to read the profile ./none.toml")]
#[case::two_on_stdout(&["check", "--json=-", "--html=-"], "only one of --json and --html")]
#[case::no_such_directory(&["check", "--json=/nonexistent/x"], "failed to create /nonexistent/x")]
#[case::unknown_profile_to_print(&["profiles", "nope"], "no profile \"nope\"")]
#[case::unknown_helper(&["helper", "nope"], "no helper \"nope\"")]
#[case::no_pid(&["inspect", "99999999999"], "99999999999 is no pid")]
fn a_mistake_is_named_and_exits_with_2(#[case] args: &[&str], #[case] message: &str) {
    let stderr = contains(message);
    daemonproof(args).assert().code(2).stdout("").stderr(stderr);
}

#[test]
fn help_and_version_are_no_mistakes() {
    daemonproof(&["--version"]).assert().success().stdout(starts_with("daemonproof "));
    let help = contains("Exit status: 0").and(contains("--detach=--daemon")).and(contains("machine's clock"));
    daemonproof(&["check", "--help"]).assert().success().stdout(help);
    for command in ["check", "race", "crash", "fault"] {
        let braces = contains("{n}, the number of the instance").and(contains("Write {{n}} to pass {n} on"));
        daemonproof(&[command, "--help"]).assert().success().stdout(braces);
    }
    daemonproof(&["inspect", "--help"]).assert().success().stdout(contains("./812 is always the file"));
}

#[test]
fn the_list_names_every_check_by_family() {
    let all = daemonproof(&["check", "--list"]).assert().success();
    let all = String::from_utf8(all.get_output().stdout.clone()).unwrap();
    assert!(daemonproof::check::catalogue().all(|check| all.contains(check.id)), "{all}");
    let chosen = daemonproof(&["check", "--list", "--only", "stop", "stale.empty", "--skip=stop.clean"]);
    let stdout = contains("stop.sigterm").and(contains("stale.empty")).and(contains("stop.clean").not());
    let stdout = stdout.and(contains("pidfile.").not());
    { chosen }.assert().success().stdout(stdout);
}

#[test]
fn a_check_or_a_family_is_explained() {
    let check = daemonproof::check::find("pidfile.locked-by-daemon").unwrap();
    let first_word = |text: &str| text.split(' ').next().unwrap().to_owned();
    let facts = contains(format!("promise  {}", first_word(check.promise)))
        .and(contains(format!("why      {}", first_word(check.why))))
        .and(contains(format!("source   {}", first_word(check.source))))
        .and(contains(format!("judged   {}", first_word(check.judged))));
    daemonproof(&["check", "--explain", check.id]).assert().success().stdout(facts);
    let both = contains("stale.empty\n").and(contains("stale.after-kill\n"));
    daemonproof(&["check", "--explain", "stale"]).assert().success().stdout(both);
}

#[test]
fn profiles_are_listed_and_printed() {
    let table = contains("reference").and(contains("built in")).and(contains("openvswitch-switch"));
    daemonproof(&["profiles"]).assert().success().stdout(table);
    let one = contains("# detached: ovsdb-server").and(contains("\n[declares]\n"));
    daemonproof(&["profiles", "ovsdb-server"]).assert().success().stdout(one);
}

#[test]
fn a_helper_gets_its_arguments_untouched() {
    daemonproof(&["helper"]).assert().success().stdout(contains("reference  "));
    let help = contains("Usage: reference").and(contains("--restart-interval"));
    daemonproof(&["helper", "reference", "--help"]).assert().success().stdout(help);
    daemonproof(&["helper", "reference", "--fail", "7"]).assert().code(7);
    daemonproof(&["helper", "reference", "--nope"]).assert().code(2).stderr(contains("--nope"));
}
