//! `examples/foreign/echod.py`, a daemon of twenty lines of code.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use daemonproof::prelude::*;
use nix::sys::signal::Signal;
use rstest::rstest;

use crate::peers::{Missing, python};

fn echod(sandbox: &Sandbox, n: u32) -> Option<DaemonCommand> {
    let python = Missing::skip(python())?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/foreign/echod.py");
    let command = sandbox.daemon(python).args([script, "{pidfile}", "{rundir}/{n}.sock"]);
    Some(command.instance(n).detaches().has_pidfile())
}

#[rstest]
fn it_works_when_the_command_returns(sandbox: Sandbox) {
    let Some(command) = echod(&sandbox, 1) else { return };
    let daemon = command.start();
    let mut client = UnixStream::connect(sandbox.file("1.sock")).unwrap();
    client.write_all(b"hello\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "hello\n");
    daemon.assert(session_leader().and(cwd("/")).and(stdio_is_null()));
    daemon.pidfile().assert(names(&daemon).and(locked_by(&daemon)).and(mode(0o644)));
    daemon.stop().assert().success();
    assert!(!sandbox.file("1.sock").exists());
}

#[rstest]
fn a_second_start_is_refused(sandbox: Sandbox) {
    let (Some(first), Some(second)) = (echod(&sandbox, 1), echod(&sandbox, 2)) else { return };
    let daemon = first.start();
    second.run().assert().failure().stderr(predicate::str::contains("already running as pid"));
    daemon.pidfile().assert(names(&daemon).and(locked_by(&daemon)));
}

#[rstest]
fn what_a_crash_leaves_does_not_stop_the_next_start(sandbox: Sandbox) {
    let (Some(first), Some(second)) = (echod(&sandbox, 1), echod(&sandbox, 2)) else { return };
    let daemon = first.start();
    daemon.crash(Signal::SIGKILL);
    daemon.pidfile().assert(stale());
    drop(daemon);
    let next = second.start();
    next.pidfile().assert(names(&next).and(locked_by(&next)));
}

#[rstest]
fn a_start_that_fails_is_reported(sandbox: Sandbox) {
    let Some(command) = echod(&sandbox, 1) else { return };
    std::fs::create_dir(sandbox.file("1.sock")).unwrap();
    command.run().assert().code(1).stderr(predicate::str::contains("Address already in use"));
}
