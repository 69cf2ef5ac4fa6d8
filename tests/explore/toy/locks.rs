//! Locks of the toy: of processes on bytes, and of open file descriptions on whole files.

use super::place::{Born, LockKind, Spot, Touched};
use super::program::Want;
use super::state::{Answer, State};

type Range = (u8, u8);

fn posix(file: Born, (first, last): Range) -> Spot {
    Spot::Lock { file, kind: LockKind::Posix, first, last }
}

pub(super) fn flock(file: Born) -> Spot {
    Spot::Lock { file, kind: LockKind::Flock, first: 0, last: 1 }
}

fn taken(spot: Spot, exclusive: bool) -> Touched {
    if exclusive { Touched::new().write(spot) } else { Touched::new().share(spot) }
}

impl State {
    fn posix_refused(&self, task: u8, file: Born, (first, last): Range, exclusive: bool) -> bool {
        let bytes = &self.files[&file].posix[usize::from(first)..=usize::from(last)];
        let mut others = bytes.iter().flatten().filter(|(holder, _)| **holder != task);
        others.any(|(_, theirs)| exclusive || *theirs)
    }

    fn flock_refused(&self, description: Born, file: Born, exclusive: bool) -> bool {
        let mut others = self.files[&file].flock.iter().filter(|(holder, _)| **holder != description);
        others.any(|(_, theirs)| exclusive || *theirs)
    }

    pub(super) fn blocked_lock(&self, task: u8, slot: u8, range: Range, want: Want) -> Option<Touched> {
        let (_, _, file) = self.opened_file(task, slot)?;
        let blocks = want.wait && self.posix_refused(task, file, range, want.exclusive);
        blocks.then(|| taken(posix(file, range), want.exclusive))
    }

    pub(super) fn blocked_flock(&self, task: u8, slot: u8, want: Want) -> Option<Touched> {
        let (description, _, file) = self.opened_file(task, slot)?;
        let blocks = want.wait && self.flock_refused(description, file, want.exclusive);
        blocks.then(|| taken(flock(file), want.exclusive))
    }

    pub(super) fn lock(&mut self, task: u8, slot: u8, range: Range, want: Want) -> (Answer, Touched) {
        let Some((_, _, file)) = self.opened_file(task, slot) else {
            return (Answer::Failed, Touched::new());
        };
        let spot = posix(file, range);
        if self.posix_refused(task, file, range, want.exclusive) {
            return (Answer::Failed, Touched::new().read(spot));
        }
        let mut footprint = taken(spot, want.exclusive);
        for byte in range.0..=range.1 {
            let before = self.file_mut(file).posix[usize::from(byte)].insert(task, want.exclusive);
            if before == Some(true) && !want.exclusive {
                // Others may share it from now on.
                footprint = footprint.write(spot);
            }
        }
        (Answer::Done, footprint)
    }

    pub(super) fn unlock(&mut self, task: u8, slot: u8, range: Range) -> (Answer, Touched) {
        match self.opened_file(task, slot) {
            Some((_, _, file)) => (Answer::Done, self.release_posix(task, file, range)),
            None => (Answer::Failed, Touched::new()),
        }
    }

    pub(super) fn release_posix(&mut self, task: u8, file: Born, (first, last): Range) -> Touched {
        let mut footprint = Touched::new();
        for byte in first..=last {
            if self.file_mut(file).posix[usize::from(byte)].remove(&task).is_some() {
                footprint = footprint.release(posix(file, (byte, byte)));
            }
        }
        footprint
    }

    pub(super) fn get_lock(&mut self, task: u8, slot: u8, range: Range) -> (Answer, Touched) {
        let Some((_, _, file)) = self.opened_file(task, slot) else {
            return (Answer::Failed, Touched::new());
        };
        let refused = self.posix_refused(task, file, range, true);
        (if refused { Answer::Failed } else { Answer::Done }, Touched::new().read(posix(file, range)))
    }

    pub(super) fn flock(&mut self, task: u8, slot: u8, want: Want) -> (Answer, Touched) {
        let Some((description, shape, file)) = self.opened_file(task, slot) else {
            return (Answer::Failed, Touched::new());
        };
        let spot = flock(file);
        if self.flock_refused(description, file, want.exclusive) {
            return (Answer::Failed, Touched::new().read(spot));
        }
        let before = self.file_mut(file).flock.insert(description, want.exclusive);
        // Whoever shares the description changes the same lock.
        let changes = want.exclusive || before == Some(true) || shape.shared;
        (Answer::Done, taken(spot, changes))
    }

    pub(super) fn funlock(&mut self, task: u8, slot: u8) -> (Answer, Touched) {
        let Some((description, shape, file)) = self.opened_file(task, slot) else {
            return (Answer::Failed, Touched::new());
        };
        let had = self.file_mut(file).flock.remove(&description).is_some();
        let touched = had || shape.shared;
        (Answer::Done, if touched { Touched::new().release(flock(file)) } else { Touched::new() })
    }
}
