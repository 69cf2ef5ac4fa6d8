//! Monitors that make their daemons wait before the next start.

use std::time::{Duration, Instant};

use daemonproof::prelude::*;

use crate::peers::{Missing, program, python};
use crate::support::source;

const THROTTLE: Duration = Duration::from_secs(10);
const CRASHES: usize = 5;

/// Crashes a daemon, which is restarted at once the first time, and then ten seconds after the last restart.
fn crash_repeatedly(daemon: &Daemon) {
    let mut starts = vec![daemon.clock().passed()];
    for _ in 0..CRASHES {
        daemon.crash(Signal::SIGSEGV).wait_restarted();
        starts.push(daemon.clock().passed());
    }
    let gaps: Vec<_> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps[0] < THROTTLE / 10, "{gaps:?}");
    let in_time = |gap: &Duration| (THROTTLE..THROTTLE + THROTTLE / 10).contains(gap);
    assert!(gaps[1..].iter().all(in_time), "{gaps:?}");
    daemon.history().assert(restarts(CRASHES));
}

#[test]
fn the_throttle_of_our_own_monitor() {
    let sandbox = Sandbox::new().unwrap();
    let began = Instant::now();
    let reference = sandbox.helper("reference").arg("--restart-interval=10s");
    let daemon = reference.detach("--detach").monitor("--monitor").pidfile("--pidfile={pidfile}");
    let daemon = daemon.virtual_time().start();
    crash_repeatedly(&daemon);
    daemon.stop().assert().success();
    assert!(began.elapsed() < 20 * Duration::from_secs(1), "{:?}", began.elapsed());
}

/// The hour of the day of a line of the log, in seconds: `2026-11-30T07:55:01.234Z|...`.
fn time_of(line: &str) -> f64 {
    let time = line.split_once('T').unwrap().1.split_once('Z').unwrap().0;
    time.split(':').fold(0.0, |seconds, part| seconds * 60.0 + part.parse::<f64>().unwrap())
}

#[test]
fn the_throttle_of_ovsdb_server() {
    let Some(server) = Missing::skip(program("ovsdb-server")) else { return };
    let sandbox = Sandbox::new().unwrap();
    let began = Instant::now();
    let mut server =
        sandbox.daemon(server).args(["--no-db", "--unixctl={rundir}/ctl", "--log-file={rundir}/log"]);
    for name in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR"] {
        server = server.env(name, "{rundir}");
    }
    let server = server.detach("--detach").monitor("--monitor").pidfile("--pidfile={pidfile}");
    let daemon = server.virtual_time().start();
    crash_repeatedly(&daemon);
    let real = began.elapsed();
    assert!(real < 20 * Duration::from_secs(1), "{real:?}");
    // What it says itself.
    let log = std::fs::read_to_string(sandbox.rundir().join("log")).unwrap();
    let restarted = log.lines().filter(|line| line.ends_with(", restarting")).map(time_of);
    let restarted: Vec<_> = restarted.collect();
    assert_eq!(restarted.len(), CRASHES, "{log}");
    for pair in restarted.windows(2) {
        let gap = (pair[1] - pair[0]).rem_euclid(24.0 * 3600.0);
        assert!((10.0..11.0).contains(&gap), "{gap}: {log}");
    }
}

/// How often `keeper.py` starts its program within a minute, when its wall clock is set back by an hour meanwhile.
fn starts(clock: &str) -> Option<usize> {
    let python = Missing::skip(python())?;
    let sandbox = Sandbox::new().unwrap();
    let keeper = sandbox.daemon(python).arg(source("keeper.py")).args([clock, "sh", "-c", "echo started"]);
    let daemon = keeper.virtual_time().ready(Ready::line("started")).start();
    daemon.clock().advance(THROTTLE / 2).unwrap();
    daemon.clock().step_realtime(-3600);
    daemon.clock().advance(THROTTLE * 6).unwrap();
    daemon.assert(alive());
    Some(String::from_utf8(daemon.subject().stdout().unwrap()).unwrap().lines().count())
}

#[test]
fn a_throttle_by_the_wall_clock_is_caught_when_that_is_set() {
    let Some(right) = starts("monotonic") else { return };
    assert_eq!(right, 7);
    assert_eq!(starts("wall"), Some(1));
}
