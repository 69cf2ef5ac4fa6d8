//! A bell for a thread that waits for what it traces. Such a wait ends for a child only, so the bell is one: a small
//! process that stops itself whenever somebody rings. As the [reaper](super::reaper), it runs in the memory of the process
//! that made it, or in a copy, and calls no C library.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::eventfd::EventFd;
use nix::sys::signal::{Signal, kill};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::unistd::Pid;

use super::launch::shares_memory;
use super::raw::{self, call};
use super::stack::Stack;
use super::wait;

/// A running bell. It ends when this is dropped, and with the thread that made it.
#[derive(Debug)]
pub(crate) struct Bell {
    pid: Pid,
    timer: TimerFd,
    /// Whether the timer may go off.
    is_set: Cell<bool>,
    rope: Arc<EventFd>,
    /// `None` only once this is being dropped.
    stack: Option<Stack>,
    /// What the process works from.
    _ears: Box<Ears>,
}

/// What the bell listens to, and for whom.
#[derive(Debug)]
struct Ears {
    rope: RawFd,
    timer: RawFd,
    parent: u32,
}

impl Bell {
    /// Hangs a bell that rings whenever somebody adds to `rope`, which must not block.
    pub(crate) fn hang(rope: Arc<EventFd>) -> io::Result<Self> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        let (rope_fd, timer_fd) = (rope.as_fd().as_raw_fd(), timer.as_fd().as_raw_fd());
        let ears = Box::new(Ears { rope: rope_fd, timer: timer_fd, parent: std::process::id() });
        let stack = Stack::take()?;
        let flags = if shares_memory() { libc::CLONE_VM } else { 0 };
        // It keeps the mask: no handler of ours is to run there.
        let before = raw::set_signal_mask(&[usize::MAX; _]);
        // SAFETY: the stack is given back only when the process has ended, and `ears` lives as long. It calls no C library.
        let hung = unsafe { raw::clone(flags, stack.top_less(0), ring, &*ears) };
        before.and_then(|before| raw::set_signal_mask(&before)).ok();
        match hung {
            Ok(pid) => {
                Ok(Bell { pid, timer, is_set: Cell::new(false), rope, stack: Some(stack), _ears: ears })
            }
            Err(errno) => {
                // SAFETY: there is no such process.
                unsafe { stack.give_back() };
                Err(errno.into())
            }
        }
    }

    /// The process that stops when the bell rings.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Has it ring once after `delay`, instead of when it was to ring before.
    pub(crate) fn ring_after(&self, delay: Duration) {
        let expiration = Expiration::OneShot(TimeSpec::from_duration(delay.max(Duration::from_nanos(1))));
        self.is_set.set(true);
        self.timer.set(expiration, TimerSetTimeFlags::empty()).ok();
    }

    /// Takes back what `ring_after` asked for.
    pub(crate) fn forget(&self) {
        if self.is_set.replace(false) {
            self.timer.unset().ok();
        }
    }

    /// Has it listen again, once it was seen to have stopped.
    pub(crate) fn rouse(&self) {
        self.rope.read().ok();
        // It does not block, and that it was unset meanwhile is no failure.
        self.timer.wait().ok();
        kill(self.pid, Signal::SIGCONT).ok();
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        // It has not been waited for, so the number is its own.
        kill(self.pid, Signal::SIGKILL).ok();
        wait::bury(self.pid);
        // SAFETY: it has ended.
        self.stack.take().into_iter().for_each(|stack| unsafe { stack.give_back() });
    }
}

/// Is the bell.
extern "C" fn ring(ears: &Ears) -> ! {
    let (rope, timer, expected) = (ears.rope, ears.timer, ears.parent);
    // SAFETY: integers, and a name that ends with NUL and is only read.
    let (own, parent) = unsafe {
        // Who has stopped notices nothing, not even that nobody is left to let it go on.
        call!(libc::SYS_prctl, libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0).ok();
        call!(libc::SYS_setsid).ok();
        call!(libc::SYS_prctl, libc::PR_SET_NAME, c"dp-bell".as_ptr()).ok();
        (call!(libc::SYS_getpid), call!(libc::SYS_getppid))
    };
    if parent != Ok(expected as usize) {
        // Its death was too early to be told of.
        raw::exit(0);
    }
    let (low, high) = (rope.min(timer), rope.max(timer));
    raw::close_range(0, low - 1, 0).ok();
    raw::close_range(low + 1, high - 1, 0).ok();
    raw::close_range(high + 1, RawFd::MAX, 0).ok();
    let Ok(own) = own else { raw::exit(1) };
    let polled = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let (no_timeout, no_mask) = (ptr::null::<libc::timespec>(), ptr::null::<usize>());
    loop {
        let mut fds = [polled(rope), polled(timer)];
        // SAFETY: the kernel writes to the two entries, which are borrowed mutably.
        let ready = unsafe { call!(libc::SYS_ppoll, fds.as_mut_ptr(), fds.len(), no_timeout, no_mask, 0) };
        if ready.is_ok() {
            // SAFETY: integers only.
            unsafe { call!(libc::SYS_kill, own, libc::SIGSTOP) }.ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::eventfd::EfdFlags;

    use super::*;
    use crate::sys::ptrace::{wait_any, wait_now};

    /// In a thread of its own, which has no other children.
    #[test]
    fn it_rings_when_somebody_pulls_and_after_a_while() {
        let test = || {
            let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
            let rope = Arc::new(EventFd::from_flags(flags).unwrap());
            let bell = Bell::hang(Arc::clone(&rope)).unwrap();
            for pulls in [true, false, true] {
                assert_eq!(wait_now(), Ok(None));
                match pulls {
                    true => drop(rope.write(1).unwrap()),
                    false => bell.ring_after(Duration::from_millis(1)),
                }
                let (pid, status) = wait_any().unwrap();
                assert!(pid == bell.pid() && libc::WIFSTOPPED(status), "{pid}: {status:#x}");
                bell.rouse();
            }
        };
        std::thread::spawn(test).join().unwrap();
    }
}
