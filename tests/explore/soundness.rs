//! The reduced search reaches what the unreduced one reaches, over random programs; and these tests would notice if not.
//!
//! `DAEMONPROOF_SOUNDNESS_PROGRAMS=100000` compares more of them.

use std::collections::HashSet;

use daemonproof::explore::{
    Access, Choices, Divergence, Exhaustive, Order, Reduction, Strategy, TaskId, Trace,
};
use rstest::rstest;

use crate::generator::program;
use crate::protocol::{contest, flock_and_unlink};
use crate::reduced::{run, search_within};
use crate::toy::machine::{Lie, Machine};
use crate::toy::place::{Spot, Touched};
use crate::unreduced::{canonical, classes, ends};

/// Programs with more states than this are passed over, and searches with more executions.
const STATES: usize = 120;
const EXECUTIONS: usize = 50;

const REDUCTIONS: [Reduction; 7] = [
    Reduction::FULL,
    Reduction { sleep: false, ..Reduction::FULL },
    Reduction { symmetry: false, ..Reduction::FULL },
    Reduction { races: false, ..Reduction::FULL },
    Reduction { sleep: true, ..Reduction::NONE },
    Reduction { symmetry: true, ..Reduction::NONE },
    Reduction { races: true, ..Reduction::NONE },
];

/// The full reduction is judged on every program, each of the others on one of so many.
const TURNS: usize = 3;

const THREADS: u64 = 4;

fn wanted() -> usize {
    std::env::var("DAEMONPROOF_SOUNDNESS_PROGRAMS").map_or(1_000, |text| text.parse().unwrap())
}

#[test]
fn the_same_ends_are_reached() {
    let share = wanted().div_ceil(usize::try_from(THREADS).unwrap());
    std::thread::scope(|scope| {
        for first in 0..THREADS {
            scope.spawn(move || {
                let mut compared = [0; REDUCTIONS.len()];
                let mut seeds = (first..).step_by(usize::try_from(THREADS).unwrap());
                while compared[0] < share {
                    compare(seeds.next().unwrap(), &mut compared);
                }
                assert!(compared.iter().all(|count| *count >= share / (4 * TURNS)), "{compared:?}");
            });
        }
    });
}

/// Compares what program `seed` can come to with what it comes to under each reduction, and counts the comparisons.
fn compare(seed: u64, compared: &mut [usize]) {
    let mut machine = Machine::new(program(seed));
    let Some(exact) = ends(&machine, STATES) else {
        return;
    };
    let up_to_symmetry = canonical(&machine.program, &exact);
    for (index, (reduction, count)) in REDUCTIONS.iter().zip(compared).enumerate() {
        // Searches with less reduction take most of the time, so each takes its turn.
        let turn = usize::try_from(seed / THREADS).unwrap() % TURNS;
        if index != 0 && index % TURNS != turn {
            continue;
        }
        let Some(found) = search_within(&mut machine, *reduction, EXECUTIONS) else {
            continue;
        };
        let (reached, all) = if reduction.symmetry {
            (canonical(&machine.program, &found.ends), &up_to_symmetry)
        } else {
            (found.ends, &exact)
        };
        assert_eq!(reached, *all, "seed {seed}, {reduction:?}: {:#?}", machine.program);
        *count += 1;
    }
}

/// Two classes can lead to the same state, so this asks for more.
#[test]
fn each_class_is_run_and_few_twice() {
    let (mut executions, mut distinct) = (0, 0);
    for seed in 0..(wanted() / 10).try_into().unwrap() {
        let mut machine = Machine::new(program(seed));
        let Some(all) = classes(&machine, 500) else {
            continue;
        };
        let mut strategy = Exhaustive::new(Reduction { symmetry: false, ..Reduction::FULL });
        let mut run_classes = HashSet::new();
        let found = run(&mut machine, &mut strategy, usize::MAX, &mut |trace| {
            run_classes.insert(Order::of(trace).class());
        });
        let found = found.unwrap();
        assert_eq!(run_classes, all, "seed {seed}: {:#?}", machine.program);
        executions += found.executions;
        distinct += all.len();
    }
    assert!(executions * 5 <= distinct * 6, "{executions} executions of {distinct} classes");
}

