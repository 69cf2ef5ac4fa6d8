//! Each defect fails the checks that it breaks, and no other.

use super::explored;
use super::support::{failures, judge_observed, shown, unknowns};
use clap::ValueEnum;
use daemonproof::check::{Check, Declared, Driving, catalogue, find};
use daemonproof::fixture::CommandLine;
use daemonproof::helper::Defect;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Most of the time is spent waiting for what a defective daemon does not do.
const THREADS: usize = 8;

/// What each defect breaks: first the check that was made for it, then what breaks along with it.
const TABLE: &[(Defect, &[&str])] = &[
    (Defect::None, &[]),
    (Defect::NeverReturns, &["detach.returns"]),
    (Defect::NoNewSession, &["detach.new-session", "detach.no-terminal"]),
    (Defect::KeepsDirectory, &["detach.working-directory"]),
    (Defect::IgnoresNoChdir, &["detach.no-chdir"]),
    // What fails after the report fails unnoticed.
    (Defect::EarlyExit, &["startup.ready-on-return", "startup.failure-status", "monitor.startup-failure"]),
    (Defect::FailureExits0, &["startup.failure-status", "monitor.startup-failure"]),
    (Defect::SilentFailure, &["startup.failure-message"]),
    (Defect::FailureLeavesProcess, &["startup.failure-leaves-nothing", "monitor.startup-failure"]),
    (Defect::KeepsStdio, &["stdio.released", "stdio.monitor-released"]),
    (Defect::MonitorKeepsStdio, &["stdio.monitor-released"]),
    (Defect::ClosesStdio, &["stdio.open"]),
    (Defect::WritesIntoPidfile, &["stdio.closed-at-start"]),
    (Defect::LeaksDescriptor, &["fds.inherited-closed", "fds.inherited-closed-by-monitor"]),
    (Defect::ParentPid, &["pidfile.names-daemon", "monitor.supervises", "monitor.pidfile-follows"]),
    (Defect::MalformedPidfile, &["pidfile.well-formed"]),
    (Defect::WritablePidfile, &["pidfile.mode"]),
    (Defect::NoPidfileInForeground, &["pidfile.in-foreground"]),
    (Defect::NotLocked, WITHOUT_A_LOCK),
    (Defect::LockDropped, WITHOUT_A_LOCK),
    (Defect::CheckThenCreate, &["monitor.locked-between"]),
    (Defect::WritesInPlace, NEEDS_A_MOMENT),
    (Defect::GuardRemoved, NEEDS_A_MOMENT),
    (Defect::SilentRefusal, &["lock.refusal-message"]),
    (Defect::RefusalExits0, &["lock.refusal-status"]),
    (Defect::TruncatesLivePidfile, &["lock.refusal-harmless"]),
    (Defect::UnlinksLivePidfile, &["lock.refusal-harmless"]),
    (Defect::OverwriteRefused, &["lock.overwrite-takes-over"]),
    (Defect::OverwrittenRemovesPidfile, &["lock.overwritten-is-harmless"]),
    (Defect::StaleRefused, &["stale.dead-pid", "stale.recycled-pid", "stale.empty", "stale.after-kill"]),
    (Defect::RecycledPidRefused, &["stale.recycled-pid"]),
    (Defect::EmptyRefused, &["stale.empty"]),
    (Defect::IgnoresSigterm, &["stop.sigterm", "stop.in-foreground", "monitor.stop", "monitor.sigterm"]),
    (Defect::CrashesOnSigterm, &["stop.clean", "stop.in-foreground", "monitor.stop"]),
    (Defect::PidfileLeft, &["stop.pidfile-removed", "stop.in-foreground"]),
    (
        Defect::LeavesWorker,
        &["stop.no-process-left", "stop.in-foreground", "monitor.stop", "monitor.sigterm"],
    ),
    (Defect::LeavesMarker, &["stop.start-again", "stale.after-kill"]),
    (Defect::NoRestart, &["monitor.restarts"]),
    (Defect::RestartKeepsPidfile, &["monitor.pidfile-follows"]),
    (Defect::CleanExitRestarted, &["monitor.stop"]),
    (Defect::OrphansDaemon, &["monitor.sigterm"]),
    (Defect::OrphansPidfile, &["monitor.sigterm-pidfile"]),
    (Defect::LockDroppedInThrottle, &["monitor.locked-between"]),
    (Defect::NoThrottle, &["restart.throttled", "restart.interval"]),
    (Defect::FirstRestartWaits, &["restart.first-at-once"]),
    (Defect::ThrottledByWallClock, &["restart.wall-clock", "restart.wall-clock-forward"]),
    (Defect::SigtermLostInThrottle, &["restart.none-after-sigterm"]),
    (Defect::LeaksPerRestart, &["restart.no-descriptor-leak"]),
    (Defect::LeavesZombies, &["restart.no-zombies"]),
    (Defect::RestartKeepsNoLock, &["monitor.still-locked", "monitor.locked-between"]),
    (Defect::RestartKeepsDirectory, &["restart.as-before"]),
    (Defect::RestartNeverSleeps, &["restart.at-rest"]),
    (Defect::MarkerWhileStarting, NEEDS_A_MOMENT),
    (Defect::SigtermLostInStart, NEEDS_A_MOMENT),
    (Defect::FullDiskUnnoticed, NEEDS_A_MOMENT),
];

