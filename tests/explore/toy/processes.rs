//! Signals and children of the toy.

use super::place::{Spot, Touched};
use super::program::{Program, Signal, Value, Victim};
use super::state::{Answer, Life, State, Task};

impl State {
    pub(super) fn signal(&mut self, task: u8, victim: Victim, signal: Signal) -> (Answer, Touched) {
        let victim = match (victim, self.task(task).read) {
            (Victim::Task(victim), _) | (Victim::Read, Some(Value::Task(victim))) => victim,
            (Victim::Read, _) => return (Answer::Failed, Touched::new()),
        };
        let footprint = Touched::new().read(Spot::Process(victim));
        let them = self.task_mut(victim);
        match them.life {
            Life::NotYet | Life::Gone(_) => return (Answer::Failed, footprint),
            Life::Zombie(_) => return (Answer::Done, footprint),
            Life::Alive => {}
        }
        let already = match signal {
            Signal::Probe => return (Answer::Done, footprint),
            Signal::Term => std::mem::replace(&mut them.term, true),
            Signal::Kill => std::mem::replace(&mut them.kill, true),
        };
        let spot = Spot::Signals(victim);
        (Answer::Done, if already { footprint.read(spot) } else { footprint.write(spot) })
    }

    pub(super) fn fork(&mut self, program: &Program, task: u8, nth: u8, entry: u8) -> (Answer, Touched) {
        let child = program.child(task, nth).filter(|child| self.task(*child).life == Life::NotYet);
        let Some(child) = child else {
            return (Answer::Failed, Touched::new());
        };
        let mut footprint = Touched::new().write(Spot::Process(child));
        let me = self.task(task).clone();
        for born in me.slots.iter().flatten() {
            let description = self.descriptions.get_mut(born).unwrap();
            description.descriptors += 1;
            description.shared = true;
            footprint = footprint.write(Spot::Description(*born));
        }
        *self.task_mut(child) = Task {
            life: Life::Alive,
            parent: Some(task),
            at: entry,
            created: 0,
            term: false,
            kill: false,
            log: Vec::new(),
            ..me
        };
        (Answer::Done, footprint)
    }

    fn children(&self, task: u8) -> impl Iterator<Item = (u8, Life)> + '_ {
        let mine = (0..).zip(&self.tasks).filter(move |(_, child)| child.parent == Some(task));
        mine.map(|(number, child)| (number, child.life))
    }

    pub(super) fn blocked_wait(&self, task: u8) -> Option<Touched> {
        let some = self.children(task).any(|(_, life)| life == Life::Alive);
        let dead = self.children(task).any(|(_, life)| matches!(life, Life::Zombie(_)));
        (some && !dead).then(|| Touched::new().write(Spot::Children(task)))
    }

    pub(super) fn wait(&mut self, task: u8) -> (Answer, Touched) {
        let dead = self.children(task).find_map(|(child, life)| match life {
            Life::Zombie(code) => Some((child, code)),
            _ => None,
        });
        let Some((child, code)) = dead else {
            return (Answer::Failed, Touched::new());
        };
        self.task_mut(child).life = Life::Gone(code);
        (Answer::Status(code), Touched::new().write(Spot::Children(task)).write(Spot::Process(child)))
    }
}