/// Whether a search that is told `lie`, or learns through `learn`, misses something in some program.
fn is_caught(lie: Lie, learn: fn(&mut Trace<Spot>)) -> bool {
    let contending = (2..4).map(|contenders| contest(flock_and_unlink, contenders));
    contending.chain((0..3_000).map(program)).any(|program| {
        let mut machine = Machine::lying(program, lie);
        let mut strategy = Wrong { right: Exhaustive::new(Reduction::FULL), learn };
        let all = ends(&machine, STATES);
        let found = run(&mut machine, &mut strategy, EXECUTIONS, &mut |_| ());
        let program = &machine.program;
        matches!((all, found), (Some(all), Some(found)) if canonical(program, &found.ends) != canonical(program, &all))
    })
}

/// A search that is told something else than what happened.
struct Wrong {
    right: Exhaustive<Spot>,
    learn: fn(&mut Trace<Spot>),
}

impl Strategy<Spot> for Wrong {
    fn begin(&mut self) -> bool {
        self.right.begin()
    }

    fn choose(&mut self, choices: &Choices<Spot>, trace: &Trace<Spot>) -> Result<Option<TaskId>, Divergence> {
        self.right.choose(choices, trace)
    }

    fn finish(&mut self, trace: &Trace<Spot>) {
        let mut trace = trace.clone();
        (self.learn)(&mut trace);
        self.right.finish(&trace);
    }

    fn exhausted(&self) -> bool {
        self.right.exhausted()
    }
}

fn without(footprint: &Touched, hidden: fn(&Spot) -> bool) -> Touched {
    let mut rest = Touched::new();
    for (spot, access) in footprint.iter().filter(|(spot, _)| !hidden(spot)) {
        rest.add(*spot, *access);
    }
    rest
}

fn as_read(footprint: &Touched, changed: fn(&Spot) -> bool) -> Touched {
    footprint.iter().fold(Touched::new(), |all, (spot, access)| {
        let mut all = all;
        all.add(*spot, if changed(spot) { Access::Read } else { *access });
        all
    })
}

#[rstest]
#[case::names_are_only_read(|f| as_read(&f, |spot| matches!(spot, Spot::Name(_))))]
#[case::locks_are_not_told(|f| without(&f, |spot| matches!(spot, Spot::Lock { .. })))]
#[case::contents_are_only_read(|f| as_read(&f, |spot| matches!(spot, Spot::Content(_))))]
#[case::pipes_are_not_told(|f| without(&f, |spot| matches!(spot, Spot::Data(_))))]
#[case::ends_are_not_told(|f| without(&f, |spot| matches!(spot, Spot::End(..))))]
#[case::signals_are_not_told(|f| without(&f, |spot| matches!(spot, Spot::Signals(_))))]
#[case::processes_are_not_told(|f| without(&f, |spot| matches!(spot, Spot::Process(_))))]
#[case::children_are_not_told(|f| without(&f, |spot| matches!(spot, Spot::Children(_))))]
fn a_wrong_footprint_is_caught(#[case] lie: Lie) {
    assert!(is_caught(lie, |_| ()));
}

#[rstest]
#[case::last_step(|trace: &mut Trace<Spot>| if let Some(last) = trace.events.last_mut() { last.footprint = Touched::new() })]
#[case::waiting(|trace: &mut Trace<Spot>| {
    trace.waiting.clear();
    trace.events.iter_mut().for_each(|event| event.waiting.clear());
})]
fn a_race_that_is_overlooked_is_caught(#[case] forget: fn(&mut Trace<Spot>)) {
    assert!(is_caught(|footprint| footprint, forget));
}
