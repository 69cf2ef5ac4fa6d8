//! What may not be seen: another user's processes and files, processes that `/proc` hides, and no `/proc` at all.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use daemonproof::observe::{
    Descriptors, Fact, ObserveError, Observed, Pidfile, PidfileContent, Process, Tree, lock_state, locks_on,
    posix_write_locker,
};
use nix::errno::Errno;
use nix::unistd::{Pid, Uid};

use crate::skipped::skipped;
use crate::support::{Idle, alone_by, as_nobody, assert_passed, is_alone, may_mount, mounted, sandbox_file};

/// Another user's processes, as `ALIVE ZOMBIE`, in the environment of a test that runs as nobody.
const OTHERS: &str = "OBSERVE_TEST_OTHERS";

/// Gives up all that is root's, in the eyes of `/proc` as well, and executes the program that is standard input.
const AS_NOBODY: &str = "setpriv --reuid=65534 --regid=65534 --clear-groups /proc/self/fd/0";

/// Another user's processes.
struct Others {
    alive: Pid,
    /// Ordinary users have none to look at.
    zombie: Option<Pid>,
}

/// Runs the body of the test `name` as an ordinary user: as this one, or as nobody if this is root, and then after
/// `mounting` as root. An ordinary user cannot mount.
fn as_other_user(name: &str, mounting: Option<&str>, body: impl FnOnce(Others)) {
    if is_alone(name) {
        let others = std::env::var(OTHERS).unwrap();
        let mut pids = others.split(' ').map(|pid| Pid::from_raw(pid.parse().unwrap()));
        return body(Others { alive: pids.next().unwrap(), zombie: pids.next() });
    }
    if Uid::effective().is_root() {
        if mounting.is_some_and(|script| !may_mount(name, script)) {
            return;
        }
        let command = match mounting {
            Some(script) => mounted(script, AS_NOBODY),
            None => {
                let mut command = Command::new("setpriv");
                command.args(AS_NOBODY.split(' ').skip(1)).stdin(fs::File::open("/proc/self/exe").unwrap());
                command
            }
        };
        let (alive, mut zombie) = (Idle::start(), Idle::start());
        zombie.become_zombie();
        let others = format!("{} {}", alive.pid(), zombie.pid());
        return assert_passed(alone_by(name, command).env(OTHERS, others));
    }
    let first = Path::new("/proc/1").metadata().unwrap().uid();
    if mounting.is_some() {
        skipped(name, "only root can mount");
    } else if first == Uid::effective().as_raw() {
        skipped(name, "in this container the first process is this user's own");
    } else {
        body(Others { alive: Pid::from_raw(1), zombie: None });
    }
}

#[track_caller]
fn assert_denied<T: std::fmt::Debug>(outcome: Result<T, ObserveError>, message: &str) {
    let error = outcome.unwrap_err();
    assert!(error.is_denied(), "{error}");
    assert_eq!(error.to_string(), message);
}

fn denied(path: impl AsRef<Path>) -> String {
    let path = path.as_ref().display();
    format!("failed to read {path}: permission denied; run as the owner of the process or file, or as root")
}

#[test]
fn another_users_process_shows_what_everybody_may_know() {
    as_other_user("denied::another_users_process_shows_what_everybody_may_know", None, |others| {
        let pid = others.alive;
        let seen = Process::of(pid).unwrap().present().unwrap();
        assert_eq!((seen.pid, [&seen.exe, &seen.cwd, &seen.root]), (pid, [&Fact::Denied; 3]));
        assert!(seen.threads > 0 && seen.umask.is_some() && seen.uids.real != Uid::current());
        assert!(
            seen.to_string().contains("\n  exe (permission denied), cwd (permission denied), root (perm")
        );

        let mine = Idle::with_stdout(fs::File::open("/dev/null").unwrap());
        assert_denied(Descriptors::of(pid), &denied(format!("/proc/{pid}/fd")));
        assert_denied(locks_on("/dev/null", &[mine.pid(), pid]), &denied(format!("/proc/{pid}/fd")));
        assert_eq!(locks_on("/dev/null", &[mine.pid()]).unwrap(), []);
        // Who it is and whose child it is, all may know.
        let tree = Tree::below(pid).unwrap().present().unwrap();
        assert_eq!(tree.root().unwrap().comm, seen.comm);
        assert!(Tree::of_session(seen.sid).unwrap().pids().any(|member| member == pid));
    });
}

#[test]
fn another_users_zombie_has_nothing_to_hide() {
    as_other_user("denied::another_users_zombie_has_nothing_to_hide", None, |others| {
        let Some(pid) = others.zombie else {
            return skipped("another_users_zombie_has_nothing_to_hide", "no other user's zombie is at hand");
        };
        let seen = Process::of(pid).unwrap().present().unwrap();
        assert_eq!((seen.is_zombie(), seen.exe, seen.cwd), (true, Fact::Absent, Fact::Absent));
        assert!(Descriptors::of(pid).unwrap().present().unwrap().is_empty());
        assert!(Tree::below(pid).unwrap().present().unwrap().is_empty());
    });
}

#[test]
fn a_hidden_process_is_not_taken_for_a_gone_one() {
    // The two values that hide it differ in what the kernel answers.
    hidden("denied::a_hidden_process_is_not_taken_for_a_gone_one", "mount -t proc -o hidepid=2 proc /proc");
}

