//! Random schedules, and the generator that they are drawn from.

use super::footprint::Place;
use super::strategy::{Divergence, Strategy, Trace};
use super::system::{Choices, TaskId};

/// Chooses among the enabled tasks, each with the same probability. One seed, one sequence of executions.
#[derive(Clone, Debug)]
pub struct Random {
    numbers: Numbers,
}

impl Random {
    /// A sequence of executions that `seed` determines.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { numbers: Numbers::new(seed) }
    }
}

impl<P: Place> Strategy<P> for Random {
    fn begin(&mut self) -> bool {
        true
    }

    fn choose(&mut self, choices: &Choices<P>, _: &Trace<P>) -> Result<Option<TaskId>, Divergence> {
        Ok(choices.enabled.get(self.numbers.below(choices.enabled.len())).copied())
    }

    fn finish(&mut self, _: &Trace<P>) {}
}

/// Pseudo-random numbers (splitmix64): what they are is part of what a seed means.
#[derive(Clone, Debug)]
pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 if there is none.
    pub(super) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % end).unwrap_or(0)
    }
}
