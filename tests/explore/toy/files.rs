//! Names and contents of the toy.

use super::place::{Spot, Touched};
use super::program::{Flags, Source, Value};
use super::state::{Answer, File, State, Target};

type Result = (Answer, Touched);

impl State {
    pub(super) fn open(&mut self, task: u8, name: u8, slot: u8, flags: Flags) -> Result {
        let mut footprint =
            if self.opened(task, slot).is_some() { self.close(task, slot).1 } else { Touched::new() };
        let spot = Spot::Name(name);
        let file = match self.names[usize::from(name)] {
            Some(_) if flags.create && flags.exclusive => return (Answer::Failed, footprint.read(spot)),
            None if !flags.create => return (Answer::Failed, footprint.read(spot)),
            Some(file) => {
                footprint = footprint.read(spot);
                file
            }
            None => {
                let file = self.born(task);
                self.files.insert(file, File::default());
                self.names[usize::from(name)] = Some(file);
                footprint = footprint.write(spot);
                file
            }
        };
        if flags.truncate {
            self.file_mut(file).content = None;
            footprint = footprint.write(Spot::Content(file));
        }
        self.describe(task, slot, Target::File(file));
        (Answer::Done, footprint)
    }

    pub(super) fn unlink(&mut self, name: u8) -> Result {
        match self.names[usize::from(name)].take() {
            Some(_) => (Answer::Done, Touched::new().write(Spot::Name(name))),
            None => (Answer::Failed, Touched::new().read(Spot::Name(name))),
        }
    }

    pub(super) fn rename(&mut self, from: u8, to: u8) -> Result {
        let Some(file) = self.names[usize::from(from)] else {
            return (Answer::Failed, Touched::new().read(Spot::Name(from)));
        };
        if self.names[usize::from(to)] == Some(file) {
            return (Answer::Done, Touched::new().read(Spot::Name(from)).read(Spot::Name(to)));
        }
        self.names[usize::from(from)] = None;
        self.names[usize::from(to)] = Some(file);
        (Answer::Done, Touched::new().write(Spot::Name(from)).write(Spot::Name(to)))
    }

    pub(super) fn link(&mut self, from: u8, to: u8) -> Result {
        let footprint = Touched::new().read(Spot::Name(from));
        let Some(file) = self.names[usize::from(from)] else {
            return (Answer::Failed, footprint);
        };
        if self.names[usize::from(to)].is_some() {
            return (Answer::Failed, footprint.read(Spot::Name(to)));
        }
        self.names[usize::from(to)] = Some(file);
        (Answer::Done, footprint.write(Spot::Name(to)))
    }

    pub(super) fn same(&mut self, task: u8, name: u8, slot: u8) -> Result {
        let Some((_, _, file)) = self.opened_file(task, slot) else {
            return (Answer::Failed, Touched::new());
        };
        let same = self.names[usize::from(name)] == Some(file);
        (if same { Answer::Done } else { Answer::Failed }, Touched::new().read(Spot::Name(name)))
    }

    pub(super) fn read(&mut self, task: u8, slot: u8) -> Result {
        match self.opened(task, slot).map(|(_, description)| description.target) {
            Some(Target::File(file)) => {
                (Answer::Got(self.files[&file].content), Touched::new().read(Spot::Content(file)))
            }
            Some(Target::Pipe(pipe, end)) => self.receive(pipe, end),
            None => (Answer::Failed, Touched::new()),
        }
    }

    pub(super) fn write(&mut self, task: u8, slot: u8, source: Source) -> Result {
        let value = match source {
            Source::Number(number) => Some(Value::Number(number)),
            Source::OwnTask => Some(Value::Task(task)),
            Source::Nothing => None,
        };
        match self.opened(task, slot).map(|(_, description)| description.target) {
            Some(Target::File(file)) => {
                self.file_mut(file).content = value;
                (Answer::Done, Touched::new().write(Spot::Content(file)))
            }
            Some(Target::Pipe(pipe, end)) => self.send(pipe, end, value.unwrap_or(Value::Number(0))),
            None => (Answer::Failed, Touched::new()),
        }
    }
}
