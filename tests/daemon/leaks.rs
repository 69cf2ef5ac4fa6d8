//! A monitor that restarts for years must not grow.

use daemonproof::fixture::{FixtureError, Sandbox, StartOptions, Subject};
use daemonproof::observe::Tree;
use nix::unistd::Pid;

use crate::support::{AT_ONCE, CRASH, count, descriptors, helper, process, sandbox};

/// A daemon that dies each time it is ready, `times` times in a row, under a monitor in the foreground.
fn crashing(sandbox: &Sandbox, times: u32) -> Subject {
    let command = helper(CRASH)
        .args(["--monitor", "--signal=ALRM", "--count-file={rundir}/count", AT_ONCE])
        .arg(format!("--times={times}"));
    sandbox.start(&command, StartOptions::new()).unwrap()
}

fn wait_for_starts(sandbox: &Sandbox, subject: &Subject, starts: u64) {
    let reached = || {
        assert_eq!(subject.exit_of(subject.pid()), None);
        Ok::<_, FixtureError>((count(sandbox) >= starts).then_some(()))
    };
    subject.wait_until(format!("{starts} starts"), sandbox.deadline(), reached).unwrap();
}

/// Waits until the monitor holds these descriptors: it closes the channel of a daemon that has just become
/// ready a moment later.
fn wait_for_descriptors(sandbox: &Sandbox, subject: &Subject, expected: usize) {
    let settled = || Ok::<_, FixtureError>((descriptors(subject.pid()).len() == expected).then_some(()));
    let waited = subject.wait_until("the monitor's descriptors", sandbox.deadline(), settled);
    waited.unwrap_or_else(|error| panic!("{error}:\n{}", descriptors(subject.pid())));
}

fn memory_kib(pid: Pid) -> u64 {
    process(pid).vm_rss_kib.unwrap()
}

#[test]
fn a_thousand_restarts_leave_no_descriptor_no_zombie_and_no_memory() {
    let (once, often) = (sandbox(), sandbox());
    let few = crashing(&once, 1);
    wait_for_starts(&once, &few, 2);

    let many = crashing(&often, 1000);
    wait_for_starts(&often, &many, 100);
    let early = memory_kib(many.pid());
    wait_for_starts(&often, &many, 1001);
    wait_for_descriptors(&often, &many, descriptors(few.pid()).len());

    let growth = memory_kib(many.pid()).saturating_sub(early);
    assert!(growth <= 64, "{growth} KiB after 900 restarts");
    let tree = Tree::below(many.pid()).unwrap().present().unwrap();
    let children: Vec<Pid> = tree.pids().collect();
    assert!(children.len() == 1 && !process(children[0]).is_zombie(), "{tree}");
}
