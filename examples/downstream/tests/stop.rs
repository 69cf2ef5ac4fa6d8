//! What `etc/stop` does with daemons that behave as `kvd` never should: crash, hang, take long to start.
//!
//! The helpers are in this test's own executable, behind `sandbox.helper`; nothing has to be built or installed for them.

use daemonproof::prelude::*;
use rstest::rstest;
use std::time::Duration;

const STOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/etc/stop");

/// How long a wait lasts that never ends: nobody waits so long when all is well, however slow the machine.
const LONG: Duration = Duration::from_secs(60);

/// `etc/stop`, run to its end, which gives the daemon so many seconds to end.
fn stop(sandbox: &Sandbox, seconds: &str) -> Finished {
    sandbox.daemon(STOP).args(["{pidfile}", seconds]).timeout(2 * LONG).run()
}

/// A helper with a pidfile, in the foreground.
fn helper(sandbox: &Sandbox, name: &str) -> DaemonCommand {
    sandbox.helper(name).pidfile("--pidfile={pidfile}").timeout(LONG)
}

#[rstest]
fn a_daemon_that_behaves_is_asked_to_end(sandbox: Sandbox) {
    let daemon = helper(&sandbox, "reference").detach("--detach").start();
    stop(&sandbox, "60").assert().success().stderr("");
    daemon.assert(eventually(alive().not()));
    sandbox.pidfile().assert(missing());
}

#[rstest]
fn a_daemon_that_hangs_is_killed_in_the_end(sandbox: Sandbox) {
    let hanging = helper(&sandbox, "hang").arg("--when=on-sigterm").detach("--detach").start();
    let stopped = stop(&sandbox, "1");
    stopped.assert().success().stderr(predicate::str::contains("did not end within 1 s: killed"));
    hanging.assert(eventually(alive().not()));
}

#[rstest]
fn the_pidfile_of_a_daemon_that_crashed_is_stale(sandbox: Sandbox) {
    // It dies as soon as it has reported that it is ready, and cleans nothing up.
    let crashed = helper(&sandbox, "crash").arg("--signal=KILL").detach("--detach").run();
    crashed.assert().success();
    let stopped = stop(&sandbox, "60");
    stopped.assert().success().stderr(predicate::str::contains("is stale: nothing runs"));
}

#[rstest]
fn a_daemon_that_still_starts_can_be_stopped(sandbox: Sandbox) {
    // In the foreground it has its pidfile an hour before it is ready.
    let starting = helper(&sandbox, "slow-start").arg("--delay=1h").start();
    stop(&sandbox, "60").assert().success().stderr("");
    starting.assert(eventually(alive().not()));
    sandbox.pidfile().assert(missing());
}

#[rstest]
fn a_start_that_fails_is_reported_however_late(sandbox: Sandbox) {
    let failing = helper(&sandbox, "slow-start").args(["--delay=200ms", "--fail=7"]).detach("--detach");
    failing.run().assert().code(7);
    let stopped = stop(&sandbox, "60");
    stopped.assert().success().stderr(predicate::str::contains("no pidfile"));
}
