//! The clock of a tree of processes, as a test holds it, and what it shares with the thread that keeps it.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::eventfd::{EfdFlags, EventFd};

use super::TraceError;
use super::clock::{Nanos, SECOND, VirtualClock, Which, duration};
use super::timekeeper;
use crate::sys::launch::Gate;

/// The clock of a command that was started with virtual time, and of everything that descends from it.
///
/// It stands still, but for the microsecond that each look at it takes, until somebody lets time pass: a wait of the
/// harness for the daemon, [`advance`](Clock::advance), or [`flow`](Clock::flow). Then, whenever all processes of the tree
/// are asleep, it jumps to the next moment for which one of them has asked to be woken.
///
/// `docs/virtual-time.md` says which calls follow it, and what does not.
#[derive(Debug)]
pub struct Clock {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// While one of these is there, time passes by itself; see [`Clock::flow`].
#[derive(Debug)]
#[must_use = "time passes only as long as this is kept"]
pub struct Flow<'a>(&'a Clock);

/// What both sides know.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// Something that [`Clock::advance`] waits for has happened.
    changed: Condvar,
    /// Wakes the keeper.
    rope: Arc<EventFd>,
    /// Readable while [`State::quiet`] is set.
    quiet: EventFd,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) clock: VirtualClock,
    /// As many waits look at the tree before each jump and permit it.
    pub(super) watchers: u32,
    /// As many want jumps without being asked.
    pub(super) flows: u32,
    /// Time is to pass until then.
    pub(super) advance_to: Option<Nanos>,
    /// All are asleep, and nothing has happened since this number was given out.
    quiet: Option<Quiet>,
    /// Goes up when something happens in the tree, and with each jump.
    generation: u64,
    /// Whether it was said of this generation that all are asleep.
    announced: bool,
    permit: Option<(Quiet, Option<Nanos>)>,
    /// Whether it is known that no process is left.
    pub(super) is_retired: bool,
    /// Whether nothing is left, or cannot be followed any more.
    over: bool,
    failure: Option<TraceError>,
}

/// A moment in which all processes were asleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quiet(u64);

/// How long [`Clock::advance`] waits for the processes to come to rest.
const PATIENCE: Duration = Duration::from_secs(60);

