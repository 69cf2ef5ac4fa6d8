//! What a profile declares is judged: a profile that is wrong about the daemon is found out.

use super::support::{failures, judge_by, judge_families, shown};
use daemonproof::check::{Declared, Driving, Outcome, Profile};
use daemonproof::fixture::CommandLine;
use nix::sys::signal::Signal;
use rstest::rstest;
use std::num::NonZeroU32;
use std::time::Duration;

/// The reference daemon, with one thing declared that is not so.
fn driving(declare: fn(&mut Declared)) -> Driving {
    let command = CommandLine::new(env!("CARGO_BIN_EXE_reference")).args([
        "--pidfile={pidfile}",
        "--restart-interval=2s",
        "--backoff-limit=10s",
        "--give-up-after=4",
    ]);
    let mut profile = Profile::named("reference").unwrap();
    declare(&mut profile.declares);
    profile.driving(Some(command)).unwrap()
}

#[rstest]
#[case("startup.failure-exit-status", |declared: &mut Declared| declared.failure_status = Some(4))]
#[case("pidfile.declared-mode", |declared: &mut Declared| declared.pidfile_mode = Some(0o600))]
#[case("lock.refusal-names-owner", |declared: &mut Declared| declared.refusal_message = Some("go away, {pid}".into()))]
#[case("stop.litter", |declared: &mut Declared| declared.leaves = Some(Vec::new()))]
#[case("monitor.comm", |declared: &mut Declared| declared.monitor_comm = Some("watcher".into()))]
#[case("monitor.comm", |declared: &mut Declared| declared.monitor_comm = Some("reference".into()))]
#[case("monitor.title", |declared: &mut Declared| declared.monitor_title = Some("watching {pid}".into()))]
#[case("monitor.title", |declared: &mut Declared| declared.monitor_title_after_crash = Some("{crashed} is no more".into()))]
#[case("restart.back-off", |declared: &mut Declared| declared.longest_restart_interval = Some(Duration::from_secs(3)))]
#[case("restart.gives-up", |declared: &mut Declared| declared.gives_up_after = NonZeroU32::new(5))]
#[case("restart.gives-up", |declared: &mut Declared| declared.gives_up_after = NonZeroU32::new(3))]
#[case("monitor.title", |declared: &mut Declared| declared.monitor_title_after_crash = Some("(1 crashes: ".into()))]
#[case("restart.interval", |declared: &mut Declared| declared.restart_interval = Some(Duration::from_secs(20)))]
#[case("restart.signals", |declared: &mut Declared| declared.restart_signals = Some(vec![Signal::SIGUSR1]))]
fn a_wrong_declaration_is_found_out(#[case] check: &str, #[case] declare: fn(&mut Declared)) {
    let report = judge_by(check, &driving(declare));
    assert!(failures(&report).contains(check), "{}", shown(&report));
}

/// One that always waits for three seconds, and never gives up.
#[rstest]
#[case("restart.first-at-once", |declared: &mut Declared| declared.first_restart_at_once = true)]
#[case("restart.back-off", |declared: &mut Declared| declared.longest_restart_interval = Some(Duration::from_secs(60)))]
#[case("restart.gives-up", |declared: &mut Declared| declared.gives_up_after = NonZeroU32::new(3))]
#[case("restart.interval", |declared: &mut Declared| declared.restart_interval = Some(Duration::from_millis(4_100)))]
fn a_monitor_that_goes_on_as_before_is_found_out(#[case] check: &str, #[case] declare: fn(&mut Declared)) {
    let script = "while :; do sh -c 'echo $$ >{pidfile}; exec tail -f /dev/null'; sleep 3; done";
    let mut declared = Declared::default();
    declare(&mut declared);
    let command = CommandLine::new("sh").arg("-c").arg(script);
    let report = judge_by(check, &Driving::new(command).monitor("").declares(declared));
    assert_eq!(Vec::from_iter(failures(&report)), [check], "{}", shown(&report));
}

#[test]
fn what_a_shell_script_declares_truly_is_kept() {
    let script =
        "for i in 1 2 3; do sh -c 'echo $$ >{pidfile}; exec tail -f /dev/null'; sleep $i; done; rm {pidfile}";
    let (restart_interval, longest) = (Some(Duration::from_secs(1)), Some(Duration::from_secs(3)));
    let declared = Declared {
        restart_interval,
        longest_restart_interval: longest,
        gives_up_after: NonZeroU32::new(3),
        ..Declared::default()
    };
    let command = CommandLine::new("sh").arg("-c").arg(script);
    let report = judge_families(&["restart"], &Driving::new(command).monitor("").declares(declared));
    assert_eq!(Vec::from_iter(failures(&report)), [""; 0], "{}", shown(&report));
    let passed = ["restart.throttled", "restart.interval", "restart.gives-up"];
    let is_pass = |id: &str| {
        report.findings.iter().any(|finding| finding.check.id == id && finding.outcome == Outcome::Pass)
    };
    assert!(passed.iter().all(|id| is_pass(id)), "{}", shown(&report));
}
