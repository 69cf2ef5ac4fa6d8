//! `daemonproof inspect`.

use crate::support::{PATIENCE, PROGRAM, daemonproof, json};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use predicates::prelude::*;
use predicates::str::contains;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;
use wait_timeout::ChildExt;

/// A pidfile, and a process of this test that it may name.
struct Place {
    directory: TempDir,
    pidfile: PathBuf,
}

impl Place {
    fn new(content: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let pidfile = directory.path().join("d.pid");
        fs::write(&pidfile, content).unwrap();
        Self { directory, pidfile }
    }

    fn inspect(&self) -> assert_cmd::assert::Assert {
        daemonproof(&["inspect", self.pidfile.to_str().unwrap()]).assert()
    }
}

/// A process that ends with its standard input.
fn cat() -> Child {
    Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
}

fn end(mut cat: Child) {
    drop(cat.stdin.take());
    cat.wait().unwrap();
}

#[test]
fn a_missing_pidfile_is_missing() {
    daemonproof(&["inspect", "/nonexistent/d.pid"]).assert().code(1).stdout(contains("d.pid: missing\n"));
}

#[test]
fn a_stale_pidfile_names_nobody() {
    let cat = cat();
    let place = Place::new(&format!("{}\n", cat.id()));
    let unlocked = format!("pid {} (cat) exists but does not hold a lock on it", cat.id());
    place.inspect().success().stdout(contains(unlocked).and(contains("process ")));
    let stale = format!("stale: pid {} does not exist", cat.id());
    end(cat);
    place.inspect().code(1).stdout(contains(stale).and(contains("mode       0")));
}

#[test]
fn what_is_no_pidfile_is_malformed() {
    Place::new("daemon\n").inspect().code(1).stdout(contains("malformed \"daemon\\n\""));
    Place::new("").inspect().code(1).stdout(contains("malformed: empty"));
    daemonproof(&["inspect", "/"]).assert().code(1).stdout(contains("no pidfile but a directory"));
}

#[test]
fn digits_are_a_pid_unless_there_is_such_a_file() {
    let cat = cat();
    let pid = cat.id().to_string();
    let facts = format!("process {pid} (cat)");
    daemonproof(&["inspect", &pid]).assert().success().stdout(contains(facts).and(contains("tree\n")));
    let place = Place::new("");
    fs::write(place.directory.path().join(&pid), "x").unwrap();
    let mut command = daemonproof(&["inspect", &pid]);
    command.current_dir(place.directory.path()).assert().code(1).stdout(contains("malformed"));
    end(cat);
    daemonproof(&["inspect", &pid]).assert().code(1).stdout("").stderr(contains("does not exist"));
}

#[test]
fn a_file_that_may_not_be_read_is_no_verdict() {
    if nix::unistd::geteuid().is_root() {
        return; // Root may read everything.
    }
    let place = Place::new("1\n");
    fs::set_permissions(&place.pidfile, Permissions::from_mode(0o000)).unwrap();
    place.inspect().code(3).stdout(contains("not permitted to read it"));
}

/// A reference daemon that ends when it is told, or with the test.
struct Daemon {
    place: Place,
    /// Ends with the last process that has its other end: the daemon, kept as its standard output.
    until_gone: std::io::PipeReader,
}

impl Daemon {
    fn start(more: &[&str]) -> Self {
        let place = Place::new("");
        let (until_gone, output) = std::io::pipe().unwrap();
        let mut command = Command::new(PROGRAM);
        command.args(["helper", "reference", "--detach", "--save-fd=1", "--pidfile=d.pid"]).args(more);
        command.env("RUNDIR", place.directory.path()).stdout(output);
        let mut child = command.spawn().unwrap();
        let status = child.wait_timeout(PATIENCE).unwrap().expect("it detaches");
        assert!(status.success());
        Self { place, until_gone }
    }

    fn pid(&self) -> Option<Pid> {
        fs::read_to_string(&self.place.pidfile).ok()?.trim().parse().ok().map(Pid::from_raw)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(pid) = self.pid() {
            kill(pid, Signal::SIGTERM).ok();
            std::io::copy(&mut self.until_gone, &mut File::create("/dev/null").unwrap()).ok();
        }
    }
}

#[test]
fn the_owner_is_named_with_what_it_holds() {
    let daemon = Daemon::start(&["--monitor"]);
    let pid = daemon.pid().unwrap();
    let owned = format!("owned by pid {pid} (daemonproof)\n");
    let lock = format!("POSIX write lock of pid {pid} (daemonproof)\n");
    let guard = contains(".d.pid.lock\n").and(contains("OFD write lock"));
    let monitor = contains("\nmonitor ").and(contains(format!("monitoring pid {pid} (healthy)")));
    let descriptor = contains(format!("POSIX write lock of pid {pid} (the pidfile)\n"));
    let stdout = contains(owned).and(contains(lock)).and(guard).and(monitor).and(descriptor);
    daemon.place.inspect().success().stdout(stdout);
}

#[test]
fn json_tells_the_same() {
    let daemon = Daemon::start(&[]);
    let path = daemon.place.pidfile.to_str().unwrap();
    let assert = daemonproof(&["inspect", path, "--json=-", "--quiet"]).assert().success();
    let facts = json(&assert.get_output().stdout);
    let pid = daemon.pid().unwrap().as_raw();
    assert_eq!(facts["pidfile"]["state"], "owned");
    assert_eq!(facts["pidfile"]["mode"], "0644");
    assert_eq!(facts["process"]["pid"], pid);
    assert_eq!(facts["process"]["session"], facts["process"]["group"]);
    assert_eq!(facts["process"]["cwd"], "/");
    assert_eq!(facts.get("monitor"), None);
    assert!(facts["tree"][0].as_str().unwrap().starts_with(&format!("{pid} ")));
}
