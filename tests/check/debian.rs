//! Debian's unmodified `ovsdb-server`.

use super::peers::{Missing, program};
use super::support::{failures, judge_families, judge_observed, shown, unknowns};
use daemonproof::check::{Outcome, Profile};
use daemonproof::fixture::CommandLine;
use std::collections::BTreeSet;
use std::time::Duration;

/// What it breaks, each confirmed by hand with strace and in its source.
const TRUE_FINDINGS: [&str; 8] = [
    // It closes no descriptor that it inherited.
    "fds.inherited-closed",
    "fds.inherited-closed-by-monitor",
    // Whoever exits deletes the pidfile by name.
    "lock.overwritten-is-harmless",
    // The lock is the daemon's, and goes with it.
    "monitor.locked-between",
    // The monitor has no handler.
    "monitor.sigterm",
    // It counts its ten seconds by time(2).
    "restart.wall-clock",
    "restart.wall-clock-forward",
    // A byte in the pipe by which a signal handler wakes the daemon outlives it: docs/findings.md.
    "restart.at-rest",
];

/// Long enough for a loaded machine.
const SEARCH: Duration = Duration::from_secs(240);

#[test]
fn ovsdb_server_breaks_what_it_is_known_to_break_and_nothing_else() {
    let Some(server) = Missing::skip(program("ovsdb-server")) else { return };
    let profile = Profile::named("ovsdb-server").unwrap();
    let command = CommandLine::new(server).args(&profile.command[1..]);
    let driving = profile.driving(Some(command)).unwrap().timeout(Duration::from_secs(5));
    let report = judge_observed(&driving);
    assert_eq!(failures(&report), BTreeSet::from(TRUE_FINDINGS), "\n{}", shown(&report));
    assert_eq!(unknowns(&report), BTreeSet::from(["monitor.sigterm-pidfile"]), "\n{}", shown(&report));
    // Nobody looks whether the name still leads to the locked file: docs/findings.md.
    let report = judge_families(&["race"], &driving.search_for(SEARCH));
    assert_eq!(failures(&report), BTreeSet::from(["race.handover", "race.crash"]), "\n{}", shown(&report));
    let others = report.findings.iter().filter(|finding| finding.outcome == Outcome::Pass).count();
    assert_eq!(others, 2, "\n{}", shown(&report));
}
