//! What the fixture costs: starting, observing and stopping a detached daemon through it and by hand, in one run.
//!
//! Both make a directory, start `reference --detach`, wait for the command, look at the daemon's session, working
//! directory, standard streams, and at the pidfile's content, lock and mode, send SIGTERM, wait for the daemon, find the
//! pidfile gone and remove the directory. By hand the bench process is the subreaper itself, so what a fixture adds, a
//! reaper for each daemon, is in the ratio.
//!
//! Criterion compares each with its own past. The ratio of the two is taken from alternating rounds, so that what else the
//! machine does hits both: `ROUNDS=300 cargo bench --bench fixture` prints its median. Both use the folder for temporary files; on a
//! busy disk the kernel's work for that is most of either, so `TMPDIR=/dev/shm taskset -c 1` before it tells more.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group};
use daemonproof::observe::posix_write_locker_of;
use daemonproof::prelude::*;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

const REFERENCE: &str = env!("CARGO_BIN_EXE_reference");

fn through_the_fixture() {
    let sandbox = Sandbox::new().unwrap();
    let daemon = sandbox.daemon(REFERENCE).detach("--detach").pidfile("--pidfile={pidfile}").start();
    daemon.assert(session_leader().and(cwd("/")).and(stdio_is_null()));
    daemon.pidfile().assert(names(&daemon).and(locked_by(&daemon)).and(mode(0o644)));
    daemon.stop().assert().success();
    sandbox.pidfile().assert(missing());
}

fn by_hand() {
    let directory = tempfile::Builder::new().prefix("daemonproof-").tempdir().unwrap();
    let pidfile = directory.path().join("daemon.pid");
    let (mut stdout, mut stderr) =
        (captured(directory.path(), "stdout"), captured(directory.path(), "stderr"));
    let mut command = Command::new(REFERENCE);
    command.arg("--detach").arg(format!("--pidfile={}", pidfile.display())).stdin(Stdio::null());
    command.stdout(stdout.try_clone().unwrap()).stderr(stderr.try_clone().unwrap());
    assert!(command.status().unwrap().success());

    let mut file = File::open(&pidfile).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    let pid: i32 = text.trim_end().parse().unwrap();
    let proc = Path::new("/proc").join(pid.to_string());
    let stat = fs::read_to_string(proc.join("stat")).unwrap();
    let session = stat.rsplit_once(") ").unwrap().1.split(' ').nth(3).unwrap();
    assert_eq!(session, pid.to_string());
    assert_eq!(fs::read_link(proc.join("cwd")).unwrap(), Path::new("/"));
    for fd in 0..3 {
        assert_eq!(fs::metadata(proc.join(format!("fd/{fd}"))).unwrap().rdev(), 0x103);
    }
    assert_eq!(posix_write_locker_of(file.as_fd()).unwrap().unwrap().pid(), Some(Pid::from_raw(pid)));
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o7777, 0o644);
    drop(file);

    kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
    let ended = waitpid(Pid::from_raw(pid), None).unwrap();
    assert!(matches!(ended, WaitStatus::Signaled(_, Signal::SIGTERM, _)), "{ended:?}");
    for stream in [&mut stdout, &mut stderr] {
        stream.rewind().unwrap();
        text.clear();
        stream.read_to_string(&mut text).unwrap();
    }
    assert!(!pidfile.exists());
}

fn captured(directory: &Path, name: &str) -> File {
    File::options().read(true).append(true).create_new(true).open(directory.join(name)).unwrap()
}

fn compare(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a detached daemon");
    group.bench_function("through the fixture", |bencher| bencher.iter(through_the_fixture));
    group.bench_function("by hand", |bencher| bencher.iter(by_hand));
    group.finish();
}

fn ratio(rounds: usize) {
    let time = |run: fn()| {
        let began = Instant::now();
        run();
        began.elapsed()
    };
    let (mut fixture, mut hand) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        if round % 2 == 0 {
            fixture.push(time(through_the_fixture));
            hand.push(time(by_hand));
        } else {
            hand.push(time(by_hand));
            fixture.push(time(through_the_fixture));
        }
    }
    let mut ratios: Vec<f64> =
        fixture.iter().zip(&hand).map(|(fixture, hand)| fixture.as_secs_f64() / hand.as_secs_f64()).collect();
    ratios.sort_unstable_by(f64::total_cmp);
    let (fixture, hand) = (median(&mut fixture), median(&mut hand));
    println!("medians: fixture {fixture:.0?}, by hand {hand:.0?}, of {rounds} rounds");
    println!(
        "fixture / by hand: {:.3} (medians), {:.3} (median of pairs)",
        fixture.div_duration_f64(hand),
        ratios[rounds / 2]
    );
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(50).without_plots();
    targets = compare
}

fn main() {
    // By hand, the daemon's end is told to whoever adopts it.
    nix::sys::prctl::set_child_subreaper(true).unwrap();
    // `cargo test --benches` runs this as a test: once is enough then.
    let rounds = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    if std::env::args().any(|arg| arg == "--test") {
        ratio(1);
    } else if let Some(rounds) = rounds {
        ratio(rounds);
    } else {
        benches();
        Criterion::default().configure_from_args().final_summary();
        ratio(100);
    }
}
