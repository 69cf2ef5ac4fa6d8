//! Pipes of the toy, which hold one value.

use super::place::{Born, End, Spot, Touched};
use super::program::Value;
use super::state::{Answer, State, Target};

impl State {
    pub(super) fn blocked_read(&self, task: u8, slot: u8) -> Option<Touched> {
        let Target::Pipe(pipe, End::Read) = self.opened(task, slot)?.1.target else {
            return None;
        };
        let blocks = self.pipes[&pipe].is_none() && self.has_end(pipe, End::Write);
        blocks.then(|| Touched::new().write(Spot::Data(pipe)).read(Spot::End(pipe, End::Write)))
    }

    pub(super) fn blocked_write(&self, task: u8, slot: u8) -> Option<Touched> {
        let Target::Pipe(pipe, End::Write) = self.opened(task, slot)?.1.target else {
            return None;
        };
        let blocks = self.pipes[&pipe].is_some() && self.has_end(pipe, End::Read);
        blocks.then(|| Touched::new().write(Spot::Data(pipe)).read(Spot::End(pipe, End::Read)))
    }

    pub(super) fn receive(&mut self, pipe: Born, end: End) -> (Answer, Touched) {
        if end == End::Write {
            return (Answer::Failed, Touched::new());
        }
        match self.pipes.get_mut(&pipe).unwrap().take() {
            Some(value) => (Answer::Got(Some(value)), Touched::new().write(Spot::Data(pipe))),
            None => {
                let footprint = Touched::new().read(Spot::Data(pipe)).read(Spot::End(pipe, End::Write));
                (Answer::Got(None), footprint)
            }
        }
    }

    pub(super) fn send(&mut self, pipe: Born, end: End, value: Value) -> (Answer, Touched) {
        if end == End::Read {
            return (Answer::Failed, Touched::new());
        }
        let footprint = Touched::new().read(Spot::End(pipe, End::Read));
        if !self.has_end(pipe, End::Read) {
            return (Answer::Failed, footprint);
        }
        self.pipes.insert(pipe, Some(value));
        (Answer::Done, footprint.write(Spot::Data(pipe)))
    }
}
