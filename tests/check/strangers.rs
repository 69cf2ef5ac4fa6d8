//! Daemons that share no code with this crate: the correct ones pass everything, the wrong ones do not.

use super::peers::{self, Missing, program};
use super::sources::{compile, peer};
use super::support::{EXPLORED, failures, judge_by, judge_families, judge_observed, shown, unknowns};
use daemonproof::check::{Driving, Report};
use daemonproof::fixture::CommandLine;
use rstest::rstest;
use std::collections::BTreeSet;
use std::time::Duration;
use tempfile::TempDir;

/// A daemon, and the directory in which it was compiled.
struct Peer {
    driving: Driving,
    _compiled: Option<TempDir>,
}

type Found = Result<Peer, Missing>;

fn interpreted(driving: Driving) -> Found {
    Ok(Peer { driving, _compiled: None })
}

/// Without the search for installed packages (`-S`), of which none is used.
fn python(script: &str) -> Result<CommandLine, Missing> {
    let interpreter = CommandLine::new(peers::python()?).arg("-S");
    Ok(interpreter.arg(peer(script)).args(["--pidfile", "{pidfile}"]))
}

fn compiled(source: &str, more: &[&str]) -> Found {
    let (folder, binary) = compile(source)?;
    let command = CommandLine::new(binary).args(more).args(["-p", "{pidfile}"]);
    Ok(Peer { driving: Driving::new(command).detach("-d"), _compiled: Some(folder) })
}

fn pydaemon() -> Found {
    interpreted(Driving::new(python("pydaemon.py")?).detach("--detach"))
}

fn cdaemon() -> Found {
    compiled("cdaemon.c", &[])
}

fn cflock() -> Found {
    compiled("cflock.c", &[])
}

fn cflock_that_truncates() -> Found {
    compiled("cflock.c", &["-t"])
}

fn perldaemon() -> Found {
    let command = CommandLine::new(program("perl")?).arg(peer("perldaemon.pl"));
    interpreted(Driving::new(command.args(["--pidfile", "{pidfile}"])).detach("--daemon"))
}

fn shdaemon() -> Found {
    program("flock")?;
    let command = CommandLine::new(program("sh")?).arg(peer("shdaemon.sh"));
    interpreted(Driving::new(command.args(["-p", "{pidfile}"])))
}

fn monitor() -> Found {
    let command = python("monitor.py")?.args(["--interval", "1"]);
    interpreted(Driving::new(command).detach("--detach").monitor("--monitor"))
}

fn keeper() -> Found {
    interpreted(Driving::new(python("keeper.py")?).monitor("--keep"))
}

#[rstest]
#[case::python(pydaemon)]
#[case::c(cdaemon)]
#[case::c_with_flock(cflock)]
#[case::c_that_truncates(cflock_that_truncates)]
#[case::perl(perldaemon)]
#[case::shell(shdaemon)]
#[case::supervised_python(monitor)]
#[case::kept_python(keeper)]
fn a_correct_daemon_keeps_every_promise(#[case] found: fn() -> Found) {
    let Some(peer) = Missing::skip(found()) else {
        return;
    };
    let report = judge_observed(&peer.driving);
    assert_eq!(failures(&report), BTreeSet::new(), "\n{}", shown(&report));
    assert_eq!(unknowns(&report), BTreeSet::new(), "\n{}", shown(&report));
}

/// Call by call the others take longer, and keep them too.
#[rstest]
#[case::c(cdaemon)]
#[case::kept_python(keeper)]
fn a_correct_daemon_keeps_them_at_any_moment(#[case] found: fn() -> Found) {
    let Some(peer) = Missing::skip(found()) else {
        return;
    };
    let report = judge_families(&EXPLORED, &peer.driving.search_for(Duration::from_secs(240)));
    assert_eq!(failures(&report), BTreeSet::new(), "\n{}", shown(&report));
    assert_eq!(unknowns(&report), BTreeSet::new(), "\n{}", shown(&report));
}

