//! Whether all tasks are asleep.
//!
//! That a task falls asleep is not announced, so this looks. A task that is ready to run is not asleep, however loaded the
//! machine is. (Its state is not enough to go by: on its way to sleep a task says that it sleeps before it looks for the
//! last time whether it has to, and there it may lose its core.) One that was woken and has fallen asleep again between two
//! looks has been switched away from once more, which the kernel counts. So if two looks one after the other find all
//! tasks asleep and all counts unchanged, all of them were asleep at once in between, and nothing but time or somebody else
//! can wake one.

use std::time::{Duration, Instant};

use nix::unistd::Pid;

/// How long all must have been asleep if one of them may wait for what is already on its way to it: the kernel delivers
/// what was written to a terminal or a TCP connection a little later.
const GRACE: Duration = Duration::from_millis(1);

/// First and longest time until the next look while somebody is awake.
const PAUSE: Duration = Duration::from_micros(50);
const PAUSE_MAX: Duration = Duration::from_millis(16);

/// What is known of the tasks' rest.
#[derive(Debug)]
pub(super) struct Idle {
    /// What the last look found, and since when that is so.
    calm: Option<(Vec<Seen>, Instant)>,
    pause: Duration,
    /// Whether a look was put off since something has happened.
    put_off: bool,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// All are asleep.
    Asleep,
    /// Look again after this time.
    LookAfter(Duration),
}

/// A task that is asleep, and how often it has been switched away from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    task: Pid,
    switches: u64,
}

impl Idle {
    pub(super) fn new() -> Self {
        Idle { calm: None, pause: PAUSE, put_off: false }
    }

    /// Something has happened.
    pub(super) fn disturb(&mut self) {
        *self = Self::new();
    }

    /// Judges what `look` finds: every task asleep, or nothing because one is not. It is not asked at once after something has
    /// happened, because then somebody is awake. If `at_once`, one look is enough: nobody can be woken by another task without
    /// that one's telling us.
    pub(super) fn judge(&mut self, at_once: bool, look: impl FnOnce() -> Option<Vec<Seen>>) -> Rest {
        if !std::mem::replace(&mut self.put_off, true) {
            return Rest::LookAfter(PAUSE);
        }
        let Some(found) = look() else {
            self.calm = None;
            self.pause = (self.pause * 2).min(PAUSE_MAX);
            return Rest::LookAfter(self.pause);
        };
        match &self.calm {
            _ if at_once => Rest::Asleep,
            Some((before, since)) if *before == found => match GRACE.saturating_sub(since.elapsed()) {
                Duration::ZERO => Rest::Asleep,
                left => Rest::LookAfter(left),
            },
            _ => {
                self.calm = Some((found, Instant::now()));
                Rest::LookAfter(GRACE)
            }
        }
    }
}

/// What `/proc` tells of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Status {
    /// `R`, `S`, `Z`, ...
    pub(super) state: u8,
    /// The process that it belongs to.
    pub(super) process: Pid,
    pub(super) parent: Pid,
    switches: u64,
}

impl Status {
    /// `None` if there is no such task.
    pub(super) fn of(task: Pid) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(format!("/proc/{task}/status")).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim_start))
        };
        let count = |name| field(name)?.parse::<u64>().ok();
        Some(Status {
            state: *field("State")?.as_bytes().first()?,
            process: Pid::from_raw(field("Tgid")?.parse().ok()?),
            parent: Pid::from_raw(field("PPid")?.parse().ok()?),
            switches: count("voluntary_ctxt_switches")? + count("nonvoluntary_ctxt_switches")?,
        })
    }

    /// Whether a task whose state is a sleep has left its core, and does not wait for one.
    pub(super) fn is_off_its_core(task: Pid) -> bool {
        // The kernel says "running" of all others. Where it has not that file, the state must do.
        let call = std::fs::read(format!("/proc/{task}/syscall")).unwrap_or_default();
        !call.starts_with(b"running")
    }

    pub(super) fn seen(&self, task: Pid) -> Seen {
        Seen { task, switches: self.switches }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(switches: u64) -> Option<Vec<Seen>> {
        Some(vec![Seen { task: Pid::from_raw(7), switches }])
    }

    /// As [`Idle::judge`], long enough after the last look.
    fn later(idle: &mut Idle, found: Option<Vec<Seen>>) -> Rest {
        if let Some((_, since)) = &mut idle.calm {
            *since -= GRACE;
        }
        idle.judge(false, || found)
    }

    #[test]
    fn all_are_asleep_if_two_looks_find_the_same() {
        let mut idle = Idle::new();
        assert_eq!(idle.judge(true, || panic!("somebody is awake")), Rest::LookAfter(PAUSE));
        assert_eq!(later(&mut idle, seen(1)), Rest::LookAfter(GRACE));
        assert_eq!(later(&mut idle, seen(1)), Rest::Asleep);
        assert_eq!(later(&mut idle, seen(1)), Rest::Asleep);
        assert_eq!(later(&mut idle, seen(2)), Rest::LookAfter(GRACE));
        assert_eq!(later(&mut idle, None), Rest::LookAfter(PAUSE * 2));
        assert_eq!(later(&mut idle, seen(2)), Rest::LookAfter(GRACE));
        assert!(matches!(idle.judge(false, || seen(2)), Rest::LookAfter(_)));
        assert_eq!(idle.judge(true, || seen(3)), Rest::Asleep);
        idle.disturb();
        assert_eq!(later(&mut idle, seen(2)), Rest::LookAfter(PAUSE));
    }

    #[test]
    fn who_runs_is_on_its_core() {
        let (tell, told) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let spin = move || {
            tell.send(nix::unistd::gettid()).unwrap();
            while ended.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {}
        };
        let spinner = std::thread::spawn(spin);
        assert!(!Status::is_off_its_core(told.recv().unwrap()));
        drop(end);
        spinner.join().unwrap();
    }

    #[test]
    fn the_status_of_a_task_is_understood() {
        let status = Status::of(Pid::this()).unwrap();
        assert!(status.process == Pid::this() && status.parent == Pid::parent(), "{status:?}");
        assert!(status.switches > 0, "{status:?}");
        assert!(b"RS".contains(&status.state), "{status:?}");
        assert_eq!(Status::parse("Name:\tx\nState:\tS (sleeping)\n"), None);
    }
}
