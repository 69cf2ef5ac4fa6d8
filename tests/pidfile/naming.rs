//! Names that cannot be: a clear error, and nothing done.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use daemonproof::fixture::{CommandLine, Sandbox, StartOptions};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use rstest::rstest;

use crate::support::{
    BOTH, DETACHED, MODES, REFERENCE, as_ordinary_user, assert_owns, errors, fails, owner, sandbox, set_mode,
};

fn with_pidfile(path: &OsStr, mode: &[&str]) -> CommandLine {
    let mut flag = OsString::from("--pidfile=");
    flag.push(path);
    CommandLine::new(REFERENCE).arg(flag).args(mode)
}

/// Everything there, with what it is and how large.
fn listing(sandbox: &Sandbox) -> Vec<(PathBuf, String)> {
    let mut files: Vec<_> = fs::read_dir(sandbox.rundir())
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let data = entry.metadata().unwrap();
            (entry.path(), format!("{:?} {}", data.file_type(), data.len()))
        })
        .collect();
    files.sort();
    files
}

/// Refused in every mode with this text, and with nothing written.
#[track_caller]
fn assert_refused(sandbox: &Sandbox, path: &Path, text: &str) {
    let before = listing(sandbox);
    for mode in MODES {
        let said = fails(sandbox, &with_pidfile(path.as_os_str(), mode));
        assert!(said.contains(text), "{said:?} does not say {text:?}");
        assert!(!said.contains("fork child"), "it had forked: {said}");
        assert_eq!(listing(sandbox), before);
    }
}

#[rstest]
#[case("fifo", |path: &Path| mkfifo(path, Mode::S_IRWXU).unwrap())]
#[case("directory", |path: &Path| fs::create_dir(path).unwrap())]
#[case("socket", |path: &Path| drop(UnixListener::bind(path).unwrap()))]
#[case("symbolic link", |path: &Path| symlink("nowhere", path).unwrap())]
#[case("symbolic link", |path: &Path| symlink("..", path).unwrap())]
#[case("symbolic link", |path: &Path| {
    fs::write(path.with_file_name("target"), "1\n").unwrap();
    symlink("target", path).unwrap();
})]
fn what_is_no_regular_file_is_refused_as_pidfile_or_guard(
    #[values("daemon.pid", ".daemon.pid.lock")] name: &str,
    #[case] kind: &str,
    #[case] make: fn(&Path),
) {
    let sandbox = sandbox();
    let path = sandbox.rundir().join(name);
    make(&path);
    let text = format!("{}: is a {kind}, not a regular file; remove it", path.display());
    assert_refused(&sandbox, &sandbox.pidfile(), &text);
}

#[test]
fn a_directory_that_is_none_is_refused() {
    let sandbox = sandbox();
    fs::write(sandbox.rundir().join("file"), "").unwrap();
    symlink("loop", sandbox.rundir().join("loop")).unwrap();
    for (name, reason) in [
        ("missing", "No such file or directory"),
        ("missing/deeper", "No such file or directory"),
        ("file", "Not a directory"),
        ("file/below", "Not a directory"),
        ("loop", "Too many symbolic links"),
    ] {
        let folder = sandbox.rundir().join(name);
        let text = format!("the pidfile's directory {}: ", folder.display());
        assert_refused(&sandbox, &folder.join("daemon.pid"), &text);
        let said = fails(&sandbox, &with_pidfile(folder.join("daemon.pid").as_os_str(), BOTH));
        assert!(said.contains(reason), "{said} does not say {reason}");
    }
}

#[test]
fn a_name_that_is_too_long_is_refused_and_the_longest_works() {
    let sandbox = sandbox();
    let named = |length: usize| sandbox.rundir().join("n".repeat(length));
    assert_refused(&sandbox, &named(250), "pidfile name too long: 250 bytes, at most 249");
    assert_refused(&sandbox, &named(4096), "pidfile name too long: 4096 bytes, at most 249");
    let deep = sandbox.rundir().join("d/".repeat(2048));
    assert_refused(&sandbox, &deep.join("daemon.pid"), "bytes, at most 4089");
    assert_works(&sandbox, &named(249));
}

#[track_caller]
fn assert_works(sandbox: &Sandbox, path: &Path) {
    let subject = sandbox.start(&with_pidfile(path.as_os_str(), DETACHED), StartOptions::new()).unwrap();
    assert!(subject.wait_exit(sandbox.deadline()).unwrap().success(), "{}", errors(&subject));
    let pid = owner(path).unwrap();
    assert_owns(path, pid);
    let said = fails(sandbox, &with_pidfile(path.as_os_str(), BOTH));
    assert!(said.contains(&format!("already running as pid {pid}")), "{said}");
    subject.signal(pid, Signal::SIGTERM).unwrap();
    subject.wait_empty(sandbox.deadline()).unwrap();
    assert!(!path.exists());
}

#[rstest]
#[case(b"\xff\xfe.pid")]
#[case("\u{1f980} daemon.pid".as_bytes())]
#[case(b"new\nline")]
#[case(b"-")]
#[case(b"%s%n")]
#[case(b".hidden")]
#[case(b"...")]
fn any_other_name_works(#[case] name: &[u8]) {
    let sandbox = sandbox();
    assert_works(&sandbox, &sandbox.rundir().join(OsStr::from_bytes(name)));
}

#[test]
fn what_names_no_file_is_refused() {
    let sandbox = sandbox();
    for path in ["/", "//", "..", "/..", "/.", "name/", "name/.", "name//", "./.."] {
        assert_refused(&sandbox, Path::new(path), "not a file name for a pidfile");
    }
    let below = sandbox.rundir().join("daemon.pid/");
    assert_refused(&sandbox, &below, &format!("{}: not a file name", below.display()));
}

#[test]
fn an_empty_name_is_refused() {
    let sandbox = sandbox();
    let subject = sandbox.start(&with_pidfile(OsStr::new(""), BOTH), StartOptions::new()).unwrap();
    assert_eq!(subject.wait_exit(sandbox.deadline()).unwrap().code(), Some(2));
    assert!(errors(&subject).contains("--pidfile"), "{}", errors(&subject));
    subject.wait_empty(sandbox.deadline()).unwrap();
}

#[test]
fn an_unwritable_directory_is_refused() {
    let sandbox = sandbox();
    let folder = sandbox.rundir().join("folder");
    fs::create_dir(&folder).unwrap();
    for mode in [0o555, 0o666, 0o000] {
        set_mode(&folder, mode);
        for flags in MODES {
            let command = with_pidfile(folder.join("daemon.pid").as_os_str(), flags);
            let said = fails(&sandbox, &as_ordinary_user(command));
            let text = format!("write to the pidfile's directory {}: Permission denied", folder.display());
            assert!(said.contains(&text), "{said}");
        }
        set_mode(&folder, 0o755);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }
}
