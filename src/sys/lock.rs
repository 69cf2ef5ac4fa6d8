//! File locks that are waited for until a deadline: `fcntl(2)` with `timer_create(2)`.
//!
//! The kernel has no lock call with a timeout, only one that a signal interrupts. So the wait arms a timer
//! that signals this very thread. All of it is async-signal-safe: a dying daemon waits here in its handler.

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask, raise};
use std::mem;
use std::os::fd::BorrowedFd;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[cfg(not(target_pointer_width = "64"))]
compile_error!("daemonproof needs 64-bit Linux: on others, locks and timers have other structures");

/// The signal that ends a wait. While the wait lasts, its disposition is ours; if the program's own arrives then, it is
/// sent once more afterwards.
const WAKE: Signal = Signal::SIGALRM;

/// After the first, the timer signals again at this interval, in case the first arrived just before the wait.
const REPEAT_MS: i64 = 20;

/// A record lock of `kind` (`F_WRLCK`, `F_RDLCK`, `F_UNLCK`) over `length` bytes from `start`; 0 is "to the end".
pub(crate) fn range(kind: i32, start: i64, length: i64) -> libc::flock {
    // SAFETY: flock is plain integers, for which zero is a valid value.
    let mut lock: libc::flock = unsafe { mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock.l_start = start;
    lock.l_len = length;
    lock
}

/// Takes an open-file-description lock, waiting at most `limit` for whoever holds it.
///
/// It does not try first without waiting: then there would be twice as many ways for two processes to meet here, and the
/// timer costs a few microseconds.
///
/// # Errors
/// `ETIMEDOUT` when the time has passed, otherwise what `fcntl(2)` says.
pub(crate) fn lock_within(fd: BorrowedFd<'_>, lock: &libc::flock, limit: Duration) -> Result<(), Errno> {
    let timer = match WakeTimer::start(limit) {
        Ok(timer) => timer,
        // Out of timers (RLIMIT_SIGPENDING). A lock that is free can be taken all the same.
        Err(errno) => return fcntl(fd, FcntlArg::F_OFD_SETLK(lock)).map(drop).map_err(|_| errno),
    };
    loop {
        match fcntl(fd, FcntlArg::F_OFD_SETLKW(lock)) {
            Err(Errno::EINTR) if timer.expired() => return Err(Errno::ETIMEDOUT),
            Err(Errno::EINTR) => {}
            other => return other.map(drop),
        }
    }
}

/// A timer that interrupts the calling thread, with what must be put back afterwards.
struct WakeTimer {
    id: libc::c_int,
    action: libc::sigaction,
    mask: SigSet,
    end: libc::timespec,
}

/// Whether a signal arrived that is not of a timer of ours, but the program's own.
static OTHERS: AtomicBool = AtomicBool::new(false);

extern "C" fn wake(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel passes a siginfo_t to a handler that was set with SA_SIGINFO.
    if unsafe { (*info).si_code } != libc::SI_TIMER {
        OTHERS.store(true, Ordering::SeqCst);
    }
}

impl WakeTimer {
    fn start(limit: Duration) -> Result<Self, Errno> {
        let mut wake_action = handler_action(wake as *const () as usize);
        wake_action.sa_flags = libc::SA_SIGINFO;
        // SAFETY: the handler only writes to an atomic variable; both pointers are valid for one sigaction.
        let result = unsafe {
            let mut previous = handler_action(libc::SIG_DFL);
            let result = libc::sigaction(WAKE as i32, &wake_action, &mut previous);
            wake_action = previous;
            result
        };
        Errno::result(result)?;
        let mut unblocked = SigSet::empty();
        unblocked.add(WAKE);
        let mut mask = SigSet::empty();
        pthread_sigmask(SigmaskHow::SIG_UNBLOCK, Some(&unblocked), Some(&mut mask))?;
        let mut timer = Self { id: -1, action: wake_action, mask, end: after(limit) };
        timer.arm(limit)?;
        Ok(timer)
    }

    /// From here on `self` is dropped on every path, which puts the handler and the mask back.
    fn arm(&mut self, limit: Duration) -> Result<(), Errno> {
        // SAFETY: sigevent is plain integers, for which zero is a valid value.
        let mut event: libc::sigevent = unsafe { mem::zeroed() };
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = WAKE as i32;
        // SAFETY: gettid has no preconditions.
        event.sigev_notify_thread_id = unsafe { libc::gettid() };
        let spec = libc::itimerspec {
            it_value: timespec(limit.max(Duration::from_nanos(1))),
            it_interval: libc::timespec { tv_sec: 0, tv_nsec: REPEAT_MS * 1_000_000 },
        };
        // The system calls themselves: glibc's timer_create may allocate, which a signal handler must not.
        // SAFETY: `event`, `self.id` and `spec` are valid for the call; a null old value is allowed.
        unsafe {
            Errno::result(libc::syscall(
                libc::SYS_timer_create,
                libc::CLOCK_MONOTONIC,
                &event,
                &mut self.id,
            ))?;
            Errno::result(libc::syscall(
                libc::SYS_timer_settime,
                self.id,
                0,
                &spec,
                ptr::null_mut::<libc::itimerspec>(),
            ))?;
        }
        Ok(())
    }

    fn expired(&self) -> bool {
        let now = now();
        (now.tv_sec, now.tv_nsec) >= (self.end.tv_sec, self.end.tv_nsec)
    }
}

impl Drop for WakeTimer {
    fn drop(&mut self) {
        // SAFETY: `id` is a timer of ours or -1, which is refused; `action` is what sigaction gave us.
        unsafe {
            libc::syscall(libc::SYS_timer_delete, self.id);
            libc::sigaction(WAKE as i32, &self.action, ptr::null_mut());
        }
        let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&self.mask), None);
        if OTHERS.swap(false, Ordering::SeqCst) {
            // To this thread, as the timer's: where it was blocked it goes on waiting.
            let _ = raise(WAKE);
        }
    }
}

