//! Where the pidfile is when its name does not say it all.

use std::fs;
use std::path::{Path, PathBuf};

use daemonproof::fixture::{CommandLine, Sandbox, StartOptions};
use nix::sys::signal::Signal;

use crate::support::{
    BOTH, MODES, REFERENCE, as_ordinary_user, assert_owns, errors, fails_with, owner, sandbox, set_mode,
};

fn folder(sandbox: &Sandbox, name: &str) -> PathBuf {
    let path = sandbox.rundir().join(name);
    fs::create_dir(&path).unwrap();
    set_mode(&path, 0o777);
    path
}

/// A daemon with these variables has its pidfile there, owns it, refuses a second start and removes it.
#[track_caller]
fn assert_at(sandbox: &Sandbox, command: &CommandLine, options: &StartOptions, path: &Path) {
    let subject = sandbox.start(command, options.clone()).unwrap();
    assert!(subject.wait_exit(sandbox.deadline()).unwrap().success(), "{}", errors(&subject));
    let pid = owner(path).unwrap_or_else(|| panic!("{} is not owned", path.display()));
    assert!(subject.live_pids().unwrap().contains(&pid));
    assert_owns(path, pid);
    let said = fails_with(sandbox, command, options.clone());
    let expected = format!("{}: already running as pid {pid}", path.display());
    assert!(said.contains(&expected), "{said:?} is not {expected:?}");
    subject.signal(pid, Signal::SIGTERM).unwrap();
    subject.wait_empty(sandbox.deadline()).unwrap();
    assert!(!path.exists());
}

fn named(flag: &str, mode: &[&str]) -> CommandLine {
    CommandLine::new(REFERENCE).arg(flag).args(mode)
}

#[test]
fn without_a_name_the_pidfile_is_named_after_the_program_in_the_rundir() {
    let sandbox = sandbox();
    let rundir = folder(&sandbox, "a");
    let options = StartOptions::new().env("RUNDIR", &rundir);
    for mode in MODES.iter().filter(|mode| mode.contains(&"--detach")) {
        assert_at(&sandbox, &named("--pidfile", mode), &options, &rundir.join("reference.pid"));
    }
}

#[test]
fn a_relative_name_joins_the_rundir_not_the_working_directory() {
    let sandbox = sandbox();
    let (rundir, cwd) = (folder(&sandbox, "a"), folder(&sandbox, "cwd"));
    fs::create_dir(rundir.join("sub")).unwrap();
    let options = StartOptions::new().env("RUNDIR", &rundir).cwd(&cwd);
    for name in ["x.pid", "sub/x.pid", "./x.pid", "sub/../y"] {
        let path = rundir.join(name);
        assert_at(&sandbox, &named(&format!("--pidfile={name}"), BOTH), &options, &path);
    }
    assert_eq!(fs::read_dir(cwd).unwrap().count(), 0);
}

#[test]
fn an_absolute_name_ignores_the_rundir() {
    let sandbox = sandbox();
    let options = StartOptions::new().env("RUNDIR", "/nonexistent");
    assert_at(&sandbox, &named("--pidfile={pidfile}", BOTH), &options, &sandbox.pidfile());
}

#[test]
fn a_relative_rundir_is_meant_from_where_the_program_was_started() {
    let sandbox = sandbox();
    let rundir = folder(&sandbox, "a");
    let options = StartOptions::new().env("RUNDIR", "a").cwd(sandbox.rundir());
    assert_at(&sandbox, &named("--pidfile", BOTH), &options, &rundir.join("reference.pid"));
    let options = StartOptions::new().env("RUNDIR", ".").cwd(&rundir);
    assert_at(&sandbox, &named("--pidfile=x", BOTH), &options, &rundir.join("./x"));
}

#[test]
fn the_rundir_is_the_first_of_rundir_runtime_directory_and_the_users() {
    let sandbox = sandbox().world_writable().unwrap();
    let [a, b, c] = ["a", "b", "c"].map(|name| folder(&sandbox, name));
    let mut lists = a.clone().into_os_string();
    lists.push(":");
    lists.push(&b);
    let options = StartOptions::new().env("RUNTIME_DIRECTORY", lists).env("XDG_RUNTIME_DIR", &c);
    let command = as_ordinary_user(named("--pidfile", BOTH));
    assert_at(&sandbox, &command, &options.clone().env("RUNDIR", &b), &b.join("reference.pid"));
    assert_at(&sandbox, &command, &options, &a.join("reference.pid"));
    let empty = options.env("RUNTIME_DIRECTORY", "").env("RUNDIR", "");
    assert_at(&sandbox, &command, &empty, &c.join("reference.pid"));
}

#[test]
fn a_rundir_that_is_missing_is_a_clear_error() {
    let sandbox = sandbox();
    let missing = sandbox.rundir().join("missing");
    let options = StartOptions::new().env("RUNDIR", &missing);
    for mode in MODES {
        let said = fails_with(&sandbox, &named("--pidfile", mode), options.clone());
        assert!(said.contains(&format!("directory {}: No such file", missing.display())), "{said}");
    }
    assert_eq!(sandbox.litter().unwrap().len(), 0);
}
