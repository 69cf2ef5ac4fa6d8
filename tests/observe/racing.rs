//! Snapshots of processes that start, execute and end all the time: whole, or gone.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use daemonproof::fixture::{CommandLine, Sandbox, StartOptions};
use daemonproof::observe::{
    Descriptors, Locker, ObserveError, Observed, Process, State, Target, Tree, lock_state, locks_on,
};
use nix::libc::F_WRLCK;
use nix::unistd::{Pid, getsid};
use rstest::rstest;

use crate::skipped::skipped;
use crate::support::{Idle, command_alone, is_alone, ofd, sandbox_file};

/// How long each test looks.
const LOOKING: Duration = Duration::from_millis(700);

/// Only a broken promise takes this long.
const DEADLINE: Duration = Duration::from_secs(60);

/// Shells whose children live for some hundred microseconds each, until this is dropped or this process dies.
struct Churn(Vec<Child>);

impl Churn {
    /// `stdout` is shared by all of them.
    fn start(stdout: &fs::File) -> Self {
        let start = |life: &str| {
            // `cat` ends with the standard input, and the loop with that.
            let script = format!("exec 3<&0; cat <&3 >/dev/null & while [ -d /proc/$! ]; do {life}; done");
            let mut shell = Idle::shell(&script);
            shell.stdin(Stdio::piped()).stdout(stdout.try_clone().unwrap()).stderr(Stdio::null());
            shell.spawn().unwrap()
        };
        Self(["(:)", "env true", "(true & wait)"].map(start).into())
    }

    /// The children at this moment; some of them have ended by the next.
    fn children(&self) -> Vec<Pid> {
        let shells = self.0.iter().map(|shell| shell.id());
        // A kernel may be without this file.
        let list = |pid| fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok();
        let listed: Option<Vec<String>> = shells.map(list).collect();
        match listed {
            Some(lists) => {
                let pids = lists.iter().flat_map(|list| list.split_whitespace());
                pids.map(|pid| Pid::from_raw(pid.parse().unwrap())).collect()
            }
            None => Tree::below(Pid::this()).unwrap().present().unwrap().pids().collect(),
        }
    }
}

impl Drop for Churn {
    fn drop(&mut self) {
        for shell in &mut self.0 {
            drop(shell.stdin.take());
            shell.wait().ok();
        }
    }
}

/// Calls `look` with ever new children for a while. How many of them are gone by then is for the machine to say.
fn look_at_children<T>(
    look: impl Fn(Pid) -> Result<Observed<T>, ObserveError> + Sync,
    judge: impl Fn(Pid, T) + Sync,
) {
    let (_dir, _path, file) = sandbox_file();
    let churn = Churn::start(&file);
    let (began, mut seen, mut gone) = (Instant::now(), 0, 0);
    while seen == 0 || began.elapsed() < LOOKING {
        for pid in churn.children() {
            match look(pid).unwrap() {
                Observed::Present(snapshot) => {
                    judge(pid, snapshot);
                    seen += 1;
                }
                Observed::Gone => gone += 1,
            }
        }
        assert!(began.elapsed() < DEADLINE, "{seen} were there and {gone} gone");
    }
}

#[test]
fn a_process_that_may_end_at_any_read_is_whole_or_gone() {
    let session = getsid(None).unwrap();
    look_at_children(Process::of, |pid, seen| {
        assert_eq!((seen.pid, seen.sid), (pid, session), "{seen}");
        assert!(seen.ppid.as_raw() > 0 && seen.threads == 1, "{seen}");
        assert!(["sh", "env", "true", "cat"].iter().any(|name| seen.comm == *name), "{seen}");
    });
}

#[test]
fn descriptors_of_what_may_end_at_any_read_are_those_it_had_or_none() {
    look_at_children(Descriptors::of, |pid, seen| {
        assert_eq!(seen.pid(), pid);
        // Every shell was given this, and passes it on.
        let stdout = seen.get(1).map(|descriptor| &descriptor.target);
        assert!(stdout.is_none_or(|target| matches!(target, Target::File { .. } | Target::Null)), "{seen}");
    });
}

#[test]
fn a_tree_whose_root_may_end_at_any_read_is_a_tree_or_gone() {
    look_at_children(Tree::below, |pid, seen| {
        assert_eq!(seen.root().map(|node| node.pid), Some(pid));
        assert_eq!(seen.to_string().lines().count(), 1 + seen.nodes().count());
        assert!(!Tree::of_session(pid).unwrap().pids().any(|member| member == pid));
    });
}

#[test]
fn a_lock_is_held_by_those_who_are_there_and_by_none_that_is_gone() {
    let (_dir, path, file) = sandbox_file();
    ofd(&file, F_WRLCK, 0, 0);
    let churn = Churn::start(&file);
    let (began, mut held, mut not) = (Instant::now(), 0, 0);
    while held == 0 || began.elapsed() < LOOKING {
        let children = churn.children();
        for lock in locks_on(&path, &children).unwrap() {
            assert!(children.contains(&lock.pid) && lock.lock.is_write(), "{lock}");
            assert_eq!(lock.lock.locker, Locker::FileDescription);
            held += 1;
        }
        not += children.iter().filter(|pid| locks_on(&path, &[**pid]).unwrap().is_empty()).count();
        let state = lock_state(&path).unwrap();
        assert_eq!((state.held.len(), state.is_write_locked()), (1, true), "{state}");
        assert!(began.elapsed() < DEADLINE, "{held} held it and {not} did not");
    }
}

