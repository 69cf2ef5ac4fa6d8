//! The core that a tracer and its tasks share.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use nix::sched::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;

/// The calling thread.
const OWN: Pid = Pid::from_raw(0);

/// How many tracers are bound to each core.
#[derive(Debug)]
pub(super) struct Cores(Mutex<BTreeMap<usize, u32>>);

/// Those of this process.
pub(super) static CORES: Cores = Cores::new();

/// That the thread, and what it has started since, is bound to one core. Dropped in the same thread, it sets the thread
/// free.
#[derive(Debug)]
pub(super) struct Core {
    cores: &'static Cores,
    number: usize,
    before: CpuSet,
}

impl Cores {
    const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// Binds the thread to that core, of those that it may use, which has the fewest tracers; of equal ones to the core
    /// that it is on. Tracers that start at once all find themselves on the core where the thread was that started them.
    ///
    /// None if it cannot be done; then everything is only slower.
    pub(super) fn bind(&'static self) -> Option<Core> {
        let before = sched_getaffinity(OWN).ok()?;
        let mut tracers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let current = sched_getcpu().ok();
        let load = |core: &usize| (tracers.get(core).copied().unwrap_or_default(), Some(*core) != current);
        let usable = (0..CpuSet::count()).filter(|core| before.is_set(*core) == Ok(true));
        let number = usable.min_by_key(load)?;
        let mut only = CpuSet::new();
        only.set(number).ok()?;
        sched_setaffinity(OWN, &only).ok()?;
        *tracers.entry(number).or_default() += 1;
        Some(Core { cores: self, number, before })
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        let mut tracers = self.cores.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tracers) = tracers.get_mut(&self.number) {
            *tracers -= 1;
        }
        sched_setaffinity(OWN, &self.before).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::sync::Barrier;

    fn usable() -> Vec<usize> {
        let set = sched_getaffinity(OWN).unwrap();
        (0..CpuSet::count()).filter(|core| set.is_set(*core).unwrap()).collect()
    }

    #[test]
    fn as_many_cores_are_used_as_there_are_tracers() {
        // Other tests have tracers, too.
        static CORES: Cores = Cores::new();
        let all = usable();
        for tracers in [1, 2, all.len(), 2 * all.len() + 1] {
            let bound = Barrier::new(tracers);
            let trace = || {
                let core = CORES.bind().unwrap();
                bound.wait();
                let number = core.number;
                assert_eq!(usable(), [number]);
                drop(core);
                assert_eq!(usable(), all);
                number
            };
            let used: BTreeSet<usize> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..tracers).map(|_| scope.spawn(trace)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert_eq!(used.len(), tracers.min(all.len()), "{used:?} of {all:?} by {tracers}");
            assert!(CORES.0.lock().unwrap().values().all(|tracers| *tracers == 0));
        }
    }
}