/// The defects of `pywrong.py` that a check is made for. The others are about files that other programs
/// replace, signals that the starter blocks, and the like, which not every correct daemon minds.
#[rstest]
fn a_wrong_daemon_is_found_out(
    #[values(
        ("stdio-kept", "stdio.released"),
        ("stderr-kept", "stdio.released"),
        ("cwd-kept", "detach.working-directory"),
        ("no-setsid", "detach.new-session"),
        ("fd-leak", "fds.inherited-closed"),
        ("early-exit", "startup.ready-on-return"),
        ("pidfile-late", "startup.ready-on-return"),
        ("failure-exits-0", "startup.failure-status"),
        ("parent-hangs", "detach.returns"),
        ("dies-after-ready", "startup.ready-on-return"),
        ("parent-pid", "pidfile.names-daemon"),
        ("pid-garbage", "pidfile.well-formed"),
        ("world-writable", "pidfile.mode"),
        ("pidfile-left", "stop.pidfile-removed"),
        ("stale-refused", "stale.dead-pid"),
        ("pid-tail", "stale.dead-pid"),
        ("reused-pid-refused", "stale.recycled-pid"),
        ("empty-refused", "stale.empty"),
        ("no-lock", "pidfile.locked-by-daemon"),
        ("two-running", "lock.second-start-refused"),
        ("lock-dropped", "pidfile.locked-by-daemon"),
        ("lock-in-launcher", "pidfile.locked-by-daemon"),
        ("loser-truncates", "lock.refusal-harmless"),
        ("loser-unlinks", "lock.refusal-harmless"),
        ("loser-overwrites", "lock.refusal-harmless"),
        ("silent-refusal", "lock.refusal-message"),
        ("refusal-exits-0", "lock.refusal-status"),
        ("refusal-hangs", "lock.refusal-status"),
        ("winner-killed", "lock.second-start-refused"),
        ("term-ignored", "stop.sigterm"),
        ("term-default", "stop.pidfile-removed"),
        ("workers-left", "stop.no-process-left")
    )]
    defect: (&str, &str),
) {
    let (defect, check) = defect;
    let wrong = || -> Result<Driving, Missing> {
        let command = python("pywrong.py")?.args(["--defect", defect]);
        // What is broken is judged by the machine's clock in the end; here at once.
        Ok(Driving::new(command).detach("--detach").timeout(Duration::from_secs(8)).real_time())
    };
    let Some(driving) = Missing::skip(wrong()) else {
        return;
    };
    found_out(defect, check, &judge_by(check, &driving));
}

#[rstest]
fn a_wrong_monitor_is_found_out(
    #[values(
        ("no-throttle", "restart.throttled"),
        ("clean-exit-restarted", "monitor.stop"),
        ("term-orphans", "monitor.sigterm"),
        ("restart-pid-not-updated", "monitor.pidfile-follows"),
        ("gives-up", "monitor.restarts"),
        ("lock-dropped-after-restart", "monitor.still-locked"),
        ("lock-free-in-throttle", "monitor.locked-between"),
        ("fd-per-restart", "restart.no-descriptor-leak"),
        ("zombie-per-restart", "restart.no-zombies"),
        ("child-keeps-stdio", "stdio.monitor-released"),
        ("monitor-keeps-stdio", "stdio.monitor-released")
    )]
    defect: (&str, &str),
) {
    let (defect, check) = defect;
    let wrong = || -> Result<Driving, Missing> {
        let command = python("monitor.py")?.args(["--interval", "1", "--defect", defect]);
        let driving = Driving::new(command).detach("--detach").monitor("--monitor");
        Ok(driving.timeout(Duration::from_secs(8)))
    };
    let Some(driving) = Missing::skip(wrong()) else {
        return;
    };
    found_out(defect, check, &judge_by(check, &driving));
}

fn found_out(defect: &str, check: &str, report: &Report) {
    assert!(failures(report).contains(check), "{defect} should break {check}:\n{}", shown(report));
}
