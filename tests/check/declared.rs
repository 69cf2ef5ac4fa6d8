//! What a profile declares is judged: a profile that is wrong about the daemon is found out.

use super::support::{failures, judge_by, shown};
use daemonproof::check::{Declared, Driving, Profile};
use daemonproof::fixture::CommandLine;
use nix::sys::signal::Signal;
use rstest::rstest;
use std::time::Duration;

/// The reference daemon, with one thing declared that is not so.
fn driving(declare: fn(&mut Declared)) -> Driving {
    let command = CommandLine::new(env!("CARGO_BIN_EXE_reference")).args([
        "--pidfile={pidfile}",
        "--restart-interval=200ms",
        "--backoff-limit=1s",
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
#[case("restart.back-off", |declared: &mut Declared| declared.longest_restart_interval = Some(Duration::from_millis(500)))]
#[case("restart.gives-up", |declared: &mut Declared| declared.gives_up_after = Some(5))]
#[case("restart.gives-up", |declared: &mut Declared| declared.gives_up_after = Some(3))]
#[case("monitor.title", |declared: &mut Declared| declared.monitor_title_after_crash = Some("(1 crashes: ".into()))]
#[case("restart.interval", |declared: &mut Declared| declared.restart_interval = Some(Duration::from_secs(2)))]
#[case("restart.signals", |declared: &mut Declared| declared.restart_signals = Some(vec![Signal::SIGUSR1]))]
fn a_wrong_declaration_is_found_out(#[case] check: &str, #[case] declare: fn(&mut Declared)) {
    let report = judge_by(check, &driving(declare));
    assert!(failures(&report).contains(check), "{}", shown(&report));
}

/// One that always waits for three seconds, and never gives up.
#[rstest]
#[case("restart.back-off", |declared: &mut Declared| declared.longest_restart_interval = Some(Duration::from_secs(60)))]
#[case("restart.gives-up", |declared: &mut Declared| declared.gives_up_after = Some(3))]
fn a_monitor_that_goes_on_as_before_is_found_out(#[case] check: &str, #[case] declare: fn(&mut Declared)) {
    let script = "while :; do sh -c 'echo $$ >{pidfile}; exec sleep 1000'; sleep 3; done";
    let mut declared = Declared::default();
    declare(&mut declared);
    let command = CommandLine::new("sh").arg("-c").arg(script);
    let report = judge_by(check, &Driving::new(command).monitor("").declares(declared));
    assert_eq!(Vec::from_iter(failures(&report)), [check], "{}", shown(&report));
}
