//! Races that end in time, and how they are read.

use daemonproof::prelude::*;
use std::time::Duration;

/// Long enough for a loaded machine: what takes longer is a bug, and fails as an inconclusive search.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

/// A race of a helper, which begins no execution after [`PATIENCE`].
pub(crate) fn race_helper(sandbox: &Sandbox, name: &str) -> Race {
    sandbox.race_helper(name).pidfile("--pidfile={pidfile}").max_time(PATIENCE)
}

/// The invariants that are broken, sorted.
pub(crate) fn broken(found: &Exploration) -> Vec<&str> {
    let broken = found.violations().iter().filter_map(|violation| violation.schedule.broken.as_ref());
    let mut names: Vec<_> = broken.map(|broken| broken.invariant.as_str()).collect();
    names.sort_unstable();
    names
}
