//! Whoever may read the pidfile may lock it too, but cannot stop a daemon by that.

use std::fs::File;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, Flock, FlockArg, fcntl};
use nix::libc::{self, F_RDLCK};
use nix::sys::signal::Signal;
use rstest::rstest;

use crate::support::{
    BOTH, DETACHED, FOREGROUND, MONITORED, assert_clean, assert_owns, is_refused, own_pid, owner, reference,
    sandbox, start,
};

/// A lock that needs no more than the right to read, held until dropped.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Posix,
    Ofd,
    Flock,
    FlockExclusive,
}

enum Held {
    File(File),
    Flock(Flock<File>),
}

impl Kind {
    fn hold(self, file: File) -> Held {
        let lock = libc::flock { l_type: F_RDLCK as i16, l_whence: 0, l_start: 0, l_len: 0, l_pid: 0 };
        match self {
            Kind::Posix => fcntl(file.as_fd(), FcntlArg::F_SETLK(&lock)).unwrap(),
            Kind::Ofd => fcntl(file.as_fd(), FcntlArg::F_OFD_SETLK(&lock)).unwrap(),
            Kind::Flock => return Held::Flock(Flock::lock(file, FlockArg::LockSharedNonblock).unwrap()),
            Kind::FlockExclusive => {
                return Held::Flock(Flock::lock(file, FlockArg::LockExclusiveNonblock).unwrap());
            }
        };
        Held::File(file)
    }
}

impl Held {
    /// Still there: nobody else could write-lock the file by a lock of the same kind.
    fn is_open(&self) -> bool {
        match self {
            Held::File(file) => file.metadata().is_ok(),
            Held::Flock(file) => file.metadata().is_ok(),
        }
    }
}

#[rstest]
fn a_reader_of_a_stale_pidfile_cannot_block_a_start(
    #[values(FOREGROUND, DETACHED, MONITORED, BOTH)] mode: &[&str],
    #[values(Kind::Posix, Kind::Ofd, Kind::Flock, Kind::FlockExclusive)] kind: Kind,
) {
    let sandbox = sandbox();
    start(&sandbox, &reference(DETACHED)).end_by(&sandbox, Signal::SIGKILL);
    let held = kind.hold(File::open(sandbox.pidfile()).unwrap());
    let running = start(&sandbox, &reference(mode));
    assert!(held.is_open());
    assert_owns(&sandbox.pidfile(), running.pid);
    running.stop(&sandbox);
    assert_clean(&sandbox);
}

#[rstest]
fn a_reader_of_a_live_pidfile_can_neither_block_a_restart_nor_the_end(
    #[values(Kind::Flock, Kind::FlockExclusive)] kind: Kind,
) {
    let sandbox = sandbox();
    let running = start(&sandbox, &reference(BOTH));
    let first = kind.hold(File::open(sandbox.pidfile()).unwrap());
    running.signal(Signal::SIGSEGV);
    running.subject.wait_gone(running.pid, sandbox.deadline()).unwrap();
    let second = own_pid(&sandbox, &running.subject);
    assert!(first.is_open() && second != running.pid);
    let _second_reader = kind.hold(File::open(sandbox.pidfile()).unwrap());
    is_refused(&sandbox, &reference(BOTH), second);
    running.subject.signal(second, Signal::SIGTERM).unwrap();
    running.subject.wait_empty(sandbox.deadline()).unwrap();
    assert_clean(&sandbox);
}

#[test]
fn no_reader_gets_a_record_lock_on_a_live_pidfile() {
    let sandbox = sandbox();
    let running = start(&sandbox, &reference(DETACHED));
    let file = File::open(sandbox.pidfile()).unwrap();
    let lock = libc::flock { l_type: F_RDLCK as i16, l_whence: 0, l_start: 0, l_len: 0, l_pid: 0 };
    for attempt in [FcntlArg::F_SETLK(&lock), FcntlArg::F_OFD_SETLK(&lock)] {
        assert_eq!(fcntl(file.as_fd(), attempt), Err(Errno::EAGAIN));
    }
    assert_eq!(owner(&sandbox.pidfile()), Some(running.pid));
}
