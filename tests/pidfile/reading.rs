//! What `read_pidfile` says of every sort of file, and that it never waits and never deletes.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use daemonproof::daemon::{PidfileProblem, read_pidfile};
use daemonproof::fixture::{CommandLine, StartOptions};
use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::{Pid, Uid, mkfifo, setfsuid};
use rstest::rstest;

use crate::support::{
    BOTH, DETACHED, MODES, REFERENCE, SLOW_START, assert_clean, assert_owns, can, command, facts, fails,
    is_refused, is_root, own_pid, owner, reference, sandbox, set_mode, spawn, start,
};

/// What it says, within a time in which nothing but waiting for ever does not fit.
#[track_caller]
fn read(path: &Path) -> Result<i32, PidfileProblem> {
    let before = facts(path);
    let (sender, receiver) = mpsc::channel();
    let name = path.to_owned();
    thread::spawn(move || sender.send(read_pidfile(&name).map_err(|error| error.problem)));
    let answer = receiver.recv_timeout(Duration::from_secs(30)).expect("it answers");
    assert_eq!(facts(path), before, "reading changed the file");
    answer
}

#[track_caller]
fn read_content(content: &[u8]) -> Result<i32, PidfileProblem> {
    let sandbox = sandbox();
    fs::write(sandbox.pidfile(), content).unwrap();
    read(&sandbox.pidfile())
}

#[test]
fn a_missing_file_is_missing() {
    let sandbox = sandbox();
    assert_eq!(read(&sandbox.pidfile()), Err(PidfileProblem::Missing));
    assert_eq!(read(&sandbox.rundir().join("none/daemon.pid")), Err(PidfileProblem::Missing));
    symlink("nowhere", sandbox.pidfile()).unwrap();
    assert_eq!(read(&sandbox.pidfile()), Err(PidfileProblem::Missing));
    assert!(fs::symlink_metadata(sandbox.pidfile()).is_ok());
}

#[test]
fn a_pid_without_the_lock_is_stale_whoever_has_the_number() {
    let mut child = Command::new("true").spawn().unwrap();
    let dead = child.id() as i32;
    child.wait().unwrap();
    for pid in [dead, 1, Pid::this().as_raw(), Pid::parent().as_raw().max(1), i32::MAX] {
        assert_eq!(read_content(format!("{pid}\n").as_bytes()), Err(PidfileProblem::Stale(pid)));
    }
}

#[test]
fn a_recycled_pid_does_not_make_a_pidfile_live() {
    let sandbox = sandbox();
    start(&sandbox, &reference(DETACHED)).end_by(&sandbox, Signal::SIGKILL);
    // As if its number had gone to another daemon of the same program.
    let other = spawn(&sandbox, &CommandLine::new(REFERENCE));
    fs::write(sandbox.pidfile(), format!("{}\n", other.pid())).unwrap();
    assert_eq!(read(&sandbox.pidfile()), Err(PidfileProblem::Stale(other.pid().as_raw())));
    assert_owns(&sandbox.pidfile(), start(&sandbox, &reference(DETACHED)).pid);
}

const MALFORMED: [&[u8]; 60] = [
    b"",
    b"\n",
    b"\n\n",
    b" ",
    b"\t",
    b"\r\n",
    b"0",
    b"0\n",
    b"00\n",
    b"-1\n",
    b"-0\n",
    b"+1\n",
    b" 1\n",
    b"1 \n",
    b"1\t\n",
    b"1\r\n",
    b"\t1\n",
    b"1 2\n",
    b"1,2\n",
    b"1.0\n",
    b"1e3\n",
    b"0x1f\n",
    b"1_000\n",
    b"1'000\n",
    b"'1'\n",
    b"\"1\"\n",
    b"pid\n",
    b"pid 1\n",
    b"pid=1\n",
    b"1;\n",
    b"1\0\n",
    b"\x001\n",
    b"\0",
    b"\0\0\0\0",
    b"1\0",
    b"2147483648\n",
    b"4294967296\n",
    b"4294967297\n",
    b"9223372036854775807\n",
    b"18446744073709551617\n",
    b"-2147483648\n",
    b"99999999999999999999999999999999999999999\n",
    b"\xff\n",
    b"\xff\xfe1\0\n\0",
    b"\xef\xbb\xbf1\n",
    "\u{661}\n".as_bytes(),
    "\u{ff11}\n".as_bytes(),
    b"1a\n",
    b"a1\n",
    b"NaN\n",
    b"inf\n",
    b"null\n",
    b"{\"pid\":1}\n",
    b"/run/d.pid\n",
    b"$$\n",
    b"#1\n",
    b"!1\n",
    b"1!\n",
    b"\n1\n",
    b"\x1b[31m1\n",
];

