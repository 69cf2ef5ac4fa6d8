//! What `etc/stop` does with daemons that behave as `kvd` never should: crash, hang, take long to start.
//!
//! The helpers are in this test's own executable, behind `sandbox.helper`; nothing has to be built or installed for them.

use daemonproof::prelude::*;
use rstest::rstest;

const STOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/etc/stop");

/// `etc/stop PIDFILE SECONDS`, as a foreground command.
fn stop(sandbox: &Sandbox, seconds: &str) -> Finished {
    sandbox.daemon(STOP).args(["{pidfile}", seconds]).run()
}

#[rstest]
fn a_daemon_that_behaves_is_asked_to_end(sandbox: Sandbox) {
    let daemon = sandbox.helper("reference").detach("--detach").pidfile("--pidfile={pidfile}").start();
    stop(&sandbox, "60").assert().success().stderr("");
    daemon.assert(eventually(alive().not()));
    sandbox.pidfile().assert(missing());
}

#[rstest]
fn a_daemon_that_hangs_is_killed_in_the_end(sandbox: Sandbox) {
    let hanging =
        sandbox.helper("hang").arg("--when=on-sigterm").detach("--detach").pidfile("--pidfile={pidfile}");
    let hanging = hanging.start();
    stop(&sandbox, "1").assert().success().stderr(predicate::str::contains("did not end within 1 s: killed"));
    hanging.assert(eventually(alive().not()));
}

#[rstest]
fn the_pidfile_of_a_daemon_that_crashed_is_stale(sandbox: Sandbox) {
    let crashing =
        sandbox.helper("crash").arg("--signal=KILL").detach("--detach").pidfile("--pidfile={pidfile}");
    // Dead as soon as it has reported that it is ready.
    let finished = crashing.run();
    finished.assert().success();
    stop(&sandbox, "60").assert().success().stderr(predicate::str::contains("is stale: nothing runs"));
}

#[rstest]
fn a_daemon_that_still_starts_can_be_stopped(sandbox: Sandbox) {
    let starting = sandbox.helper("slow-start").arg("--delay=1h").pidfile("--pidfile={pidfile}");
    // In the foreground it has its pidfile an hour before it is ready.
    let starting = starting.start();
    stop(&sandbox, "60").assert().success().stderr("");
    starting.assert(eventually(alive().not()));
    sandbox.pidfile().assert(missing());
}

#[rstest]
fn a_start_that_fails_is_reported_however_late(sandbox: Sandbox) {
    let failing = sandbox.helper("slow-start").args(["--delay=200ms", "--fail=7"]).detach("--detach");
    failing.run().assert().code(7);
    stop(&sandbox, "60").assert().success().stderr(predicate::str::contains("nothing runs"));
}
