//! What the toy does when a task closes a descriptor, or ends.

use daemonproof::explore::Access;

use super::locks::flock;
use super::place::{Spot, Touched};
use super::program::{Program, SLOTS};
use super::state::{Answer, Life, State, Target};

fn join(into: &mut Touched, from: &Touched) {
    for (spot, access) in from.iter() {
        into.add(*spot, *access);
    }
}

impl State {
    pub(super) fn close(&mut self, task: u8, slot: u8) -> (Answer, Touched) {
        let Some((born, description)) = self.opened(task, slot) else {
            return (Answer::Failed, Touched::new());
        };
        self.task_mut(task).slots[usize::from(slot)] = None;
        let mut footprint = Touched::new();
        if let Target::File(file) = description.target {
            // Closing any descriptor of a file drops the locks of the process on it.
            footprint = self.release_posix(task, file, (0, 1));
        }
        if description.shared {
            footprint.add(Spot::Description(born), Access::Write);
        }
        if description.descriptors > 1 {
            self.descriptions.get_mut(&born).unwrap().descriptors -= 1;
            return (Answer::Done, footprint);
        }
        self.descriptions.remove(&born);
        match description.target {
            Target::File(file) => {
                if self.file_mut(file).flock.remove(&born).is_some() {
                    footprint.add(flock(file), Access::Release);
                }
            }
            Target::Pipe(pipe, end) => footprint.add(Spot::End(pipe, end), Access::Release),
        }
        (Answer::Done, footprint)
    }

    pub(super) fn exit(&mut self, program: &Program, task: u8, code: u8) -> Touched {
        let mut footprint = Touched::new().write(Spot::Process(task));
        for slot in (0..SLOTS).map(|slot| u8::try_from(slot).unwrap()) {
            join(&mut footprint, &self.close(task, slot).1);
        }
        self.task_mut(task).life = Life::Gone(code);
        if let Some(parent) = self.task(task).parent {
            footprint.add(Spot::Process(parent), Access::Read);
            if self.is_alive(parent) {
                self.task_mut(task).life = Life::Zombie(code);
                footprint.add(Spot::Children(parent), Access::Write);
            }
        }
        for child in (0..2).filter_map(|nth| program.child(task, nth)) {
            if let Life::Zombie(code) = self.task(child).life {
                self.task_mut(child).life = Life::Gone(code);
                footprint.add(Spot::Process(child), Access::Write);
            }
        }
        footprint
    }
}
