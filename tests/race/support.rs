//! Races that end in time, and how they are read.

use daemonproof::prelude::*;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

/// Long enough for a loaded machine: what takes longer is a bug, and fails as an inconclusive search.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

/// How many tests search now.
static SEARCHING: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

/// A core to search with, for one test: more searches at once than there are cores take longer than one after the other.
pub(crate) struct Turn(());

/// Waits for a turn.
pub(crate) fn turn() -> Turn {
    let cores = std::thread::available_parallelism().unwrap().get();
    let (searching, ended) = &SEARCHING;
    *ended.wait_while(searching.lock().unwrap(), |count| *count >= cores).unwrap() += 1;
    Turn(())
}

impl Drop for Turn {
    fn drop(&mut self) {
        let (searching, ended) = &SEARCHING;
        *searching.lock().unwrap() -= 1;
        ended.notify_one();
    }
}

/// A race of a helper, which begins no execution after [`PATIENCE`]. The helper's own executable starts in half the time that
/// this one would take to be it.
pub(crate) fn race_helper(sandbox: &Sandbox, name: &str) -> Race {
    let program = match name {
        "defective" => env!("CARGO_BIN_EXE_defective"),
        "published-protocol" => env!("CARGO_BIN_EXE_published-protocol"),
        "reference" => env!("CARGO_BIN_EXE_reference"),
        other => panic!("no executable {other}"),
    };
    sandbox.race(program).pidfile("--pidfile={pidfile}").max_time(PATIENCE)
}

/// The invariants that are broken, sorted.
pub(crate) fn broken(found: &Exploration) -> Vec<&str> {
    let broken = found.violations().iter().filter_map(|violation| violation.schedule.broken.as_ref());
    let mut names: Vec<_> = broken.map(|broken| broken.invariant.as_str()).collect();
    names.sort_unstable();
    names
}
