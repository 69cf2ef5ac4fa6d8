//! Debian's unmodified `redis-server`.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use daemonproof::prelude::*;
use nix::sys::signal::Signal;
use rstest::rstest;

use crate::peers::{Missing, program};

fn redis(sandbox: &Sandbox) -> Option<DaemonCommand> {
    let command = sandbox.daemon(Missing::skip(program("redis-server"))?);
    let socket = ["--port", "0", "--unixsocket", "{rundir}/redis.sock"];
    let files = ["--dir", "{rundir}", "--logfile", "{rundir}/redis.log", "--save", ""];
    Some(command.args(socket).args(files).args(["--pidfile", "{pidfile}"]).has_pidfile())
}

fn ask(sandbox: &Sandbox, command: &str) -> String {
    let mut client = UnixStream::connect(sandbox.file("redis.sock")).unwrap();
    client.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

#[rstest]
fn it_detaches_and_cleans_up(sandbox: Sandbox) {
    let Some(command) = redis(&sandbox) else { return };
    // Its command returns at once, and the pidfile is there before the socket.
    let ready = Ready::unix("{rundir}/redis.sock");
    let daemon = command.args(["--daemonize", "yes"]).detaches().ready(ready).start();
    assert_eq!(ask(&sandbox, "PING"), "+PONG\r\n+OK\r\n");
    daemon.assert(session_leader().and(stdio_is_null()).and(no_terminal()));
    daemon.pidfile().assert(names(&daemon).and(mode(0o644)));
    daemon.stop().assert().success();
    sandbox.pidfile().assert(missing());
}

#[rstest]
fn it_stays_in_the_foreground_when_told(sandbox: Sandbox) {
    let Some(command) = redis(&sandbox) else { return };
    let daemon = command.args(["--daemonize", "no"]).ready(Ready::unix("{rundir}/redis.sock")).start();
    daemon.tree().assert(roles([Role::Daemon]));
    ask(&sandbox, "SHUTDOWN NOSAVE");
    daemon.assert(eventually(gone()));
}

#[rstest]
fn a_crash_leaves_a_stale_pidfile_that_the_next_start_takes_over(sandbox: Sandbox) {
    let Some(command) = redis(&sandbox) else { return };
    let command = command.args(["--daemonize", "yes"]).detaches().ready(Ready::unix("{rundir}/redis.sock"));
    let daemon = command.start();
    daemon.crash(Signal::SIGKILL);
    daemon.pidfile().assert(stale());
    drop(daemon);
    let next = command.start();
    next.pidfile().assert(eventually(names(&next)));
}

/// What it does not promise: nothing is locked, so its pidfile does not keep a second instance away.
#[rstest]
fn its_pidfile_is_not_locked(sandbox: Sandbox) {
    let Some(command) = redis(&sandbox) else { return };
    let daemon =
        command.args(["--daemonize", "yes"]).detaches().ready(Ready::unix("{rundir}/redis.sock")).start();
    let error = daemon.pidfile().try_assert(locked_by(&daemon)).unwrap_err();
    assert!(error.to_string().contains("it is locked by pid"), "{error}");
}
