//! What somebody else put where the library's own names are.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use daemonproof::fixture::{CommandLine, Sandbox};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use rstest::rstest;

use crate::support::{
    BOTH, DETACHED, MODES, REFERENCE, assert_clean, assert_owns, can, errors, facts, fails, guard, is_root,
    own_pid, reference, sandbox, spawn, start,
};

const PRECIOUS: &str = "precious, and of another user\n";

/// A file outside, and its name.
fn precious(sandbox: &Sandbox) -> std::path::PathBuf {
    let path = sandbox.outdir().join("precious");
    fs::write(&path, PRECIOUS).unwrap();
    path
}

#[rstest]
fn a_planted_symbolic_link_is_never_followed(
    #[values("daemon.pid", ".daemon.pid.lock", ".daemon.pid.new")] name: &str,
) {
    let sandbox = sandbox();
    let target = precious(&sandbox);
    let before = facts(&target);
    symlink(&target, sandbox.rundir().join(name)).unwrap();
    if name == ".daemon.pid.new" {
        let running = start(&sandbox, &reference(BOTH));
        assert_owns(&sandbox.pidfile(), running.pid);
        running.stop(&sandbox);
    } else {
        fails(&sandbox, &reference(BOTH));
    }
    assert_eq!(facts(&target), before);
}

#[test]
fn a_planted_dangling_link_makes_no_file() {
    for name in ["daemon.pid", ".daemon.pid.lock", ".daemon.pid.new"] {
        let sandbox = sandbox();
        let target = sandbox.outdir().join("made");
        symlink(&target, sandbox.rundir().join(name)).unwrap();
        let subject = spawn(&sandbox, &reference(DETACHED));
        let status = subject.wait_exit(sandbox.deadline()).unwrap();
        assert_eq!(status.success(), name == ".daemon.pid.new", "{name}");
        assert!(!target.exists(), "{name} was followed");
    }
}

#[test]
fn a_planted_hard_link_as_pidfile_is_replaced_not_written() {
    let sandbox = sandbox();
    let target = precious(&sandbox);
    fs::hard_link(&target, sandbox.pidfile()).unwrap();
    let running = start(&sandbox, &reference(BOTH));
    assert_owns(&sandbox.pidfile(), running.pid);
    assert_eq!(fs::read_to_string(&target).unwrap(), PRECIOUS);
    running.stop(&sandbox);
    assert_eq!(fs::read_to_string(&target).unwrap(), PRECIOUS);
}

#[test]
fn a_planted_hard_link_as_guard_is_refused_not_written() {
    let sandbox = sandbox();
    let target = precious(&sandbox);
    let before = facts(&target);
    fs::hard_link(&target, guard(&sandbox)).unwrap();
    for mode in MODES {
        let said = fails(&sandbox, &reference(mode));
        let text = format!("{}: is a hard link, not a regular file", guard(&sandbox).display());
        assert!(said.contains(&text), "{said}");
        assert_eq!(facts(&target), before);
    }
    assert_clean(&sandbox);
}

/// A start without /proc, where a file cannot be linked by its descriptor and has to be renamed.
fn without_proc(mode: &[&str]) -> CommandLine {
    let script = "umount -l /proc && exec \"$@\"";
    let command = CommandLine::new("unshare").args(["-m", "sh", "-c", script, "sh", REFERENCE]);
    command.arg("--pidfile={pidfile}").args(mode)
}

fn proc_can_be_hidden() -> bool {
    is_root() && can("unshare", &["-m", "sh", "-c", "umount -l /proc"])
}

#[rstest]
fn without_proc_the_pidfile_is_renamed_into_place(#[values(&[], DETACHED, BOTH)] mode: &[&str]) {
    if !proc_can_be_hidden() {
        return;
    }
    let sandbox = sandbox();
    let running = start(&sandbox, &without_proc(mode));
    assert_owns(&sandbox.pidfile(), running.pid);
    assert_eq!(facts(&sandbox.pidfile()).unwrap().1, 0o100_644);
    assert_eq!(sandbox.litter().unwrap(), [".daemon.pid.lock", "daemon.pid"]);
    running.stop(&sandbox);
    assert_clean(&sandbox);
}

#[rstest]
#[case("symbolic link", |path: &Path, target: &Path| symlink(target, path).unwrap(), true)]
#[case("hard link", |path: &Path, target: &Path| fs::hard_link(target, path).unwrap(), true)]
#[case("fifo", |path: &Path, _: &Path| mkfifo(path, Mode::S_IRWXU).unwrap(), true)]
#[case("leftover", |path: &Path, _: &Path| fs::write(path, "1").unwrap(), true)]
#[case("directory", |path: &Path, _: &Path| fs::create_dir(path).unwrap(), false)]
fn a_planted_temporary_file_is_replaced_or_refused(
    #[case] kind: &str,
    #[case] make: fn(&Path, &Path),
    #[case] replaced: bool,
) {
    if !proc_can_be_hidden() {
        return;
    }
    let sandbox = sandbox();
    let target = precious(&sandbox);
    let planted = sandbox.rundir().join(".daemon.pid.new");
    make(&planted, &target);
    let subject = spawn(&sandbox, &without_proc(DETACHED));
    let status = subject.wait_exit(sandbox.deadline()).unwrap();
    assert_eq!(status.success(), replaced, "{kind}: {}", errors(&subject));
    assert_eq!(fs::read_to_string(&target).unwrap(), PRECIOUS);
    if replaced {
        assert_owns(&sandbox.pidfile(), own_pid(&sandbox, &subject));
        assert!(fs::symlink_metadata(&planted).is_err(), "{kind} is left");
    } else {
        assert!(
            errors(&subject).contains(&format!("{}: Is a directory", planted.display())),
            "{}",
            errors(&subject)
        );
    }
}
