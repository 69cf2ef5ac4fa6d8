//! Two pidfile protocols with a hole, modelled in the toy: the search finds it, in as few executions as there should be.

use daemonproof::explore::Reduction;

use crate::reduced::{Found, search_within};
use crate::toy::machine::Machine;
use crate::toy::program::{Flags, Instruction, Op, Program, Root, Source, Value, Want};
use crate::toy::state::{Life, State};

const FILE: u8 = 0;
const TEMPORARY: u8 = 1;

fn code(ops: &[(Op, Option<u8>)]) -> Vec<Instruction> {
    ops.iter().map(|(op, on_failure)| Instruction { op: *op, on_failure: *on_failure }).collect()
}

const CREATE: Flags = Flags { create: true, exclusive: false, truncate: false };
const OPEN: Flags = Flags { create: false, exclusive: false, truncate: false };
const TRY: Want = Want { exclusive: true, wait: false };

/// A contender of the published protocol, which stops again or stays.
fn published(stops: bool) -> Root {
    let end = if stops { Op::Unlink { name: FILE } } else { Op::Pause };
    let code = code(&[
        (Op::Open { name: TEMPORARY, slot: 1, flags: CREATE }, None),
        (Op::Lock { slot: 1, first: 0, last: 1, want: TRY }, Some(15)),
        (Op::Open { name: FILE, slot: 0, flags: OPEN }, Some(8)),
        (Op::GetLock { slot: 0, first: 0, last: 1 }, Some(13)),
        // Nobody has it locked: it is stale, and whoever gets the lock may delete it.
        (Op::Lock { slot: 0, first: 0, last: 1, want: TRY }, Some(14)),
        (Op::Same { name: FILE, slot: 0 }, Some(14)),
        (Op::Unlink { name: FILE }, Some(14)),
        (Op::Close { slot: 0 }, None),
        (Op::Write { slot: 1, source: Source::Nothing }, None),
        (Op::Write { slot: 1, source: Source::OwnTask }, None),
        (Op::Rename { from: TEMPORARY, to: FILE }, Some(15)),
        (end, None),
        (Op::Exit { code: 0 }, None),
        // Refused.
        (Op::Read { slot: 0 }, None),
        (Op::Unlink { name: TEMPORARY }, None),
        (Op::Exit { code: 1 }, None),
    ]);
    Root { code, class: (!stops).then_some(0), ..Root::default() }
}

/// A contender that locks the file that it found or made, and removes it before it stops.
pub(crate) fn flock_and_unlink(stops: bool) -> Root {
    let end = if stops { Op::Unlink { name: FILE } } else { Op::Pause };
    let code = code(&[
        (Op::Open { name: FILE, slot: 0, flags: CREATE }, None),
        (Op::Flock { slot: 0, want: TRY }, Some(4)),
        (end, None),
        (Op::Exit { code: 0 }, None),
        (Op::Exit { code: 1 }, None),
    ]);
    Root { code, class: (!stops).then_some(0), ..Root::default() }
}

/// Several contenders, of which the first stops again.
pub(crate) fn contest(contender: fn(bool) -> Root, contenders: usize) -> Program {
    Program { roots: (0..contenders).map(|index| contender(index == 0)).collect(), files: Vec::new() }
}

fn contend(contender: fn(bool) -> Root, contenders: usize, reduction: Reduction) -> Found {
    search_within(&mut Machine::new(contest(contender, contenders)), reduction, usize::MAX).unwrap()
}

fn running(state: &State) -> Vec<u8> {
    (0..).zip(&state.tasks).filter(|(_, task)| task.life == Life::Alive).map(|(task, _)| task).collect()
}

/// Whether someone runs whom the pidfile does not name.
fn is_disowned(state: &State) -> bool {
    let named = state.names[usize::from(FILE)].and_then(|file| state.files[&file].content);
    running(state).iter().any(|task| named != Some(Value::Task(*task)))
}

fn count(found: &Found, is: impl Fn(&State) -> bool) -> usize {
    found.ends.iter().filter(|end| is(end)).count()
}

const WITHOUT_SYMMETRY: Reduction = Reduction { symmetry: false, ..Reduction::FULL };

#[test]
fn the_published_protocol_disowns_one_of_three() {
    let found = contend(published, 3, WITHOUT_SYMMETRY);
    assert_eq!((found.executions, found.pruned), (198, 9));
    assert!(count(&found, is_disowned) > 0);
    assert_eq!(count(&found, |end| running(end).len() > 1), 0);
}

#[test]
fn the_published_protocol_lets_two_of_four_run() {
    let found = contend(published, 4, Reduction::FULL);
    assert_eq!((found.executions, found.pruned), (1_237, 57));
    assert!(count(&found, |end| running(end).len() > 1) > 0);
}

#[test]
fn flock_and_unlink_lets_two_of_three_run() {
    let found = contend(flock_and_unlink, 3, WITHOUT_SYMMETRY);
    assert_eq!((found.executions, found.pruned), (34, 1));
    assert_eq!(count(&found, |end| running(end).len() > 1), 4);
}
