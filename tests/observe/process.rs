use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::process::Command;

use daemonproof::observe::{Fact, Limit, Process, State};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::Signal;
use nix::unistd::{Pid, Uid, getgid, getpgid, getsid, getuid};
use tempfile::TempDir;

use crate::support::{IDLE, Idle, sandbox};

/// An idle shell whose program and arguments have this name.
fn named(name: &OsStr, dir: &TempDir) -> Command {
    let program = dir.path().join(name);
    symlink("/bin/sh", &program).unwrap();
    let mut command = Command::new(&program);
    command.arg0(name).args(["-c", IDLE]).arg(name);
    command
}

fn process(pid: Pid) -> Process {
    Process::of(pid)
        .unwrap()
        .present()
        .expect("the process is there")
}

#[test]
fn a_child_is_described_as_it_is() {
    let dir = sandbox();
    let dir = dir.path().canonicalize().unwrap();
    let child = Idle::spawn(Idle::shell(IDLE).current_dir(&dir));
    let seen = process(child.pid());
    let this = Some(Pid::this());
    assert_eq!((seen.pid, seen.ppid), (child.pid(), Pid::this()));
    assert_eq!(
        (seen.pgid, seen.sid),
        (getpgid(this).unwrap(), getsid(this).unwrap())
    );
    assert_eq!((seen.comm.to_str(), seen.threads), (Some("sh"), 1));
    assert_eq!(seen.cmdline, ["sh", "-c", IDLE]);
    assert_eq!(seen.title(), OsString::from(format!("sh -c {IDLE}")));
    assert_eq!(
        (seen.cwd, seen.root),
        (Fact::Known(dir), Fact::Known("/".into()))
    );
    assert!(seen.exe.known().is_some_and(|exe| exe.is_absolute()));
    assert_eq!((seen.uids.real, seen.gids.filesystem), (getuid(), getgid()));
    assert!(seen.vm_rss_kib.is_some_and(|kib| kib > 0));
    assert!(seen.umask.is_some_and(|umask| umask <= 0o777));
}

#[test]
fn limits_are_those_of_getrlimit() {
    let child = Idle::start();
    let seen = process(child.pid());
    for (resource, limit) in [
        (Resource::RLIMIT_NOFILE, seen.open_files_limit),
        (Resource::RLIMIT_CORE, seen.core_limit),
    ] {
        let finite = |limit| (limit != nix::libc::RLIM_INFINITY).then_some(limit);
        let (soft, hard) = getrlimit(resource).unwrap();
        assert_eq!(
            limit,
            Limit {
                soft: finite(soft),
                hard: finite(hard)
            }
        );
    }
}

#[test]
fn a_session_leader_is_told() {
    let leader = Idle::spawn(Command::new("setsid").args(["sh", "-c", IDLE]));
    let seen = process(leader.pid());
    assert_eq!((seen.sid, seen.pgid), (leader.pid(), leader.pid()));
    assert!(seen.is_session_leader() && !seen.has_controlling_terminal());
    assert_eq!(seen.tpgid, None);

    let other = Idle::spawn(Idle::shell(IDLE).process_group(0));
    let seen = process(other.pid());
    assert_eq!(seen.pgid, other.pid());
    assert!(!seen.is_session_leader());
}

#[test]
fn signals_are_told_apart() {
    let script = "trap '' HUP; trap : TERM; echo ready >&2; read x";
    let child = Idle::spawn(&mut Idle::shell(script));
    let signals = process(child.pid()).signals;
    assert!(signals.ignored.contains(Signal::SIGHUP) && !signals.caught.contains(Signal::SIGHUP));
    assert!(signals.caught.contains(Signal::SIGTERM) && !signals.ignored.contains(Signal::SIGTERM));
    assert!(
        !signals.blocked.contains(Signal::SIGTERM) && !signals.pending.contains(Signal::SIGTERM)
    );
}

#[test]
fn names_may_be_any_bytes() {
    let dir = sandbox();
    for name in [
        &b"\xff\xfe"[..],
        b"a) (b",
        b") R 1 1 (",
        b"\n\t\x1b[31m",
        b"a name of more than fifteen bytes",
    ] {
        let name = OsStr::from_bytes(name);
        let child = Idle::spawn(&mut named(name, &dir));
        let seen = process(child.pid());
        let comm = OsStr::from_bytes(&name.as_bytes()[..name.len().min(15)]);
        assert_eq!((seen.comm.as_os_str(), seen.ppid), (comm, Pid::this()));
        assert_eq!(
            seen.cmdline,
            [name, OsStr::new("-c"), OsStr::new(IDLE), name]
        );
        assert_eq!(
            seen.title(),
            [name, OsStr::new("-c"), OsStr::new(IDLE), name].join(OsStr::new(" "))
        );
        assert_eq!(seen.to_string().lines().count(), 5, "{seen}");
        assert!(!seen.to_string().contains('\x1b'));
    }
}

#[test]
fn a_zombie_is_present_and_a_reaped_child_is_gone() {
    let mut child = Idle::start();
    assert!(!process(child.pid()).is_zombie());
    child.become_zombie();
    let seen = process(child.pid());
    assert_eq!((seen.state, seen.is_zombie()), (State::Zombie, true));
    assert_eq!(
        (seen.cmdline.as_slice(), seen.vm_rss_kib, seen.umask),
        (&[] as &[OsString], None, None)
    );
    assert_eq!(
        (seen.exe, seen.cwd, seen.root),
        (Fact::Absent, Fact::Absent, Fact::Absent)
    );
    assert!(Process::of(child.end()).unwrap().is_gone());
}

#[test]
fn a_process_that_ends_at_any_moment_is_whole_or_gone() {
    for _ in 0..100 {
        let mut child = Idle::start();
        let pid = child.pid();
        let looking = std::thread::spawn(move || {
            let mut seen = 0;
            while let Some(process) = Process::of(pid).unwrap().present() {
                assert_eq!((process.pid, process.ppid), (pid, Pid::this()));
                seen += 1;
            }
            seen
        });
        child.become_zombie();
        child.end();
        looking.join().unwrap();
    }
}

#[test]
fn start_times_do_not_decrease() {
    let [first, second] = [Idle::start(), Idle::start()];
    assert!(process(first.pid()).start_time_ticks <= process(second.pid()).start_time_ticks);
}

#[test]
fn another_users_process_hides_where_it_is() {
    let seen = process(Pid::from_raw(1));
    assert_eq!((seen.pid, seen.ppid), (Pid::from_raw(1), Pid::from_raw(0)));
    let hidden = fs::read_link("/proc/1/exe").is_err();
    for fact in [&seen.exe, &seen.cwd, &seen.root] {
        assert_eq!(*fact == Fact::Denied, hidden, "{seen}");
    }
    assert_eq!(
        seen.to_string()
            .contains("exe (permission denied), cwd (permission denied)"),
        hidden
    );
    let same_user = seen.uids.real == Uid::effective();
    assert!(hidden || same_user || Uid::effective().is_root(), "{seen}");
}

#[test]
fn a_process_is_told_in_a_few_lines() {
    let child = Idle::start();
    let seen = process(child.pid()).to_string();
    let lines: Vec<&str> = seen.lines().collect();
    assert!(
        lines[0].starts_with(&format!(
            "{} sh: sh -c (echo ready >&2); read x (",
            child.pid()
        )),
        "{seen}"
    );
    assert!(
        lines[1].starts_with(&format!("  parent {}, group ", Pid::this())),
        "{seen}"
    );
    assert!(lines[4].starts_with("  signals: blocked "), "{seen}");
}