#[test]
fn what_is_no_pid_is_malformed() {
    let sandbox = sandbox();
    for content in MALFORMED {
        fs::write(sandbox.pidfile(), content).unwrap();
        let problem = read(&sandbox.pidfile()).unwrap_err();
        assert_eq!(problem, PidfileProblem::Malformed(content.to_vec()));
        let text = read_pidfile(sandbox.pidfile()).unwrap_err().to_string();
        assert!(text.starts_with(&format!("{}: malformed", sandbox.pidfile().display())), "{text}");
        assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "control characters in {text:?}");
    }
}

#[test]
fn malformed_pidfiles_do_not_stop_a_start() {
    let sandbox = sandbox();
    for (n, content) in MALFORMED.iter().enumerate().step_by(5) {
        fs::write(sandbox.pidfile(), content).unwrap();
        let running = start(&sandbox, &reference(MODES[n % MODES.len()]));
        assert_owns(&sandbox.pidfile(), running.pid);
        running.stop(&sandbox);
    }
}

#[test]
fn a_huge_file_is_read_in_part() {
    let sandbox = sandbox();
    let file = File::create(sandbox.pidfile()).unwrap();
    file.set_len(1 << 40).unwrap();
    let problem = read_pidfile(sandbox.pidfile()).unwrap_err().problem;
    assert!(matches!(&problem, PidfileProblem::Malformed(bytes) if bytes.len() <= 4096));
    fs::write(sandbox.pidfile(), [b'1'; 100_000]).unwrap();
    assert!(matches!(read(&sandbox.pidfile()), Err(PidfileProblem::Malformed(_))));
}

#[test]
fn no_content_panics_it_or_names_an_owner() {
    let sandbox = sandbox();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    const LIKELY: &[u8] = b"0123456789\n\0 -+\r";
    for round in 0..3000 {
        let length = random(24);
        let bytes = (0..length).map(|_| match random(3) {
            0 => random(256) as u8,
            _ => LIKELY[random(LIKELY.len() as u64) as usize],
        });
        let content: Vec<u8> = bytes.collect();
        fs::write(sandbox.pidfile(), &content).unwrap();
        let problem = read_pidfile(sandbox.pidfile()).unwrap_err().problem;
        let number = content.split(|byte| *byte == b'\n').next().and_then(|line| {
            let digits = line.iter().all(u8::is_ascii_digit);
            std::str::from_utf8(line).ok().filter(|_| digits)?.parse().ok().filter(|pid: &i32| *pid > 0)
        });
        let expected = number.map_or(PidfileProblem::Malformed(content.clone()), PidfileProblem::Stale);
        assert_eq!(problem, expected, "round {round}: {content:?}");
        assert_eq!(fs::read(sandbox.pidfile()).unwrap(), content);
    }
}

#[rstest]
#[case("fifo", |path: &Path| mkfifo(path, Mode::S_IRWXU).unwrap())]
#[case("directory", |path: &Path| fs::create_dir(path).unwrap())]
#[case("socket", |path: &Path| drop(UnixListener::bind(path).unwrap()))]
#[case("device", |path: &Path| symlink("/dev/zero", path).unwrap())]
fn what_is_no_regular_file_is_malformed_and_never_waited_for(#[case] kind: &str, #[case] make: fn(&Path)) {
    let sandbox = sandbox();
    make(&sandbox.pidfile());
    assert_eq!(read(&sandbox.pidfile()), Err(PidfileProblem::Malformed(kind.as_bytes().to_vec())));
}

#[test]
fn a_path_that_cannot_be_followed_is_unreadable() {
    let sandbox = sandbox();
    fs::write(sandbox.pidfile(), "1\n").unwrap();
    symlink("loop", sandbox.rundir().join("loop")).unwrap();
    let cases: [(PathBuf, Errno); 4] = [
        (sandbox.pidfile().join("below"), Errno::ENOTDIR),
        (sandbox.rundir().join("loop"), Errno::ELOOP),
        (sandbox.rundir().join("n".repeat(300)), Errno::ENAMETOOLONG),
        (sandbox.rundir().join("zero\0byte"), Errno::EINVAL),
    ];
    for (path, errno) in cases {
        assert_eq!(read(&path), Err(PidfileProblem::Unreadable(errno)), "{}", path.display());
    }
}