#[test]
fn a_process_hidden_because_it_cannot_be_traced_is_not_taken_for_a_gone_one() {
    let name = "denied::a_process_hidden_because_it_cannot_be_traced_is_not_taken_for_a_gone_one";
    hidden(name, "mount -t proc -o hidepid=4 proc /proc");
}

fn hidden(name: &str, mounting: &str) {
    as_other_user(name, Some(mounting), |others| {
        let pid = others.alive;
        let hidden = format!(
            "failed to observe process {pid}: it exists but is hidden in /proc; run as its owner or as root"
        );
        assert_denied(Process::of(pid), &hidden);
        assert_denied(Descriptors::of(pid), &hidden);
        assert_denied(Tree::below(pid), &hidden);
        assert_denied(locks_on("/dev/null", &[pid]), &hidden);
        own_processes_are_seen();
    });
}

#[test]
fn a_process_whose_directory_is_closed_is_denied() {
    let name = "denied::a_process_whose_directory_is_closed_is_denied";
    as_other_user(name, Some("mount -t proc -o hidepid=1 proc /proc"), |others| {
        let pid = others.alive;
        assert_denied(Process::of(pid), &denied(format!("/proc/{pid}/cmdline")));
        assert_denied(Descriptors::of(pid), &denied(format!("/proc/{pid}/stat")));
        assert_denied(Tree::below(pid), &denied(format!("/proc/{pid}/stat")));
        assert_denied(locks_on("/dev/null", &[pid]), &denied(format!("/proc/{pid}/stat")));
        own_processes_are_seen();
    });
}

fn own_processes_are_seen() {
    let child = Idle::start();
    let tree = Tree::below(Pid::this()).unwrap().present().unwrap();
    assert!(tree.pids().any(|pid| pid == child.pid()), "{tree}");
    assert!(Process::of(child.pid()).unwrap().present().is_some());
    assert_eq!(Descriptors::of(child.pid()).unwrap().present().unwrap().pid(), child.pid());
    let ended = child.end();
    assert!(Process::of(ended).unwrap().is_gone() && Descriptors::of(ended).unwrap().is_gone());
    assert_eq!(Tree::below(ended).unwrap(), Observed::Gone);
}

#[test]
fn another_users_files_are_named() {
    let (dir, path, _file) = sandbox_file();
    let set_mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    set_mode(&path, 0o000);
    set_mode(dir.path(), 0o755);
    as_nobody(|| {
        assert_denied(posix_write_locker(&path), &denied(&path));
        assert!(!lock_state(&path).unwrap().is_locked());
        assert_eq!(locks_on(&path, &[Pid::this()]).unwrap(), []);
        let told = format!("{}: unreadable (Permission denied), mode 0000, ", path.display());
        assert!(Pidfile::at(&path).to_string().starts_with(&told));
    });
    set_mode(dir.path(), 0o000);
    as_nobody(|| {
        assert_denied(posix_write_locker(&path), &denied(&path));
        assert_denied(lock_state(&path), &denied(&path));
        assert_denied(locks_on(&path, &[]), &denied(&path));
        let told = format!("{}: unreadable (Permission denied)", path.display());
        assert_eq!(Pidfile::at(&path).to_string(), told);
    });
    set_mode(dir.path(), 0o755);
}

/// Nothing can be known then, and that is not taken for an answer.
#[test]
fn without_proc_nobody_is_gone_and_no_lock_is_free() {
    let name = "denied::without_proc_nobody_is_gone_and_no_lock_is_free";
    let body = || {
        let (_dir, path, _file) = sandbox_file();
        let without = "failed to read /proc/self/stat: No such file or directory (os error 2)";
        let said = |error: ObserveError| assert_eq!(error.to_string(), without);
        said(Process::of(Pid::this()).unwrap_err());
        said(Descriptors::of(Pid::this()).unwrap_err());
        said(Tree::below(Pid::this()).unwrap_err());
        said(Tree::of_session(Pid::this()).unwrap_err());
        said(locks_on(&path, &[Pid::this()]).unwrap_err());
        said(lock_state(&path).unwrap_err());
        said(posix_write_locker(&path).unwrap_err());
        let seen = Pidfile::at(&path);
        assert_eq!(seen.content, PidfileContent::Unreadable(Errno::ENOENT));
        assert_eq!(seen.file.map(|facts| facts.size), Some(0));
        // Of what does not exist the kernel says so without it.
        assert!(Process::of(Pid::from_raw(i32::MAX)).unwrap().is_gone());
        assert!(Pidfile::at(path.with_extension("x")).is_missing());
    };
    let without = "mount -t tmpfs none /proc";
    if is_alone(name) {
        body();
    } else if may_mount(name, without) {
        let this = std::env::current_exe().unwrap();
        let mut command = mounted(without, "");
        command.arg(this);
        assert_passed(&mut alone_by(name, command));
    }
}

#[test]
fn nobody_looks_at_all_processes() {
    as_other_user("denied::nobody_looks_at_all_processes", None, |_| {
        let numbers =
            fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let mut looked = 0;
        for pid in numbers.map(Pid::from_raw) {
            assert!(Process::of(pid).unwrap().present().is_none_or(|seen| seen.pid == pid));
            assert!(Tree::below(pid).unwrap().present().is_none_or(|seen| seen.root().is_some()));
            if let Err(error) = Descriptors::of(pid) {
                assert_eq!(error.to_string(), denied(format!("/proc/{pid}/fd")));
            }
            looked += 1;
        }
        assert!(looked > 1);
    });
}
