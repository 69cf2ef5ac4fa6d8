//! Steps of the toy: which operation is next, whether it would block, and what it does.

use super::place::{Spot, Touched};
use super::program::{Op, Program};
use super::state::{Answer, State};

/// What a task does next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Next {
    /// It was killed.
    Die,
    /// It takes a signal.
    Deliver,
    Do(Op),
}

pub(crate) fn next(program: &Program, state: &State, task: u8) -> Next {
    let me = state.task(task);
    if me.kill {
        return Next::Die;
    }
    if me.term {
        return Next::Deliver;
    }
    let code = &program.root(task).code;
    Next::Do(code.get(usize::from(me.at)).map_or(Op::Exit { code: 0 }, |instruction| instruction.op))
}

/// If the next operation of `task` would block: what it is waiting for.
pub(crate) fn blocked(program: &Program, state: &State, task: u8) -> Option<Touched> {
    let Next::Do(op) = next(program, state, task) else {
        return None;
    };
    let waits_for = match op {
        Op::Read { slot } => state.blocked_read(task, slot),
        Op::Write { slot, .. } => state.blocked_write(task, slot),
        Op::Lock { slot, first, last, want } => state.blocked_lock(task, slot, (first, last), want),
        Op::Flock { slot, want } => state.blocked_flock(task, slot, want),
        Op::Wait => state.blocked_wait(task),
        Op::Pause => Some(Touched::new()),
        _ => None,
    };
    waits_for.map(|footprint| footprint.read(Spot::Signals(task)))
}

/// Makes the next step of `task`, which would not block.
pub(crate) fn step(program: &Program, state: &mut State, task: u8) -> Touched {
    let op = match next(program, state, task) {
        Next::Die => return state.exit(program, task, 9).write(Spot::Signals(task)),
        Next::Deliver => return deliver(program, state, task).write(Spot::Signals(task)),
        Next::Do(op) => op,
    };
    let (answer, footprint) = match op {
        Op::Exit { code } => return state.exit(program, task, code).read(Spot::Signals(task)),
        Op::Open { name, slot, flags } => state.open(task, name, slot, flags),
        Op::Close { slot } => state.close(task, slot),
        Op::Unlink { name } => state.unlink(name),
        Op::Rename { from, to } => state.rename(from, to),
        Op::Link { from, to } => state.link(from, to),
        Op::Same { name, slot } => state.same(task, name, slot),
        Op::Read { slot } => state.read(task, slot),
        Op::Write { slot, source } => state.write(task, slot, source),
        Op::Lock { slot, first, last, want } => state.lock(task, slot, (first, last), want),
        Op::Unlock { slot, first, last } => state.unlock(task, slot, (first, last)),
        Op::GetLock { slot, first, last } => state.get_lock(task, slot, (first, last)),
        Op::Flock { slot, want } => state.flock(task, slot, want),
        Op::Funlock { slot } => state.funlock(task, slot),
        Op::Signal { victim, signal } => state.signal(task, victim, signal),
        Op::Fork { nth, entry } => state.fork(program, task, nth, entry),
        Op::Wait => state.wait(task),
        Op::Pause => (Answer::Failed, Touched::new()),
    };
    advance(program, state, task, answer);
    footprint.read(Spot::Signals(task))
}

fn deliver(program: &Program, state: &mut State, task: u8) -> Touched {
    let Some(handler) = program.root(task).on_term else {
        return state.exit(program, task, 15);
    };
    let me = state.task_mut(task);
    me.term = false;
    me.at = handler;
    me.log.push(Answer::Signalled);
    Touched::new()
}

fn advance(program: &Program, state: &mut State, task: u8, answer: Answer) {
    let me = state.task_mut(task);
    me.log.push(answer);
    if let Answer::Got(value @ Some(_)) = answer {
        me.read = value;
    }
    let failed = matches!(answer, Answer::Failed | Answer::Got(None));
    let elsewhere = program.root(task).code[usize::from(me.at)].on_failure.filter(|_| failed);
    me.at = elsewhere.unwrap_or(me.at + 1);
}