#[test]
fn what_may_not_be_read_is_unreadable() {
    let sandbox = sandbox().world_writable().unwrap();
    fs::write(sandbox.pidfile(), "1\n").unwrap();
    set_mode(&sandbox.pidfile(), 0o000);
    let path = sandbox.pidfile();
    let look = thread::spawn(move || {
        // Of this thread alone; with the user go the capabilities that override permissions.
        if Uid::effective().is_root() {
            setfsuid(Uid::from_raw(65534));
        }
        read_pidfile(path).unwrap_err().problem
    });
    assert_eq!(look.join().unwrap(), PidfileProblem::Unreadable(Errno::EACCES));
}

#[test]
fn a_locked_file_without_a_pid_is_being_created() {
    let sandbox = sandbox();
    let running = start(&sandbox, &reference(DETACHED));
    File::create(sandbox.pidfile()).unwrap();
    assert_eq!(read(&sandbox.pidfile()), Err(PidfileProblem::BeingCreated));
    fs::write(sandbox.pidfile(), "x\n").unwrap();
    assert_eq!(read(&sandbox.pidfile()), Err(PidfileProblem::Malformed(b"x\n".to_vec())));
    assert!(running.is_alive());
}

#[test]
fn a_number_that_is_not_the_lockers_is_not_believed() {
    let sandbox = sandbox();
    let running = start(&sandbox, &reference(DETACHED));
    fs::write(sandbox.pidfile(), "1\n").unwrap();
    assert_eq!(read(&sandbox.pidfile()), Err(PidfileProblem::Stale(1)));
    let more = format!("{}\nmore lines, as some daemons write\n", running.pid);
    File::options().write(true).open(sandbox.pidfile()).unwrap().write_all(more.as_bytes()).unwrap();
    assert_eq!(read(&sandbox.pidfile()), Ok(running.pid.as_raw()));
}

#[test]
fn an_owner_is_named_from_its_start_on_and_through_a_symbolic_link() {
    let sandbox = sandbox();
    let slow = spawn(&sandbox, &command(SLOW_START, &["--delay=1h"]));
    let pid = own_pid(&sandbox, &slow);
    let link = sandbox.rundir().join("link");
    symlink("daemon.pid", &link).unwrap();
    assert_eq!(read(&link), Ok(pid.as_raw()));
}

/// Where the pidfile is that this program, run again in another pid namespace, is to look at.
const OTHER_NAMESPACE: &str = "PIDFILE_TEST_READ_FROM_OTHER_NAMESPACE";

fn pid_namespaces_work() -> bool {
    is_root() && can("unshare", &["--pid", "--fork", "true"])
}

#[test]
fn a_lock_held_in_a_pid_namespace_above_is_seen() {
    if let Some(path) = std::env::var_os(OTHER_NAMESPACE) {
        println!("read {:?}", read_pidfile(path).unwrap());
        return;
    }
    if !pid_namespaces_work() {
        return;
    }
    let sandbox = sandbox();
    let running = start(&sandbox, &reference(DETACHED));
    let name = "reading::a_lock_held_in_a_pid_namespace_above_is_seen";
    let this = CommandLine::new("unshare").args(["--pid", "--fork"]).arg(std::env::current_exe().unwrap());
    let this = this.args(["--exact", name, "--test-threads=1", "--nocapture"]);
    let options = StartOptions::new().env(OTHER_NAMESPACE, sandbox.pidfile());
    let subject = sandbox.start(&this, options).unwrap();
    assert!(subject.wait_exit(sandbox.deadline()).unwrap().success());
    let said = String::from_utf8(subject.stdout().unwrap()).unwrap();
    assert!(said.contains(&format!("read {}", running.pid)), "{said}");
    // A start from there is refused, and does not name a number that means another process there.
    let inside = reference(BOTH);
    let inside = CommandLine::new("unshare").args(["--pid", "--fork"]).arg(inside.program).args(inside.args);
    let said = fails(&sandbox, &inside);
    assert!(said.contains("already running, aborting") && said.contains("another pid namespace"), "{said}");
    assert_owns(&sandbox.pidfile(), running.pid);
}

#[test]
fn a_lock_held_in_a_pid_namespace_below_is_seen_with_the_number_it_has_here() {
    if !pid_namespaces_work() {
        return;
    }
    let sandbox = sandbox();
    let inside = reference(&[]);
    let inside = CommandLine::new("unshare").args(["--pid", "--fork"]).arg(inside.program).args(inside.args);
    let running = start(&sandbox, &inside);
    assert_eq!(fs::read_to_string(sandbox.pidfile()).unwrap(), "1\n");
    assert_eq!(owner(&sandbox.pidfile()), Some(running.pid));
    is_refused(&sandbox, &reference(BOTH), running.pid);
    running.stop(&sandbox);
    assert_clean(&sandbox);
}
