//! Random programs of the toy.

use crate::toy::program::{
    Flags, Instruction, NAMES, Op, Program, Root, Signal, Source, Value, Victim, Want,
};

/// Pseudo-random numbers (splitmix64).
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, end: u8) -> u8 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        u8::try_from(mixed % u64::from(end.max(1))).unwrap()
    }

    pub(crate) fn chance(&mut self, percent: u8) -> bool {
        self.below(100) < percent
    }
}

/// What the operations of a program are about, so that they have something to do with each other.
#[derive(Clone, Copy)]
enum Topic {
    Names,
    Locks,
    Pipes,
    Signals,
    Everything,
}

/// A program of two to four tasks, some of them interchangeable. `seed` determines it.
pub(crate) fn program(seed: u64) -> Program {
    let numbers = &mut Numbers::new(seed);
    let topic = [Topic::Names, Topic::Locks, Topic::Pipes, Topic::Signals, Topic::Everything]
        [usize::from(numbers.below(5))];
    let tasks = 2 + numbers.below(3);
    let same = if numbers.chance(50) { 2 + numbers.below(tasks - 1) } else { 0 };
    let length = [5, 4, 2][usize::from(tasks - 2)];
    let mut roots = Vec::new();
    for task in 0..tasks {
        let root = match roots.last() {
            Some(before) if task < same => Root::clone(before),
            _ => root(numbers, topic, Place { task, tasks, same }, length),
        };
        roots.push(root);
    }
    let mut files = Vec::new();
    for name in 0..u8::try_from(NAMES).unwrap() {
        if numbers.chance(50) {
            files.push((name, numbers.chance(50).then_some(Value::Number(7))));
        }
    }
    Program { roots, files }
}

/// Where a task stands: the first `same` of all tasks are interchangeable.
#[derive(Clone, Copy)]
struct Place {
    task: u8,
    tasks: u8,
    same: u8,
}

fn root(numbers: &mut Numbers, topic: Topic, place: Place, length: u8) -> Root {
    let length = 2 + numbers.below(length - 1);
    let mut forks = 0;
    let mut code = Vec::new();
    for at in 0..length {
        let mut op =
            if at == 0 && numbers.chance(60) { open(numbers) } else { operation(numbers, topic, place) };
        if let Op::Fork { nth, entry } = &mut op {
            *nth = forks;
            *entry = at + 1 + numbers.below(length - at);
            forks += 1;
        }
        let on_failure = numbers.chance(40).then(|| at + 1 + numbers.below(length - at));
        code.push(Instruction { op, on_failure });
    }
    let pipes = matches!(topic, Topic::Pipes | Topic::Everything);
    Root {
        code,
        on_term: numbers.chance(50).then(|| length - numbers.below(2)),
        class: (place.task < place.same).then_some(0),
        reads_pipe: pipes && numbers.chance(60),
        writes_pipe: pipes && numbers.chance(60),
    }
}

fn operation(numbers: &mut Numbers, topic: Topic, place: Place) -> Op {
    if numbers.chance(10) {
        return any(numbers, place);
    }
    match topic {
        Topic::Names => names(numbers),
        Topic::Locks => locks(numbers),
        Topic::Pipes => pipes(numbers),
        Topic::Signals => processes(numbers, place),
        Topic::Everything => any(numbers, place),
    }
}

fn any(numbers: &mut Numbers, place: Place) -> Op {
    match numbers.below(4) {
        0 => names(numbers),
        1 => locks(numbers),
        2 => pipes(numbers),
        _ => processes(numbers, place),
    }
}

fn name(numbers: &mut Numbers) -> u8 {
    numbers.below(u8::try_from(NAMES).unwrap())
}

fn open(numbers: &mut Numbers) -> Op {
    let flags =
        Flags { create: numbers.chance(60), exclusive: numbers.chance(40), truncate: numbers.chance(25) };
    Op::Open { name: numbers.below(2), slot: numbers.below(2), flags }
}

fn names(numbers: &mut Numbers) -> Op {
    let slot = numbers.below(2);
    match numbers.below(8) {
        0 | 1 => open(numbers),
        2 => Op::Unlink { name: name(numbers) },
        3 => Op::Rename { from: name(numbers), to: name(numbers) },
        4 => Op::Link { from: name(numbers), to: name(numbers) },
        5 => Op::Read { slot },
        6 => Op::Same { name: name(numbers), slot },
        _ => Op::Write { slot, source: source(numbers) },
    }
}

fn source(numbers: &mut Numbers) -> Source {
    match numbers.below(4) {
        0 => Source::Nothing,
        1 => Source::Number(1 + numbers.below(2)),
        _ => Source::OwnTask,
    }
}

fn locks(numbers: &mut Numbers) -> Op {
    let slot = numbers.below(2);
    let (first, last) = [(0, 1), (0, 1), (0, 0), (1, 1)][usize::from(numbers.below(4))];
    let want = Want { exclusive: numbers.chance(60), wait: numbers.chance(60) };
    match numbers.below(10) {
        0 => open(numbers),
        1..=3 => Op::Lock { slot, first, last, want },
        4 => Op::Unlock { slot, first, last },
        5 => Op::GetLock { slot, first, last },
        6 | 7 => Op::Flock { slot, want },
        8 => Op::Funlock { slot },
        _ => Op::Close { slot },
    }
}

fn pipes(numbers: &mut Numbers) -> Op {
    match numbers.below(8) {
        0..=2 => Op::Read { slot: 2 },
        3..=5 => Op::Write { slot: 3, source: source(numbers) },
        6 => Op::Fork { nth: 0, entry: 0 },
        _ => Op::Close { slot: 2 + numbers.below(2) },
    }
}

fn processes(numbers: &mut Numbers, place: Place) -> Op {
    match numbers.below(10) {
        0..=2 => Op::Signal { victim: victim(numbers, place), signal: signal(numbers) },
        3 | 4 => Op::Fork { nth: 0, entry: 0 },
        5 | 6 => Op::Wait,
        7 => Op::Pause,
        8 => Op::Read { slot: numbers.below(2) },
        _ => Op::Exit { code: 1 + numbers.below(2) },
    }
}

fn signal(numbers: &mut Numbers) -> Signal {
    [Signal::Probe, Signal::Term, Signal::Term, Signal::Kill][usize::from(numbers.below(4))]
}

/// A task that is interchangeable with another is named by what it has written only.
fn victim(numbers: &mut Numbers, place: Place) -> Victim {
    let own_child = place.tasks + 2 * place.task;
    let distinct = (place.same..place.tasks).filter(|task| *task != place.task);
    let mut candidates: Vec<_> = distinct.map(Victim::Task).collect();
    candidates.push(Victim::Read);
    if place.task >= place.same {
        candidates.push(Victim::Task(own_child));
    }
    candidates[usize::from(numbers.below(u8::try_from(candidates.len()).unwrap()))]
}