impl Clock {
    /// Makes a clock for a command that is about to be launched through the gate that comes with it; it goes on from where
    /// `former` stands.
    pub(crate) fn new(former: Option<&Clock>) -> Result<(Self, Gate), TraceError> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let eventfd = || EventFd::from_flags(flags).map_err(|errno| TraceError::Nest(errno.into()));
        let clock = former.map_or_else(VirtualClock::from_now, |former| former.shared.lock().clock);
        let state = Mutex::new(State::new(clock));
        let (rope, quiet) = (Arc::new(eventfd()?), eventfd()?);
        let shared = Arc::new(Shared { state, changed: Condvar::new(), rope, quiet });
        let (gate, thread) = timekeeper::start(Arc::clone(&shared)).map_err(TraceError::Nest)?;
        Ok((Clock { shared, thread: Mutex::new(Some(thread)) }, gate))
    }

    /// What the wall clock of the daemon shows, CLOCK_REALTIME.
    pub fn now(&self) -> SystemTime {
        UNIX_EPOCH + duration(self.shared.lock().clock.show(Which::Realtime))
    }

    /// How much time has passed for the daemon since it was started; after a restart, since the first start. A step of the
    /// wall clock is no passing of time.
    pub fn passed(&self) -> Duration {
        duration(self.shared.lock().clock.passed())
    }

    /// Lets so much time pass, as a sleep of that length would: all that becomes due meanwhile does, in order, each time
    /// the processes may do what they then have to do, and so they may at the end.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use daemonproof::prelude::*;
    ///
    /// let sandbox = Sandbox::new()?;
    /// let script = "while sleep 3600; do echo tick; done";
    /// let daemon = sandbox.daemon("sh").args(["-c", script]).virtual_time().start();
    /// daemon.clock().advance(Duration::from_secs(4 * 3600 + 60))?;
    /// daemon.output().assert(stdout(predicate::eq("tick\n".repeat(4))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`TraceError::Restless`] if the processes do not come to rest within a minute of real time, and whatever has
    /// ended the tracing.
    pub fn advance(&self, time: Duration) -> Result<(), TraceError> {
        let began = Instant::now();
        let mut state = self.shared.lock();
        let target = state.clock.passed() + time.as_nanos().cast_signed();
        state.advance_to = Some(state.advance_to.map_or(target, |other| other.max(target)));
        self.shared.ring();
        while state.advance_to.is_some() && !state.over {
            let left = PATIENCE.saturating_sub(began.elapsed());
            if left.is_zero() {
                state.advance_to = None;
                return Err(TraceError::Restless { waited: PATIENCE });
            }
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.advance_to = None;
        state.clock.pass_until(target);
        state.failure.take().map_or(Ok(()), Err)
    }

    /// Sets the wall clock forward by so many seconds, or back if they are negative, as an administrator may. No time
    /// passes: only what waits for a certain time of CLOCK_REALTIME notices.
    pub fn step_realtime(&self, seconds: i64) {
        self.shared.lock().clock.step_realtime(Nanos::from(seconds) * SECOND);
        self.shared.ring();
    }

    /// Lets time pass until the value that is returned is dropped, for a test that waits by other means than those of this
    /// crate: for an answer of the daemon on a socket, for instance.
    pub fn flow(&self) -> Flow<'_> {
        self.shared.lock().flows += 1;
        self.shared.ring();
        Flow(self)
    }

    /// Announces a wait that looks before each jump.
    pub(crate) fn watch(&self) {
        self.shared.lock().watchers += 1;
        self.shared.ring();
    }

    /// Ends what [`Clock::watch`] has begun.
    pub(crate) fn unwatch(&self) {
        let mut state = self.shared.lock();
        state.watchers -= 1;
        if state.watchers == 0 {
            self.shared.disturb(&mut state);
        }
    }

    /// Whether all processes are asleep now. Readiness of this clock's descriptor says so too.
    pub(crate) fn quiet(&self) -> Option<Quiet> {
        self.shared.lock().quiet
    }

    /// Permits one jump from there: to what is due next, but not beyond `limit`.
    pub(crate) fn permit(&self, quiet: Quiet, limit: Option<Duration>) {
        let mut state = self.shared.lock();
        if state.quiet == Some(quiet) {
            self.shared.take_back(&mut state);
            state.permit = Some((quiet, limit.map(|limit| limit.as_nanos().cast_signed())));
            self.shared.ring();
        }
    }

    /// Why the processes cannot be followed any more, if that is so; told once.
    pub(crate) fn failure(&self) -> Option<TraceError> {
        self.shared.lock().failure.take()
    }

    /// Ends the keeper, once no process is left, and waits for that.
    pub(crate) fn retire(&self) {
        self.shared.lock().is_retired = true;
        self.shared.ring();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        thread.into_iter().for_each(|thread| drop(thread.join()));
    }
}

impl AsFd for Clock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.quiet.as_fd()
    }
}

impl Drop for Flow<'_> {
    fn drop(&mut self) {
        self.0.shared.lock().flows -= 1;
    }
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn rope(&self) -> Arc<EventFd> {
        Arc::clone(&self.rope)
    }

    fn ring(&self) {
        // It fails when it was pulled 2^64 times and nobody came.
        self.rope.write(1).ok();
    }

    /// Something has happened: what was said of the tree is no longer so.
    pub(super) fn disturb(&self, state: &mut State) {
        state.generation += 1;
        state.announced = false;
        state.permit = None;
        self.take_back(state);
    }

    fn take_back(&self, state: &mut State) {
        if state.quiet.take().is_some() {
            self.quiet.read().ok();
        }
    }

    /// Says that all are asleep, once.
    pub(super) fn announce(&self, state: &mut State) {
        if !state.announced {
            state.announced = true;
            state.quiet = Some(Quiet(state.generation));
            self.quiet.write(1).ok();
        }
    }

    pub(super) fn advanced(&self, state: &mut State) {
        state.advance_to = None;
        self.changed.notify_all();
    }

    pub(super) fn end(&self, outcome: Result<(), TraceError>) {
        let mut state = self.lock();
        self.disturb(&mut state);
        state.over = true;
        state.failure = outcome.err();
        self.changed.notify_all();
    }
}

impl State {
    fn new(clock: VirtualClock) -> Self {
        State {
            clock,
            watchers: 0,
            flows: 0,
            advance_to: None,
            quiet: None,
            generation: 0,
            announced: false,
            permit: None,
            is_retired: false,
            over: false,
            failure: None,
        }
    }

    /// Whether somebody wants to know when all are asleep.
    pub(super) fn is_awaited(&self) -> bool {
        self.watchers > 0 || self.flows > 0 || self.advance_to.is_some()
    }

    /// The jump that was permitted, if that is still so: how far at most.
    pub(super) fn take_permit(&mut self) -> Option<Option<Nanos>> {
        self.permit.take().filter(|(quiet, _)| quiet.0 == self.generation).map(|(_, limit)| limit)
    }
}
