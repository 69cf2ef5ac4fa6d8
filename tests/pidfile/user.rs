//! Running as another user: who the processes are then, and what is refused.

use daemonproof::fixture::{CommandLine, Sandbox};
use daemonproof::observe::Process;
use nix::sys::signal::Signal;
use nix::unistd::{Group, Uid, User};
use rstest::rstest;

use crate::support::{
    BOTH, DETACHED, FOREGROUND, MODES, MONITORED, REFERENCE, Running, as_ordinary_user, assert_clean,
    assert_owns, facts, fails, guard, is_refused, is_root, own_pid, reference, sandbox, spawn, start,
};

fn open_sandbox() -> Sandbox {
    sandbox().world_writable().unwrap()
}

fn as_user(user: &str, mode: &[&str]) -> CommandLine {
    reference(mode).arg(format!("--user={user}"))
}

/// Every process is the user, in every way, and has nothing left to become another one with.
#[track_caller]
fn assert_all_are(running: &Running, uid: u32, gid: u32) {
    let pids = running.subject.live_pids().unwrap();
    assert!(pids.contains(&running.pid));
    for pid in pids {
        let process = Process::of(pid).unwrap().present().unwrap();
        let (uids, gids) = (process.uids, process.gids);
        for id in [uids.real, uids.effective, uids.saved, uids.filesystem] {
            assert_eq!(id.as_raw(), uid, "{process}");
        }
        for id in [gids.real, gids.effective, gids.saved, gids.filesystem] {
            assert_eq!(id.as_raw(), gid, "{process}");
        }
        let groups: Vec<u32> = process.groups.iter().map(|group| group.as_raw()).collect();
        assert_eq!(groups, [gid], "{process}");
        if uid != 0 {
            assert_eq!((process.capabilities.effective, process.capabilities.permitted), (0, 0), "{process}");
        }
    }
}

#[rstest]
#[case("nobody")]
#[case("nobody:")]
#[case("nobody:GROUP")]
fn all_processes_are_the_user_and_so_are_the_files(
    #[case] spec: &str,
    #[values(FOREGROUND, DETACHED, MONITORED, BOTH)] mode: &[&str],
) {
    if !is_root() {
        return;
    }
    let nobody = User::from_name("nobody").unwrap().expect("there is a user nobody");
    let group = Group::from_gid(nobody.gid).unwrap().expect("the group of nobody has a name");
    let sandbox = open_sandbox();
    let running = start(&sandbox, &as_user(&spec.replace("GROUP", &group.name), mode));
    assert_all_are(&running, nobody.uid.as_raw(), nobody.gid.as_raw());
    assert_owns(&sandbox.pidfile(), running.pid);
    for path in [sandbox.pidfile().into(), guard(&sandbox)] {
        assert_eq!(facts(&path).unwrap().2, nobody.uid.as_raw());
    }
    is_refused(&sandbox, &as_user("nobody", mode), running.pid);
    running.stop(&sandbox);
    assert_clean(&sandbox);
}

#[test]
fn a_restarted_daemon_is_still_the_user() {
    if !is_root() {
        return;
    }
    let sandbox = open_sandbox();
    let running = start(&sandbox, &as_user("nobody", BOTH));
    running.signal(Signal::SIGSEGV);
    running.subject.wait_gone(running.pid, sandbox.deadline()).unwrap();
    let again = Running { pid: own_pid(&sandbox, &running.subject), subject: running.subject };
    let nobody = User::from_name("nobody").unwrap().unwrap();
    assert_all_are(&again, nobody.uid.as_raw(), nobody.gid.as_raw());
}

#[test]
fn a_group_alone_leaves_the_user() {
    if !is_root() {
        return;
    }
    let root = Group::from_gid(0.into()).unwrap().unwrap();
    let sandbox = sandbox();
    let running = start(&sandbox, &as_user(&format!(":{}", root.name), BOTH));
    let process = Process::of(running.pid).unwrap().present().unwrap();
    assert_eq!((process.uids.real, process.gids.real.as_raw()), (Uid::from_raw(0), 0));
    assert!(process.groups.iter().any(|group| group.as_raw() == 0));
}

/// Refused in every mode with this text, and with nothing written.
#[track_caller]
fn assert_refused(sandbox: &Sandbox, flag: &str, text: &str, command: impl Fn(CommandLine) -> CommandLine) {
    for mode in MODES {
        let said = fails(sandbox, &command(reference(mode).arg(format!("--user={flag}"))));
        assert!(said.contains(text), "{said:?} does not say {text:?}");
        assert!(!said.contains("fork child"), "it had forked: {said}");
        assert_eq!(sandbox.litter().unwrap().len(), 0);
    }
}

#[rstest]
#[case("a:b:c")]
#[case("a::b")]
#[case("a:b:")]
#[case(":")]
#[case("::")]
#[case(" ")]
#[case(" : ")]
#[case("")]
fn what_is_no_user_is_refused_for_everybody(#[case] text: &str) {
    let expected = format!("invalid user {text:?}: expected USER, USER:GROUP or :GROUP");
    assert_refused(&sandbox(), text, &expected, |command| command);
}

#[rstest]
#[case("nobody")]
#[case(":nogroup")]
#[case("no-such-user-here")]
fn an_ordinary_user_cannot_switch(#[case] text: &str) {
    let expected = "only root can switch to another user or group (effective uid ";
    assert_refused(&open_sandbox(), text, expected, as_ordinary_user);
}

#[rstest]
#[case("no-such-user-here", "user no-such-user-here not found")]
#[case("no-such-user-here:root", "user no-such-user-here not found")]
#[case("nobody:no-such-group-here", "group no-such-group-here not found")]
#[case(":no-such-group-here", "group no-such-group-here not found")]
#[case("nobody:root", "user nobody is not in group root")]
#[case("-1", "user -1 not found")]
#[case("4294967295", "user 4294967295 not found")]
fn unknown_and_foreign_names_are_refused(#[case] text: &str, #[case] expected: &str) {
    if is_root() {
        assert_refused(&open_sandbox(), text, expected, |command| command);
    }
}

#[test]
fn a_directory_that_the_user_may_not_write_to_is_refused_before_the_fork() {
    if !is_root() {
        return;
    }
    let sandbox = sandbox();
    let text = format!("write to the pidfile's directory {}: Permission denied", sandbox.rundir().display());
    assert_refused(&sandbox, "nobody", &text, |command| command);
}

#[test]
fn without_a_pidfile_the_user_is_switched_all_the_same() {
    if !is_root() {
        return;
    }
    let sandbox = sandbox();
    let command = CommandLine::new(REFERENCE).args(["--detach", "--user=nobody"]);
    let subject = spawn(&sandbox, &command);
    assert!(subject.wait_exit(sandbox.deadline()).unwrap().success());
    let pid = subject.live_pids().unwrap()[0];
    let nobody = User::from_name("nobody").unwrap().unwrap();
    assert_all_are(&Running { subject, pid }, nobody.uid.as_raw(), nobody.gid.as_raw());
}
