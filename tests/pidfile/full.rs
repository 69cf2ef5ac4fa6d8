//! When the machine is short of something: a clear error, nothing left, and the next start works.

use std::path::{Path, PathBuf};

use daemonproof::daemon::read_pidfile;
use daemonproof::fixture::{CommandLine, FixtureError, Sandbox, StartOptions};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use rstest::rstest;

use crate::support::{
    BOTH, DETACHED, FOREGROUND, MONITORED, REFERENCE, assert_clean, assert_owns, can, errors, fails, is_root,
    owner, reference, sandbox, start,
};

fn mounts_work() -> bool {
    is_root() && can("unshare", &["-m", "sh", "-c", "mount -t tmpfs -o size=8k none /mnt"])
}

/// A shell script with the rundir on a file system of its own, seen by nobody else.
fn mounted(options: &str, script: &str, mode: &[&str]) -> CommandLine {
    let script = format!("mount -t tmpfs -o {options} none {{rundir}} || exit 99\n{script}");
    let command = CommandLine::new("unshare").args(["-m", "sh", "-c"]).arg(script);
    command.args(["sh", REFERENCE, "--pidfile={pidfile}"]).args(mode)
}

/// Where a process that sees other mounts has the sandbox's pidfile.
fn seen_by(pid: Pid, sandbox: &Sandbox) -> PathBuf {
    let path = sandbox.pidfile();
    Path::new(&format!("/proc/{pid}/root")).join(path.strip_prefix("/").unwrap())
}

/// Fills the disk, starts, says how that ended and what is left; makes room and starts again.
const FILL: &str = r#"
    FILLING
    "$@"; echo "status $?"; ls -A {rundir}; echo end
    rm {rundir}/fill*
    exec "$@"
"#;

#[rstest]
#[case(
    "size=64k",
    "cat /dev/zero >{rundir}/fill 2>&-",
    "failed to write",
    "daemon.pid: No space left on device"
)]
#[case(
    "nr_inodes=3",
    ": >{rundir}/fill; : >{rundir}/fill2",
    "failed to open the pidfile's guard",
    ": No space left on device"
)]
fn a_full_disk_is_named_and_once_there_is_room_the_next_start_works(
    #[case] options: &str,
    #[case] filling: &str,
    #[case] what: &str,
    #[case] why: &str,
    #[values(FOREGROUND, DETACHED, MONITORED, BOTH)] mode: &[&str],
) {
    if !mounts_work() {
        return;
    }
    let sandbox = sandbox();
    let command = mounted(options, &FILL.replace("FILLING", filling), mode);
    let subject = sandbox.start(&command, StartOptions::new()).unwrap();
    let daemon = || {
        let pids = subject.live_pids()?;
        let failed = subject.exit_of(subject.pid()).is_some_and(|status| !status.success());
        assert!(!failed, "the second start failed: {}", errors(&subject));
        let owns = |pid: &Pid| read_pidfile(seen_by(*pid, &sandbox)).is_ok_and(|owner| owner == pid.as_raw());
        Ok::<_, FixtureError>(pids.into_iter().find(owns))
    };
    let pid = subject.wait_until("the second start to own the pidfile", sandbox.deadline(), daemon).unwrap();
    let (said, out) = (errors(&subject), String::from_utf8(subject.stdout().unwrap()).unwrap());
    assert!(said.contains(what) && said.contains(why), "{said:?}");
    let expected = |line: &&str| *line == ".daemon.pid.lock" || line.starts_with("fill");
    let left: Vec<&str> = out.lines().filter(|line| !expected(line)).collect();
    assert_eq!(left, ["status 1", "end"]);
    let path = seen_by(pid, &sandbox);
    assert_owns(&path, pid);
    subject.signal(pid, Signal::SIGTERM).unwrap();
    subject.wait_empty(sandbox.deadline()).unwrap();
}

#[rstest]
fn a_read_only_directory_is_named(#[values(FOREGROUND, BOTH)] mode: &[&str]) {
    if !mounts_work() {
        return;
    }
    let sandbox = sandbox();
    let command = mounted("ro", "exec \"$@\"", mode);
    let said = fails(&sandbox, &command);
    let text =
        format!("write to the pidfile's directory {}: Read-only file system", sandbox.rundir().display());
    assert!(said.contains(&text), "{said}");
}

fn limited(limit: &str, mode: &[&str]) -> CommandLine {
    CommandLine::new("prlimit").args([limit, "--", REFERENCE, "--pidfile={pidfile}"]).args(mode)
}

/// The limit counts for the captured output as well, so what is said goes through a pipe.
const THROUGH_PIPE: &str = r#"(prlimit --fsize=0 -- "$@"; echo "status $?") 2>&1 | cat"#;

#[rstest]
fn a_file_size_limit_of_nothing_fails_the_start_and_leaves_nothing(
    #[values(FOREGROUND, DETACHED, MONITORED, BOTH)] mode: &[&str],
) {
    if !can("prlimit", &["--fsize=0", "--", "true"]) {
        return;
    }
    let sandbox = sandbox();
    let command = CommandLine::new("sh").args(["-c", THROUGH_PIPE, "sh", REFERENCE, "--pidfile={pidfile}"]);
    let subject = sandbox.start(&command.args(mode), StartOptions::new()).unwrap();
    subject.wait_empty(sandbox.deadline()).unwrap();
    let said = String::from_utf8(subject.stdout().unwrap()).unwrap() + &errors(&subject);
    assert!(said.contains("ile size limit exceeded") && !said.contains("status 0"), "{said}");
    assert_clean(&sandbox);
    start(&sandbox, &reference(mode)).stop(&sandbox);
}

#[rstest]
fn too_few_descriptors_are_named_or_enough(#[values(DETACHED, BOTH)] mode: &[&str]) {
    if !can("prlimit", &["--nofile=64", "--", "true"]) {
        return;
    }
    let sandbox = sandbox();
    let mut failed = 0;
    for limit in 4..20 {
        let subject =
            sandbox.start(&limited(&format!("--nofile={limit}"), mode), StartOptions::new()).unwrap();
        let status = subject.wait_exit(sandbox.deadline()).unwrap();
        if status.success() {
            let pid = owner(&sandbox.pidfile()).unwrap();
            assert_owns(&sandbox.pidfile(), pid);
            subject.signal(pid, Signal::SIGTERM).unwrap();
            subject.wait_empty(sandbox.deadline()).unwrap();
        } else {
            let said = errors(&subject);
            assert!(
                status.code() == Some(1) && said.contains("Too many open files"),
                "{limit}: {status} {said}"
            );
            failed += 1;
            subject.wait_empty(sandbox.deadline()).unwrap();
        }
        assert_clean(&sandbox);
    }
    assert!((1..16).contains(&failed), "{failed} of 16 limits were too low");
}
