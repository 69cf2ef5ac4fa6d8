//! The strategies that try some schedules, replaying, and minimising.

use std::collections::BTreeSet;

use daemonproof::explore::{
    Divergence, Failure, Order, Pct, Random, Replay, Strategy, TaskId, Trace, execute, fewest_switches, flips,
};
use rstest::rstest;

use crate::generator::program;
use crate::toy::machine::Machine;
use crate::toy::place::Spot;
use crate::unreduced::ends;

fn one(machine: &mut Machine, strategy: &mut dyn Strategy<Spot>) -> Trace<Spot> {
    execute(machine, strategy).unwrap().unwrap()
}

fn switches(tasks: &[TaskId]) -> usize {
    tasks.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

#[rstest]
#[case::random(|seed| Box::new(Random::new(seed)) as Box<dyn Strategy<Spot>>)]
#[case::pct(|seed| Box::new(Pct::new(3, seed)) as Box<dyn Strategy<Spot>>)]
fn a_seed_means_one_sequence_of_schedules(#[case] strategy: fn(u64) -> Box<dyn Strategy<Spot>>) {
    let mut machine = Machine::new(program(4));
    let mut sequence = |seed| {
        let mut strategy = strategy(seed);
        let tasks: Vec<_> = (0..20).map(|_| one(&mut machine, &mut *strategy).tasks()).collect();
        assert!(!strategy.exhausted());
        tasks
    };
    assert_eq!(sequence(1), sequence(1));
    assert_ne!(sequence(1), sequence(2));
}

#[rstest]
#[case::random(Random::new(7))]
#[case::pct(Pct::new(4, 7))]
fn many_executions_reach_all_ends(#[case] strategy: impl Strategy<Spot> + Clone) {
    for seed in 0..20 {
        let mut machine = Machine::new(program(seed));
        let Some(all) = ends(&machine, 60) else {
            continue;
        };
        let mut strategy = strategy.clone();
        let mut reached = BTreeSet::new();
        for _ in 0..20_000 {
            one(&mut machine, &mut strategy);
            reached.insert(machine.state.clone());
            if reached.len() == all.len() {
                break;
            }
        }
        assert_eq!(reached, all, "seed {seed}");
    }
}

#[test]
fn a_schedule_is_replayed_exactly() {
    let mut machine = Machine::new(program(4));
    let first = one(&mut machine, &mut Random::new(3));
    let end = machine.state.clone();
    let mut replay = Replay::exactly(first.tasks());
    assert_eq!(one(&mut machine, &mut replay).tasks(), first.tasks());
    assert_eq!(machine.state, end);
    assert!(execute(&mut machine, &mut replay).unwrap().is_none());
}

#[test]
fn the_first_difference_from_a_schedule_is_named() {
    let mut machine = Machine::new(program(4));
    let tasks = one(&mut machine, &mut Random::new(3)).tasks();
    let mut fail = |schedule: Vec<TaskId>| match execute(&mut machine, &mut Replay::exactly(schedule)) {
        Err(Failure::Diverged(divergence)) => divergence,
        other => panic!("{other:?}"),
    };
    let mut wrong = tasks.clone();
    wrong[1] = TaskId(77);
    let divergence = fail(wrong);
    assert!(matches!(divergence, Divergence::NotEnabled { step: 1, task: TaskId(77), .. }), "{divergence:?}");
    assert!(
        divergence.to_string().starts_with("step 2: task 77 cannot go on here; able to are: "),
        "{divergence}"
    );
    assert!(matches!(fail(tasks[..2].to_vec()), Divergence::GoesOn { step: 2, .. }));
    assert!(matches!(fail([&tasks[..], &[TaskId(0)]].concat()), Divergence::NotEnabled { .. }));
}

#[test]
fn fewer_switches_lead_to_the_same() {
    let mut saved = 0;
    for seed in 0..100 {
        let mut machine = Machine::new(program(seed));
        let long = one(&mut machine, &mut Random::new(seed));
        let end = machine.state.clone();
        let short = one(&mut machine, &mut Replay::exactly(fewest_switches(&long)));
        assert_eq!(machine.state, end, "seed {seed}");
        assert_eq!(Order::of(&short).class(), Order::of(&long).class(), "seed {seed}");
        assert!(switches(&short.tasks()) <= switches(&long.tasks()), "seed {seed}");
        saved += switches(&long.tasks()) - switches(&short.tasks());
    }
    assert!(saved > 100, "{saved}");
}

#[test]
fn a_flipped_race_is_another_class() {
    let mut races = 0;
    for seed in 0..100 {
        let mut machine = Machine::new(program(seed));
        let trace = one(&mut machine, &mut Random::new(seed));
        for flip in flips(&trace) {
            let (first, second) = (trace.events[flip.first].task, trace.events[flip.second].task);
            assert_ne!(first, second);
            let turned = one(&mut machine, &mut Replay::guided(flip.schedule.clone(), flip.sure));
            assert_eq!(turned.tasks()[..flip.sure], flip.schedule[..flip.sure]);
            if turned.tasks().get(flip.sure) == Some(&second) {
                assert_ne!(Order::of(&turned).class(), Order::of(&trace).class(), "seed {seed}");
                races += 1;
            }
        }
    }
    assert!(races > 50, "{races}");
}
