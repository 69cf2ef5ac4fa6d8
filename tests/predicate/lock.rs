//! Claims about locks.

use std::fs::{File, OpenOptions};
use std::path::PathBuf;

use daemonproof::observe::FileView;
use daemonproof::prelude::*;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::unistd::Pid;
use rstest::rstest;
use tempfile::TempDir;

use crate::support::{fails, holds, sandbox, sh};

fn new_file() -> (TempDir, PathBuf, File) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f");
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
    (directory, path, file)
}

fn lock(file: &File, kind: LockKind, exclusive: bool) {
    let l_type = if exclusive { libc::F_WRLCK } else { libc::F_RDLCK } as i16;
    let range = libc::flock { l_type, l_whence: libc::SEEK_SET as i16, l_start: 0, l_len: 0, l_pid: 0 };
    match kind {
        LockKind::Posix => drop(fcntl(file, FcntlArg::F_SETLK(&range)).unwrap()),
        LockKind::Ofd => drop(fcntl(file, FcntlArg::F_OFD_SETLK(&range)).unwrap()),
        _ if exclusive => file.lock().unwrap(),
        _ => file.lock_shared().unwrap(),
    }
}

const KINDS: [LockKind; 3] = [LockKind::Posix, LockKind::Flock, LockKind::Ofd];

#[rstest]
fn a_lock_has_a_holder_and_a_kind(
    #[values(LockKind::Posix, LockKind::Flock, LockKind::Ofd)] kind: LockKind,
    #[values(true, false)] exclusive: bool,
) {
    let (_directory, path, file) = new_file();
    let unlocked_view = FileView::at(&path);
    holds(&unlocked_view, unlocked().and(nobody_waits()));
    for claim in [locked(), locked_exclusively(), locked_with(kind), locked_by(Pid::this())] {
        fails(&unlocked_view, claim);
    }
    lock(&file, kind, exclusive);
    let view = FileView::at(&path);
    holds(&view, locked().and(locked_with(kind)).and(locked_by(Pid::this())));
    fails(&view, unlocked());
    fails(&view, locked_by(Pid::parent()));
    for other in KINDS.into_iter().filter(|other| *other != kind) {
        fails(&view, locked_with(other));
    }
    if exclusive {
        holds(&view, locked_exclusively());
    } else {
        fails(&view, locked_exclusively());
    }
}

#[test]
fn who_waits_is_seen() {
    let sandbox = sandbox();
    let file = File::create(sandbox.pidfile()).unwrap();
    file.lock().unwrap();
    holds(&sandbox.pidfile().look(), nobody_waits());
    let waiter = sandbox.start(&sh("exec flock {pidfile} true"), StartOptions::new()).unwrap();
    sandbox.pidfile().assert(eventually(nobody_waits().not()));
    fails(&sandbox.pidfile().look(), nobody_waits());
    file.unlock().unwrap();
    assert!(waiter.wait_exit(sandbox.deadline()).unwrap().success());
    holds(&sandbox.pidfile().look(), nobody_waits().and(unlocked()));
}

#[test]
fn a_daemon_locks_its_pidfile_unless_it_forgot() {
    let start = |defect: &str| {
        let command = sandbox().daemon(env!("CARGO_BIN_EXE_defective")).args(["--defect", defect]);
        command.detach("--detach").pidfile("--pidfile={pidfile}").start()
    };
    let right = start("none");
    right.pidfile().assert(locked_by(&right).and(locked_exclusively()));
    let wrong = start("not-locked");
    wrong.pidfile().assert(unlocked());
    wrong.pidfile().try_assert(locked_by(&wrong)).unwrap_err();
}
