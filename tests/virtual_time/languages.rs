//! Programs in other languages, unmodified.

use daemonproof::prelude::*;

use crate::peers::{Missing, python};
use crate::support::{assert_about, compile_go, run, source};

#[test]
fn a_shell_sleeps() {
    let sandbox = Sandbox::new().unwrap();
    let script = "date +%s >{rundir}/before; sleep 100; sleep 50 & sleep 60; wait; date +%s >{rundir}/after";
    let (_, passed) = run(sandbox.daemon("sh").args(["-c", script]));
    assert_about(passed, 160);
    let second = |name: &str| {
        let text = std::fs::read_to_string(sandbox.rundir().join(name)).unwrap();
        text.trim().parse::<u64>().unwrap()
    };
    assert!((160..=161).contains(&(second("after") - second("before"))));
}

#[test]
fn python_waits_in_many_ways() {
    let Some(python) = Missing::skip(python()) else { return };
    let sandbox = Sandbox::new().unwrap();
    let (said, _) = run(sandbox.daemon(python).arg(source("timers.py")));
    let expected = [
        "sleep 100.0 True",
        "select 80.0 True",
        "queue 60.0 True",
        "thread 90.0 True",
        "child 50.0 True",
        "asyncio 59.0 True",
        "signal 30.0 True",
        "spin 70.0 True",
        "spin politely 60.0 True",
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
}

/// It is linked statically, and has no C library.
#[test]
fn go_sleeps_and_ticks() {
    let sandbox = Sandbox::new().unwrap();
    let Some(binary) = Missing::skip(compile_go(&sandbox, "sleeper.go")) else { return };
    let (said, _) = run(sandbox.daemon(binary));
    let expected = ["slept 1m40s true", "ticked 2m30s true", "all 2m50s true", "accepted: true 3m20s true"];
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
}
