//! `check` is told to end while a daemon is under test.

use crate::support::{PATIENCE, PROGRAM};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use rstest::rstest;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use tempfile::TempDir;
use wait_timeout::ChildExt;

/// A `check` of a daemon that says its pid through a fifo and ignores SIGTERM, so that it is under test for long.
struct Check {
    directory: TempDir,
    child: Child,
    lines: Receiver<String>,
}

impl Check {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        fs::create_dir(directory.path().join("tmp")).unwrap();
        let script = format!("trap '' TERM; exec 9>{}; echo $$ >&9; exec tail -f /dev/null", fifo.display());
        // Whoever runs the tests in the background may have made them ignore SIGINT (a shell's `&` does).
        let mut command = Command::new("env");
        command.args([
            "--default-signal",
            PROGRAM,
            "check",
            "--only",
            "stop",
            "--timeout=60s",
            "--",
            "sh",
            "-c",
            &script,
        ]);
        command.env("TMPDIR", directory.path().join("tmp")).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        Self { lines: lines_of(&fifo), child, directory }
    }

    /// Waits until a daemon is up.
    fn daemon(&self) -> i32 {
        self.lines.recv_timeout(PATIENCE).unwrap().parse().unwrap()
    }

    /// Waits until nobody has the fifo open: until every daemon is gone.
    fn wait_until_gone(&self) {
        while self.lines.recv_timeout(PATIENCE).is_ok() {}
    }
}

impl Drop for Check {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The lines that come through the fifo; they end when its last writer is gone.
fn lines_of(fifo: &Path) -> Receiver<String> {
    let (sender, receiver) = channel();
    let fifo = fifo.to_owned();
    thread::spawn(move || {
        let lines = BufReader::new(File::open(fifo).unwrap()).lines();
        lines.map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    receiver
}

fn is_alive(pid: i32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[rstest]
fn a_signal_ends_everything(#[values(Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP)] signal: Signal) {
    let mut check = Check::start();
    let daemon = check.daemon();
    kill(Pid::from_raw(check.child.id().cast_signed()), signal).unwrap();
    let status = check.child.wait_timeout(PATIENCE).unwrap().expect("it ends");
    assert_eq!(status.signal(), Some(signal as i32), "who waits for it sees the signal");
    assert!(!is_alive(daemon), "the daemon is gone when the command is");
    check.wait_until_gone();
    let left = fs::read_dir(check.directory.path().join("tmp")).unwrap();
    assert_eq!(left.count(), 0, "and so are its files");
}

#[test]
fn sigkill_ends_the_daemon_too() {
    let mut check = Check::start();
    check.daemon();
    check.child.kill().unwrap();
    check.child.wait().unwrap();
    check.wait_until_gone();
    let tmp = check.directory.path().join("tmp");
    let left = || fs::read_dir(&tmp).unwrap().count();
    assert!(left() > 0, "nobody was there to remove its files");
    let next =
        Command::new(PROGRAM).args(["check", "--only", "detach"]).env("TMPDIR", &tmp).output().unwrap();
    assert!(next.status.success(), "{next:?}");
    assert_eq!(left(), 0, "but the next one is");
}
