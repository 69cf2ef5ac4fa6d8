//! What the service manager is told.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use daemonproof::fixture::{FixtureError, NotifySocket, StartOptions, Waiter};
use daemonproof::observe::Pidfile;
use nix::sys::signal::Signal;
use rstest::rstest;

use crate::support::{AT_ONCE, CRASH, HANG, Mode, REFERENCE, Running, helper, process, run, sandbox};

#[rstest]
fn ready_and_stopping_are_told_by_the_main_process(
    #[values(Mode::Foreground, Mode::Monitored, Mode::Detached, Mode::DetachedMonitored)] mode: Mode,
) {
    let sandbox = sandbox();
    let socket = NotifySocket::bind(&sandbox).unwrap();
    let options = StartOptions::new().env("NOTIFY_SOCKET", socket.address());
    let subject = sandbox.start(&mode.apply(helper(REFERENCE)), options).unwrap();
    let ready = || Ok::<_, FixtureError>(socket.is_ready().then_some(()));
    let waiter = Waiter::new("READY=1", sandbox.deadline()).notifications(&socket);
    waiter.until(ready).unwrap();
    if mode.is_detached() {
        assert!(subject.wait_exit(sandbox.deadline()).unwrap().success());
    }
    let daemon = Pidfile::at(sandbox.pidfile()).pid().unwrap();
    let main = if mode.is_monitored() { process(daemon).ppid } else { daemon };
    assert_eq!(socket.main_pid(), Some(main));
    assert_eq!(socket.messages().len(), 1);
    assert_eq!(socket.messages()[0].sender, Some(main));

    subject.signal(daemon, Signal::SIGTERM).unwrap();
    subject.wait_empty(sandbox.deadline()).unwrap();
    assert_eq!(socket.get("STOPPING").as_deref(), Some("1"));
    assert_eq!(socket.messages().len(), 2);
}

#[rstest]
fn ready_is_told_before_the_command_returns(#[values(Mode::Detached, Mode::DetachedMonitored)] mode: Mode) {
    let sandbox = sandbox();
    let socket = NotifySocket::bind(&sandbox).unwrap();
    let options = StartOptions::new().env("NOTIFY_SOCKET", socket.address());
    let outcome = run(&sandbox, mode.apply(helper(REFERENCE)), options);
    assert!(outcome.status.success() && socket.is_ready());
}

#[test]
fn a_restart_is_no_news_to_the_service_manager() {
    let sandbox = sandbox();
    let socket = NotifySocket::bind(&sandbox).unwrap();
    let options = StartOptions::new().env("NOTIFY_SOCKET", socket.address());
    let running =
        Running::start_in(&sandbox, helper(REFERENCE).arg(AT_ONCE), Mode::DetachedMonitored, options);
    let second = running.crash(running.daemon);
    running.kill(second, Signal::SIGTERM);
    running.end();
    let said: Vec<_> = socket.messages().iter().map(|message| message.assignments[0].0.clone()).collect();
    assert_eq!(said, ["READY", "STOPPING"]);
}

#[rstest]
fn a_failed_start_is_never_called_ready(
    #[values(Mode::Foreground, Mode::Monitored, Mode::Detached, Mode::DetachedMonitored)] mode: Mode,
) {
    let sandbox = sandbox();
    let socket = NotifySocket::bind(&sandbox).unwrap();
    let options = StartOptions::new().env("NOTIFY_SOCKET", socket.address());
    let command = mode.apply(helper(CRASH).args(["--exit=7", "--when=before-ready"]));
    run(&sandbox, command, options);
    assert!(!socket.is_ready(), "{:?}", socket.messages());
}

#[test]
fn the_socket_may_have_an_abstract_name() {
    let sandbox = sandbox();
    let name = format!("{}/notify", sandbox.rundir().display());
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let options = StartOptions::new().env("NOTIFY_SOCKET", format!("@{name}"));
    let running = Running::start_in(&sandbox, helper(REFERENCE), Mode::Detached, options);
    let mut message = [0; 100];
    let length = socket.recv(&mut message).unwrap();
    assert_eq!(&message[..length], format!("READY=1\nMAINPID={}", running.daemon).as_bytes());
}

#[rstest]
fn a_socket_that_nobody_serves_is_no_obstacle(
    #[values("/nonexistent/notify", "@daemonproof-nobody", "nonsense", "")] address: &str,
) {
    let options = StartOptions::new().env("NOTIFY_SOCKET", address);
    Running::start_in(&sandbox(), helper(REFERENCE), Mode::DetachedMonitored, options);
}

#[test]
fn a_socket_that_is_full_is_no_obstacle() {
    let sandbox = sandbox();
    let path = sandbox.outdir().join("full");
    let socket = UnixDatagram::bind(&path).unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    sender.set_nonblocking(true).unwrap();
    while sender.send_to(b"x", &path).is_ok() {}
    let options = StartOptions::new().env("NOTIFY_SOCKET", &path);
    Running::start_in(&sandbox, helper(HANG).arg("--when=on-sigterm"), Mode::Detached, options);
    drop(socket);
}
