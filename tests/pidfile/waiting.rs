//! While somebody is within the few system calls that change names, the others wait for it, but not for ever.

use std::fs::File;
use std::os::fd::AsFd;

use daemonproof::fixture::{FixtureError, Sandbox};
use daemonproof::observe::lock_state;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc::{self, F_UNLCK, F_WRLCK};
use nix::sys::signal::Signal;

use crate::support::{
    BOTH, DETACHED, MODES, assert_clean, assert_owns, fails, guard, own_pid, reference, sandbox, spawn, start,
};

/// Changes the lock on the guard's first byte, as somebody does who is stopped at a bad moment.
pub(crate) fn mutex(guard: &File, kind: libc::c_int) {
    let lock = libc::flock { l_type: kind as i16, l_whence: 0, l_start: 0, l_len: 1, l_pid: 0 };
    // A daemon that has just published its pidfile holds it for a few system calls more.
    fcntl(guard.as_fd(), FcntlArg::F_OFD_SETLKW(&lock)).unwrap();
}

pub(crate) fn open_guard(sandbox: &Sandbox) -> File {
    File::options().read(true).write(true).create(true).truncate(false).open(guard(sandbox)).unwrap()
}

fn somebody_waits(sandbox: &Sandbox) -> Result<Option<()>, FixtureError> {
    Ok((!lock_state(guard(sandbox)).unwrap().awaited.is_empty()).then_some(()))
}

#[test]
fn a_start_and_an_end_wait_for_whoever_changes_names() {
    for mode in MODES {
        let sandbox = sandbox();
        let file = open_guard(&sandbox);
        mutex(&file, F_WRLCK);
        let subject = spawn(&sandbox, &reference(mode));
        subject.wait_until("the start to wait", sandbox.deadline(), || somebody_waits(&sandbox)).unwrap();
        assert!(!sandbox.pidfile().exists());
        mutex(&file, F_UNLCK);
        let pid = own_pid(&sandbox, &subject);
        if mode.contains(&"--detach") {
            assert!(subject.wait_exit(sandbox.deadline()).unwrap().success());
        }
        mutex(&file, F_WRLCK);
        subject.signal(pid, Signal::SIGTERM).unwrap();
        subject.wait_until("the end to wait", sandbox.deadline(), || somebody_waits(&sandbox)).unwrap();
        assert_owns(&sandbox.pidfile(), pid);
        mutex(&file, F_UNLCK);
        subject.wait_empty(sandbox.deadline()).unwrap();
        assert_clean(&sandbox);
    }
}

#[test]
fn a_start_gives_up_in_the_end_and_names_the_guard() {
    let sandbox = sandbox();
    let file = open_guard(&sandbox);
    mutex(&file, F_WRLCK);
    let said = fails(&sandbox, &reference(BOTH));
    let text = format!("failed to lock {}: held for more than 10 seconds", guard(&sandbox).display());
    assert!(said.contains(&text), "{said}");
    assert_clean(&sandbox);
}

#[test]
fn an_end_gives_up_waiting_and_leaves_a_stale_pidfile() {
    let sandbox = sandbox();
    let running = start(&sandbox, &reference(DETACHED));
    let file = open_guard(&sandbox);
    mutex(&file, F_WRLCK);
    running.stop(&sandbox);
    mutex(&file, F_UNLCK);
    assert!(sandbox.pidfile().exists());
    start(&sandbox, &reference(DETACHED)).stop(&sandbox);
    assert_clean(&sandbox);
}
