//! What `kvd` promises to whoever operates it.

use daemonproof::prelude::*;
use rstest::rstest;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// How long a wait lasts that never ends: nobody waits so long when all is well, however slow the machine.
const LONG: Duration = Duration::from_secs(60);

/// `kvd` in the sandbox.
fn kvd(sandbox: &Sandbox) -> DaemonCommand {
    kvd_at(sandbox, "{rundir}/kvd.sock")
}

fn kvd_at(sandbox: &Sandbox, socket: &str) -> DaemonCommand {
    let kvd = sandbox.daemon(env!("CARGO_BIN_EXE_kvd"));
    kvd.pidfile("--pidfile={pidfile}").args(["--socket", socket]).timeout(LONG)
}

/// Sends one request and returns the answer.
fn ask(sandbox: &Sandbox, request: &str) -> String {
    let mut connection = UnixStream::connect(sandbox.rundir().join("kvd.sock")).unwrap();
    writeln!(connection, "{request}").unwrap();
    let mut answer = String::new();
    BufReader::new(connection).read_line(&mut answer).unwrap();
    answer
}

#[rstest]
fn it_answers_as_soon_as_the_command_has_returned(sandbox: Sandbox) {
    let _kvd = kvd(&sandbox).detach("--detach").start();
    assert_eq!(ask(&sandbox, "set colour green"), "ok\n");
    assert_eq!(ask(&sandbox, "get colour"), "green\n");
    assert_eq!(ask(&sandbox, "get size"), "\n");
    assert_eq!(ask(&sandbox, "put"), "expected `get KEY` or `set KEY VALUE`\n");
}

#[rstest]
fn it_has_left_whoever_started_it(sandbox: Sandbox) {
    let kvd = kvd(&sandbox).detach("--detach").start();
    kvd.assert(session_leader().and(cwd("/")).and(stdio_is_null()));
    kvd.pidfile().assert(names(&kvd).and(locked_by(&kvd)).and(mode(0o644)));
}

#[rstest]
fn a_second_start_is_refused(sandbox: Sandbox) {
    let first = kvd(&sandbox).detach("--detach").start();
    let second = kvd(&sandbox).detach("--detach").instance(2).run();
    second.assert().failure().stderr(predicate::str::contains("already running"));
    first.assert(alive());
    assert_eq!(ask(&sandbox, "set a b"), "ok\n");
}

#[rstest]
fn a_socket_that_cannot_be_made_is_reported_to_the_shell(sandbox: Sandbox) {
    let kvd = kvd_at(&sandbox, "/nonexistent/kvd.sock").detach("--detach");
    kvd.run()
        .assert()
        .failure()
        .stderr(predicate::str::contains("failed to listen on /nonexistent/kvd.sock"));
    sandbox.pidfile().assert(missing());
}

#[rstest]
fn it_ends_when_it_is_told_and_leaves_no_pidfile(sandbox: Sandbox) {
    let kvd = kvd(&sandbox).start();
    kvd.stop().assert().success();
    sandbox.pidfile().assert(missing());
}

#[rstest]
fn its_monitor_restarts_it_after_a_crash(sandbox: Sandbox) {
    let kvd = kvd(&sandbox).detach("--detach").monitor("--monitor").start();
    let first = kvd.pid();
    kvd.crash(Signal::SIGSEGV);
    assert_ne!(kvd.wait_restarted(), first);
    kvd.pidfile().assert(eventually(names(&kvd)));
    kvd.stop().assert().success();
    sandbox.pidfile().assert(missing());
}

/// Everything else that a well-behaved daemon promises, as `daemonproof check` judges it.
#[test]
fn it_keeps_every_promise_of_the_catalogue() {
    let command = CommandLine::new(env!("CARGO_BIN_EXE_kvd"));
    let command = command.args(["--pidfile={pidfile}", "--socket={rundir}/{n}.sock"]);
    let driving = Driving::new(command)
        .detach("--detach")
        .monitor("--monitor")
        .overwrite("--overwrite-pidfile")
        .no_chdir("--no-chdir");
    let report = judge(&driving, &catalogue().collect::<Vec<_>>(), |_| ()).unwrap();
    let broken = report.findings.iter().filter(|finding| matches!(finding.outcome, Outcome::Fail(_)));
    let broken: Vec<_> =
        broken.map(|finding| format!("{}: {}", finding.check.id, finding.outcome.detail())).collect();
    assert!(broken.is_empty(), "{broken:#?}");
    assert_eq!(report.verdict(), Verdict::Holds);
}
