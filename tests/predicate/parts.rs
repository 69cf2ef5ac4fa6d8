//! Snapshots made of values: what was put in is what is judged.

use daemonproof::observe::{Descriptors, FileView, LockState, Observed, Pidfile, Process, View, locks_on};
use daemonproof::prelude::*;
use nix::unistd::Pid;

use crate::support::{Prepared, fails, holds};

#[test]
fn a_view_shows_its_parts_and_looks_no_more() {
    let shell = Prepared::sh("echo ready; sleep 1000 & wait");
    let mut process = Process::of(shell.pid()).unwrap().present().unwrap();
    process.umask = Some(0o77);
    let mut list: Vec<_> = Descriptors::of(shell.pid()).unwrap().present().unwrap().iter().cloned().collect();
    list.reverse();
    list.truncate(2);
    let descriptors = Descriptors::from_parts(shell.pid(), list);
    assert!(descriptors.iter().map(|descriptor| descriptor.fd).is_sorted());
    let view = View::from_parts(shell.pid(), Observed::Present(process), Observed::Present(descriptors));
    shell.subject.kill_all().unwrap();
    holds(&view, umask(0o77).and(no_other_fds_than([1, 2])).and(alive()));
    let gone = View::from_parts(shell.pid(), Observed::Gone, Observed::Gone);
    holds(&gone, ended());
}

#[test]
fn a_file_view_shows_its_parts_and_looks_no_more() {
    let sandbox = crate::support::sandbox();
    let path = sandbox.pidfile().path().to_owned();
    std::fs::write(&path, format!("{}\n", Pid::this())).unwrap();
    let file = std::fs::File::open(&path).unwrap();
    file.lock().unwrap();
    let held = locks_on(&path, &[Pid::this()]).unwrap();
    let pidfile = Pidfile::at(&path);
    let me = Process::of(Pid::this()).unwrap();
    std::fs::remove_file(&path).unwrap();
    let view = FileView::from_parts(pidfile.clone(), LockState::default(), me.clone(), held);
    holds(&view, exists().and(owned()).and(locked_by(Pid::this())).and(locked_by(Pid::parent()).not()));
    let unlocked_view = FileView::from_parts(pidfile, LockState::default(), me, Vec::new());
    fails(&unlocked_view, owned());
}
