//! Several threads on one search.

use std::collections::BTreeSet;

use daemonproof::explore::{Exhaustive, Reduction, Strategy};

use crate::generator::program;
use crate::protocol::{contest, flock_and_unlink};
use crate::reduced::{run, search_within};
use crate::toy::machine::Machine;
use crate::toy::state::State;

#[test]
fn they_reach_together_what_one_reaches() {
    for seed in 0..100 {
        let machine = Machine::new(program(seed));
        let alone = search_within(&mut machine.clone(), Reduction::FULL, usize::MAX).unwrap();
        let search = Exhaustive::new(Reduction::FULL);
        let ends: BTreeSet<State> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..3)
                .map(|_| {
                    let (mut machine, mut search) = (machine.clone(), search.clone());
                    scope.spawn(move || run(&mut machine, &mut search, usize::MAX, &mut |_| ()).unwrap().ends)
                })
                .collect();
            workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
        });
        assert_eq!(ends, alone.ends, "seed {seed}");
        assert!(search.exhausted());
    }
}

#[test]
fn an_execution_that_is_given_up_is_run_by_another_worker() {
    let mut machine = Machine::new(program(1));
    let alone = search_within(&mut machine, Reduction::FULL, usize::MAX).unwrap();
    let mut search = Exhaustive::new(Reduction::FULL);
    let mut leaver = search.clone();
    assert!(leaver.begin());
    assert!(!search.exhausted());
    drop(leaver);
    let found = run(&mut machine, &mut search, usize::MAX, &mut |_| ()).unwrap();
    assert_eq!((found.ends, found.executions), (alone.ends, alone.executions));
}

#[test]
fn the_parts_of_a_search_are_all_of_it() {
    for seed in 0..200 {
        let machine = Machine::new(program(seed));
        let alone = search_within(&mut machine.clone(), Reduction::FULL, usize::MAX).unwrap();
        for count in [1, 3] {
            let part = |index| {
                let mut part = Exhaustive::part(Reduction::FULL, index, count);
                run(&mut machine.clone(), &mut part, usize::MAX, &mut |_| ()).unwrap().ends
            };
            let ends: BTreeSet<State> = (0..count).flat_map(part).collect();
            assert!(alone.ends.is_subset(&ends), "seed {seed}, {count} parts");
        }
    }
}

#[test]
fn no_part_does_all_of_the_work() {
    let machine = Machine::new(contest(flock_and_unlink, 4));
    let alone = search_within(&mut machine.clone(), Reduction::FULL, usize::MAX).unwrap();
    for index in 0..4 {
        let mut part = Exhaustive::part(Reduction::FULL, index, 4);
        let found = run(&mut machine.clone(), &mut part, usize::MAX, &mut |_| ()).unwrap();
        let run_to_the_end = found.executions - found.pruned;
        assert!(run_to_the_end < alone.executions, "part {index}: {run_to_the_end} of {}", alone.executions);
    }
}