/// It takes a bad moment, which only the explorer finds: `explored.rs` here, and `tests/race`.
const NEEDS_A_MOMENT: &[&str] = &[];

/// Without a lock nothing stops another instance, whenever it comes.
const WITHOUT_A_LOCK: &[&str] = &[
    "pidfile.locked-by-daemon",
    "lock.second-start-refused",
    "lock.overwrite-takes-over",
    "monitor.locked-between",
];

fn name(defect: Defect) -> String {
    let value = defect.to_possible_value().expect("no defect is hidden");
    value.get_name().to_owned()
}

fn driving(defect: Defect) -> Driving {
    let command = CommandLine::new(env!("CARGO_BIN_EXE_defective"))
        .args(["--pidfile={pidfile}", "--restart-interval=1s"])
        .arg(format!("--defect={}", name(defect)));
    let restart_interval = Some(Duration::from_secs(1));
    Driving::new(command)
        .detach("--detach")
        .monitor("--monitor")
        .overwrite("--overwrite-pidfile")
        .no_chdir("--no-chdir")
        .declares(Declared { restart_interval, first_restart_at_once: true, ..Declared::default() })
        .timeout(Duration::from_secs(5))
}

/// What is wrong with the outcomes for this defect, if anything.
fn mismatch(defect: Defect, broken: &[&str]) -> Option<String> {
    let report = judge_observed(&driving(defect));
    let expected: BTreeSet<&str> = broken.iter().copied().collect();
    let sound = defect != Defect::None || unknowns(&report).is_empty();
    let as_expected = failures(&report) == expected && sound;
    (!as_expected).then(|| format!("{}: expected {expected:?}\n{}", name(defect), shown(&report)))
}

#[test]
fn each_defect_fails_what_it_breaks_and_nothing_else() {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut mismatches = Vec::new();
        while let Some(&(defect, broken)) = TABLE.get(next.fetch_add(1, Ordering::SeqCst)) {
            mismatches.extend(mismatch(defect, broken));
        }
        mismatches
    };
    let mismatches: Vec<String> = thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no worker panics")).collect()
    });
    assert!(mismatches.is_empty(), "{}", mismatches.join("\n"));
}

#[test]
fn every_defect_is_in_the_table_and_breaks_something() {
    let in_table: Vec<Defect> = TABLE.iter().map(|(defect, _)| *defect).collect();
    assert_eq!(in_table, Defect::value_variants());
    for (defect, broken) in &TABLE[1..] {
        let needs_a_moment = matches!(
            defect,
            Defect::WritesInPlace
                | Defect::GuardRemoved
                | Defect::MarkerWhileStarting
                | Defect::SigtermLostInStart
                | Defect::FullDiskUnnoticed
        );
        assert_eq!(broken.is_empty(), needs_a_moment, "{}", name(*defect));
        assert!(broken.iter().all(|id| find(id).is_some()), "{broken:?}");
    }
}

/// A check that nothing can fail is worth nothing. What a profile declares is for `declared`.
#[test]
fn every_check_is_failed_by_some_defect() {
    let explored = explored::TABLE.iter().map(|(_, _, broken)| *broken);
    let failed: BTreeSet<&str> =
        TABLE.iter().map(|(_, broken)| *broken).chain(explored).flatten().copied().collect();
    let declared = |check: &Check| check.source == "The daemon's profile";
    let never: Vec<_> = catalogue().filter(|check| !declared(check) && !failed.contains(check.id)).collect();
    assert!(never.is_empty(), "{never:?}");
}
