//! Claims about a pidfile.

use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use daemonproof::observe::FileView;
use daemonproof::prelude::*;
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Pid, Uid, chown, mkfifo};
use rstest::rstest;
use tempfile::TempDir;

use crate::support::{Prepared, fails, gone_pid, holds, is_unknown, sandbox, zombie_and_parent};

fn file_with(content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("d.pid");
    fs::write(&path, content).unwrap();
    (directory, path)
}

fn open(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

/// Which of `well_formed`, `only_a_pid` and `ends_with_newline` hold.
#[rstest]
#[case(b"812\n", [true, true, true])]
#[case(b"812", [true, true, false])]
#[case(b"812\n/var/lib\n", [true, false, true])]
#[case(b"812\n/var/lib", [true, false, false])]
#[case(b"", [false, false, false])]
#[case(b"\n", [false, false, true])]
#[case(b"0812\n", [false, false, true])]
#[case(b"812 \n", [false, false, true])]
#[case(b"pid 812", [false, false, false])]
fn form_is_judged_by_the_bytes(#[case] content: &[u8], #[case] expected: [bool; 3]) {
    let (_directory, path) = file_with(content);
    let view = FileView::at(&path);
    for (claim, expected) in [well_formed(), only_a_pid(), ends_with_newline()].into_iter().zip(expected) {
        if expected { holds(&view, claim) } else { drop(fails(&view, claim)) }
    }
    let named = Pid::from_raw(812);
    if expected[0] {
        holds(&view, names(named))
    } else {
        drop(fails(&view, names(named)))
    }
    fails(&view, names(Pid::from_raw(81)));
    holds(&view, exists());
    fails(&view, missing());
}

#[test]
fn a_missing_file_has_no_properties() {
    let directory = tempfile::tempdir().unwrap();
    let view = FileView::at(directory.path().join("d.pid"));
    holds(&view, missing());
    holds(&view, names(Pid::this()).not().and(well_formed().not()).and(stale().not()).and(owned().not()));
    fails(&view, exists());
    for claim in [mode(0o644), owner(Uid::current()), owner_group(Gid::current()), regular(), unlocked()] {
        is_unknown(&view, claim);
    }
}

#[test]
fn what_cannot_be_reached_is_neither_there_nor_missing() {
    let (_directory, path) = file_with("");
    let view = FileView::at(path.join("below"));
    for claim in [exists(), missing(), well_formed(), names(Pid::this()), stale(), owned(), names_running()] {
        is_unknown(&view, claim);
    }
}

#[test]
fn mode_and_owner_are_those_of_the_file() {
    let (_directory, path) = file_with("1\n");
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let view = FileView::at(&path);
    holds(&view, mode(0o640).and(owner(Uid::current())).and(regular()));
    fails(&view, mode(0o644));
    fails(&view, owner(Uid::from_raw(54321)));
    fails(&view, owner_group(Gid::from_raw(54321)));
    if Uid::current().is_root() {
        chown(&path, Some(Uid::from_raw(54321)), Some(Gid::from_raw(54322))).unwrap();
        let view = FileView::at(&path);
        holds(&view, owner(Uid::from_raw(54321)).and(owner_group(Gid::from_raw(54322))));
    } else {
        holds(&view, owner_group(Gid::current()));
    }
}

#[test]
fn only_a_file_is_regular() {
    let (directory, path) = file_with("1\n");
    let [link, fifo] = ["link", "fifo"].map(|name| directory.path().join(name));
    symlink(&path, &link).unwrap();
    mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for other in [&link, &fifo, &directory.path().to_owned()] {
        fails(&FileView::at(other), regular());
        holds(&FileView::at(other), exists().and(regular().not()));
    }
    fails(&FileView::at(&fifo), stale());
}

#[test]
fn a_daemon_owns_its_pidfile_until_it_is_killed() {
    let daemon = sandbox()
        .daemon(env!("CARGO_BIN_EXE_reference"))
        .detach("--detach")
        .pidfile("--pidfile={pidfile}")
        .start();
    let pidfile = daemon.pidfile();
    pidfile.assert(names(&daemon).and(names_running()).and(owned()).and(mode(0o644)));
    pidfile.assert(only_a_pid().and(ends_with_newline()).and(stale().not()));
    let pid = daemon.pid();
    daemon.signal(Signal::SIGKILL);
    daemon.subject().wait_gone(pid, Deadline::after(std::time::Duration::from_secs(60))).unwrap();
    pidfile.assert(names(pid).and(stale()));
    pidfile.try_assert(owned()).unwrap_err();
    pidfile.try_assert(names_running()).unwrap_err();
}

#[rstest]
#[case::gone(gone_pid().to_string())]
#[case::empty(String::new())]
#[case::malformed("yes".to_owned())]
fn a_lock_decides_if_no_process_does(#[case] content: String) {
    let (_directory, path) = file_with(content);
    holds(&FileView::at(&path), stale().and(names_running().not()).and(owned().not()));
    let file = open(&path);
    file.lock_shared().unwrap();
    holds(&FileView::at(&path), stale());
    file.unlock().unwrap();
    file.lock().unwrap();
    fails(&FileView::at(&path), stale());
    fails(&FileView::at(&path), owned());
}

#[test]
fn a_zombie_is_no_owner() {
    let (zombie, _parent) = zombie_and_parent();
    let (_directory, path) = file_with(format!("{zombie}\n"));
    let view = FileView::at(&path);
    holds(&view, names(zombie).and(stale()));
    fails(&view, names_running());
    fails(&view, owned());
}

#[test]
fn without_a_lock_a_running_process_owns_nothing() {
    let shell = Prepared::sh("echo $$ >{pidfile}; echo ready; exec sleep 1000");
    let view = FileView::at(shell.sandbox.pidfile());
    holds(&view, names(shell.pid()).and(names_running()));
    fails(&view, owned());
    fails(&view, stale());
}

#[test]
fn an_inherited_lock_is_its_heirs_as_well() {
    let (_directory, path) = file_with("");
    let file = open(&path);
    file.lock().unwrap();
    let options = StartOptions::new().inherit(file.try_clone().unwrap());
    let heir = Prepared::start(sandbox(), &crate::support::sh("echo ready; exec sleep 1000"), options);
    fs::write(&path, format!("{}\n", heir.pid())).unwrap();
    let view = FileView::at(&path);
    holds(&view, owned().and(locked_by(heir.pid())).and(locked_by(Pid::this())));
    drop(file);
    holds(&FileView::at(&path), owned().and(locked_by(Pid::this()).not()));
}