fn handler_action(handler: usize) -> libc::sigaction {
    // SAFETY: sigaction is integers and an optional function pointer, for which zero is a valid value.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = handler;
    action
}

fn now() -> libc::timespec {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is valid for the write; the monotonic clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now
}

fn after(limit: Duration) -> libc::timespec {
    let (now, limit) = (now(), timespec(limit));
    let nanoseconds = now.tv_nsec + limit.tv_nsec;
    libc::timespec {
        tv_sec: now.tv_sec.saturating_add(limit.tv_sec).saturating_add(nanoseconds / 1_000_000_000),
        tv_nsec: nanoseconds % 1_000_000_000,
    }
}

fn timespec(duration: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: duration.as_secs().min(i32::MAX as u64) as _,
        tv_nsec: duration.subsec_nanos().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::memfd::{MFdFlags, memfd_create};
    use std::fs::File;
    use std::os::fd::{AsFd, AsRawFd};

    static ARRIVED: AtomicBool = AtomicBool::new(false);

    extern "C" fn arrived(_: libc::c_int) {
        ARRIVED.store(true, Ordering::SeqCst);
    }

    #[test]
    fn a_wait_ends_in_time_and_swallows_no_signal_of_the_programs_own() {
        let holder = memfd_create(c"lock", MFdFlags::MFD_CLOEXEC).unwrap();
        let again = format!("/proc/self/fd/{}", holder.as_raw_fd());
        let waiter = File::options().write(true).open(again).unwrap();
        let lock = range(libc::F_WRLCK, 0, 1);
        lock_within(holder.as_fd(), &lock, Duration::ZERO).unwrap();
        let before = handler_action(libc::SIG_DFL);
        let mut own = handler_action(arrived as *const () as usize);
        // SAFETY: the handler only writes to an atomic variable; no other test of this process handles SIGALRM.
        unsafe {
            libc::sigaction(WAKE as i32, &own, ptr::null_mut());
        }
        let mut mask = SigSet::empty();
        mask.add(WAKE);
        // Blocked, it arrives as soon as the wait lets it.
        pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&mask), None).unwrap();
        raise(WAKE).unwrap();
        let waited = lock_within(waiter.as_fd(), &lock, Duration::from_millis(30));
        assert_eq!((waited, ARRIVED.load(Ordering::SeqCst)), (Err(Errno::ETIMEDOUT), false));
        pthread_sigmask(SigmaskHow::SIG_UNBLOCK, Some(&mask), None).unwrap();
        assert!(ARRIVED.load(Ordering::SeqCst), "the program's own signal was swallowed");
        // SAFETY: `own` is valid for the write, `before` for the read.
        unsafe {
            libc::sigaction(WAKE as i32, &before, &mut own);
        }
        assert_eq!(own.sa_sigaction, arrived as *const () as usize);
    }
}
