//! Many at once: one runs, the others say why they do not.

use std::sync::Barrier;
use std::thread;

use daemonproof::fixture::{CommandLine, FixtureError, Sandbox, StartOptions, Subject, Waiter};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use rstest::rstest;

use crate::support::{
    BOTH, DETACHED, FOREGROUND, MONITORED, Running, assert_clean, assert_owns, errors, own_pid, owner,
    reference, sandbox, start,
};

const CONTENDERS: usize = 8;
const ROUNDS: usize = 30;
/// Of handovers, which take longer.
const HANDOVERS: usize = 20;

/// Starts `number` of them as simultaneously as can be, while `meanwhile` happens.
fn start_together(
    sandbox: &Sandbox,
    command: &CommandLine,
    number: usize,
    meanwhile: impl FnOnce() + Send,
) -> Vec<Subject> {
    let barrier = Barrier::new(number + 1);
    thread::scope(|scope| {
        let start = |n| {
            barrier.wait();
            sandbox.start(command, StartOptions::new().instance(n)).unwrap()
        };
        let threads: Vec<_> = (1..=number).map(|n| scope.spawn(move || start(n as u32))).collect();
        barrier.wait();
        meanwhile();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// The processes whose start has been refused, which must say who runs instead: one of `owners`.
#[track_caller]
fn assert_loses(sandbox: &Sandbox, loser: &Subject, owners: &[Pid]) {
    loser.wait_empty(sandbox.deadline()).unwrap();
    let said = errors(loser);
    assert_eq!(loser.exit_of(loser.pid()).unwrap().code(), Some(1), "{said}");
    let named = said.split("already running as pid ").nth(1).and_then(|rest| rest.split(',').next());
    let named = named.and_then(|pid| pid.parse().ok()).map(Pid::from_raw);
    assert!(named.is_some_and(|pid| owners.contains(&pid)), "{said:?} names none of {owners:?}");
}

/// Waits until all but at most one have lost; returns the one that has not.
fn settle(sandbox: &Sandbox, all: &[Subject], detaches: bool) -> Option<usize> {
    let waiter = Waiter::new("all starts but one to end", sandbox.deadline());
    let waiter = all.iter().fold(waiter, |waiter, subject| waiter.subject(subject));
    let code = |subject: &Subject| subject.exit_of(subject.pid()).map(|status| status.code());
    let settled = || {
        let running = all.iter().filter(|subject| code(subject).is_none()).count();
        Ok::<_, FixtureError>((running <= usize::from(!detaches)).then_some(()))
    };
    waiter.until(settled).unwrap();
    let won: Vec<_> = (0..all.len()).filter(|&n| matches!(code(&all[n]), None | Some(Some(0)))).collect();
    assert!(won.len() <= 1, "{} run: {won:?}", won.len());
    won.first().copied()
}

#[rstest]
fn of_simultaneous_starts_exactly_one_runs_and_owns(
    #[values(FOREGROUND, DETACHED, MONITORED, BOTH)] mode: &[&str],
) {
    let command = reference(mode);
    let mut place = sandbox();
    for round in 0..ROUNDS {
        // Sometimes over a stale pidfile, sometimes where there is not even a guard.
        if round % 3 == 0 {
            place = sandbox();
        }
        let sandbox = &place;
        let all = start_together(sandbox, &command, CONTENDERS, || {});
        let winner = settle(sandbox, &all, mode.contains(&"--detach")).expect("one of them runs");
        let pid = own_pid(sandbox, &all[winner]);
        let owners = all[winner].live_pids().unwrap();
        for (_, loser) in all.iter().enumerate().filter(|(n, _)| *n != winner) {
            assert_loses(sandbox, loser, &owners);
        }
        assert_owns(&sandbox.pidfile(), pid);
        if round % 2 == 0 {
            all[winner].signal(pid, Signal::SIGTERM).unwrap();
            all[winner].wait_empty(sandbox.deadline()).unwrap();
            assert_clean(sandbox);
        }
    }
}

#[rstest]
fn in_a_handover_at_most_one_runs_that_was_not_told_to_stop(
    #[values(DETACHED, BOTH)] mode: &[&str],
    #[values(Signal::SIGTERM, Signal::SIGKILL)] signal: Signal,
) {
    let sandbox = sandbox();
    let mut first = start(&sandbox, &reference(mode));
    let mut handovers = 0;
    for _ in 0..HANDOVERS {
        let olds = first.subject.live_pids().unwrap();
        let all = start_together(&sandbox, &reference(mode), CONTENDERS / 2, || first.signal(signal));
        let winner = settle(&sandbox, &all, true);
        let mut owners = olds;
        if let Some(winner) = winner {
            owners.extend(all[winner].live_pids().unwrap());
        }
        for (_, loser) in all.iter().enumerate().filter(|(n, _)| Some(*n) != winner) {
            assert_loses(&sandbox, loser, &owners);
        }
        first.subject.wait_empty(sandbox.deadline()).unwrap();
        // Who lost to the one that stopped may try again, and then nothing is in the way.
        first = match all.into_iter().nth(winner.unwrap_or(usize::MAX)) {
            Some(subject) => Running { pid: own_pid(&sandbox, &subject), subject },
            None => start(&sandbox, &reference(mode)),
        };
        handovers += usize::from(winner.is_some());
        assert_owns(&sandbox.pidfile(), first.pid);
    }
    println!("{handovers} of {HANDOVERS} rounds were handovers");
    first.stop(&sandbox);
    assert_clean(&sandbox);
}

#[test]
fn of_those_who_overwrite_at_once_one_owns_and_the_ends_of_the_others_leave_it() {
    for _ in 0..ROUNDS / 3 {
        let sandbox = sandbox();
        let command = reference(BOTH).arg("--overwrite-pidfile");
        let all = start_together(&sandbox, &command, CONTENDERS / 2, || {});
        let mut running: Vec<_> = all
            .into_iter()
            .filter(|subject| subject.wait_exit(sandbox.deadline()).unwrap().success())
            .collect();
        let owns =
            |subject: &Subject| subject.live_pids().unwrap().contains(&owner(&sandbox.pidfile()).unwrap());
        let winner = running.iter().position(owns).expect("one of them owns the pidfile");
        let winner = running.swap_remove(winner);
        let pid = own_pid(&sandbox, &winner);
        for other in running {
            other.live_pids().unwrap().iter().for_each(|pid| drop(other.signal(*pid, Signal::SIGTERM)));
            other.wait_empty(sandbox.deadline()).unwrap();
            assert_owns(&sandbox.pidfile(), pid);
        }
        winner.signal(pid, Signal::SIGTERM).unwrap();
        winner.wait_empty(sandbox.deadline()).unwrap();
        assert_clean(&sandbox);
    }
}