/// How many programs the process still has to execute.
const LEFT: &str = "OBSERVE_TEST_LEFT";

/// Executes this test again in a thread that is not the first, as often as that says, and then waits.
fn execute_in_a_thread() {
    let left: u32 = std::env::var(LEFT).unwrap().parse().unwrap();
    if left == 0 {
        println!("\ndone");
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        return;
    }
    let mut again = Command::new("/proc/self/exe");
    again.args(std::env::args_os().skip(1)).env(LEFT, (left - 1).to_string());
    let failed = std::thread::spawn(move || again.exec()).join();
    panic!("{failed:?}");
}

/// A thread other than the first may execute a program. It takes over the number of the process, and for a moment the
/// kernel shows under that number a thread which has ended.
#[test]
fn a_process_that_executes_in_another_thread_is_there_all_the_time() {
    let name = "racing::a_process_that_executes_in_another_thread_is_there_all_the_time";
    if is_alone(name) {
        return execute_in_a_thread();
    }
    let mut child =
        command_alone(name).env(LEFT, "100").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_raw(child.id() as i32);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let done = AtomicBool::new(false);
    let until_done = &|look: fn(Pid)| {
        while !done.load(Ordering::Relaxed) {
            look(pid);
        }
    };
    std::thread::scope(|scope| {
        let looks: [fn(Pid); 3] = [
            |pid| {
                let seen = Process::of(pid).unwrap().present().expect("the process is there");
                assert_eq!((seen.pid, seen.ppid, seen.is_zombie()), (pid, Pid::this(), false), "{seen}");
            },
            |pid| {
                let seen = Descriptors::of(pid).unwrap().present().expect("the process is there");
                assert!((0..3).all(|fd| seen.get(fd).is_some()), "{seen}");
            },
            |pid| {
                let seen = Tree::below(pid).unwrap().present().expect("the process is there");
                assert_eq!(seen.root().unwrap().ppid, Pid::this());
            },
        ];
        for look in looks {
            scope.spawn(move || until_done(look));
        }
        let ended = !lines.any(|line| line == "done");
        done.store(true, Ordering::Relaxed);
        assert!(!ended);
    });
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

/// Ends its first thread, and itself with its standard input.
const HEADLESS: &str = "import ctypes, os, threading
threading.Thread(target=lambda: (os.read(0, 1), os._exit(0))).start()
os.write(2, b'ready\\n')
ctypes.CDLL(None).pthread_exit(None)";

/// The first thread may end before the others. The kernel then calls the process a zombie, which it is not.
#[test]
fn a_process_whose_first_thread_has_ended_is_alive_and_has_descriptors() {
    let name = "a_process_whose_first_thread_has_ended_is_alive_and_has_descriptors";
    if !Command::new("python3").arg("-c").arg("import ctypes").status().is_ok_and(|status| status.success()) {
        return skipped(name, "there is no python3");
    }
    let child = Idle::spawn(Command::new("python3").args(["-c", HEADLESS]).stdout(Stdio::null()));
    let process = || Process::of(child.pid()).unwrap().present().unwrap();
    let began = Instant::now();
    while process().state != State::Zombie {
        assert!(began.elapsed() < DEADLINE, "{}", process());
    }
    assert!(!process().is_zombie() && process().threads == 1 + 1, "{}", process());
    let seen = Descriptors::of(child.pid()).unwrap().present().unwrap();
    assert_eq!(seen.get(1).map(|stdout| &stdout.target), Some(&Target::Null), "{seen}");
    assert!(Tree::below(Pid::this()).unwrap().present().unwrap().pids().any(|pid| pid == child.pid()));
}

/// However many end beside it and above it meanwhile.
#[rstest]
#[case::siblings("(:) & (:) & a=$!; sleep 1000 & (:) & wait $a $!")]
#[case::parents("(sleep 1000 & sleep 0.02) & (:)")]
fn what_lives_is_seen_in_every_look(#[case] life: &str) {
    const LIVES: usize = 10;
    let script = format!("i=0; while [ $((i += 1)) -le {LIVES} ]; do {life}; done; wait");
    let (sandbox, began, mut looks) = (Sandbox::new().unwrap(), Instant::now(), 0);
    for _ in 0..15 {
        let subject =
            sandbox.start(&CommandLine::new("sh").args(["-c", &script]), StartOptions::new()).unwrap();
        let (mut lives, mut others) = (BTreeSet::new(), 0);
        while lives.len() < LIVES || others > 0 {
            let tree = Tree::below(subject.reaper()).unwrap().present().expect("the reaper is there");
            let now: BTreeSet<Pid> =
                tree.nodes().filter(|node| node.title == "sleep 1000").map(|node| node.pid).collect();
            assert!(lives.is_subset(&now), "in look {looks}, of {lives:?} some are not in\n{tree}");
            others = tree.pids().filter(|pid| *pid != subject.pid() && !now.contains(pid)).count();
            lives = now;
            looks += 1;
            assert!(began.elapsed() < DEADLINE, "{looks} looks\n{tree}");
        }
    }
}
