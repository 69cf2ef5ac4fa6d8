//! What somebody needs who plays the kernel's timers to another process: timerfd_create(2), rt_sigqueueinfo(2), kcmp(2).

use std::os::fd::{AsFd, AsRawFd, RawFd};

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::unistd::Pid;

/// `_IOW('T', 0, __u64)`, of the kernel's `linux/timerfd.h`.
const TFD_IOC_SET_TICKS: libc::Ioctl = 0x4008_5400;

/// Stops a timer descriptor, and forgets how often it has expired.
pub(crate) fn stop(timer: impl AsFd) -> nix::Result<()> {
    set(timer, 0)
}

/// Has a timer descriptor have expired `times` times more than were read.
pub(crate) fn expire(timer: impl AsFd, times: u64) -> nix::Result<()> {
    let fd = timer.as_fd().as_raw_fd();
    let ticks = unread(fd).saturating_add(times);
    // SAFETY: the kernel reads one number.
    let told = Errno::result(unsafe { libc::ioctl(fd, TFD_IOC_SET_TICKS, &raw const ticks) });
    match told {
        Ok(_) => Ok(()),
        // A kernel without CONFIG_CHECKPOINT_RESTORE: several expirations look like one.
        Err(_) => set(timer, 1),
    }
}

/// How often it has expired since it was read.
fn unread(timer: RawFd) -> u64 {
    told(timer, "ticks:").and_then(|ticks| u64::try_from(ticks).ok()).unwrap_or(0)
}

/// The number of the clock that a timer descriptor follows; `None` if it is none.
pub(crate) fn clock_of(timer: impl AsFd) -> Option<i32> {
    told(timer.as_fd().as_raw_fd(), "clockid:").and_then(|clock| i32::try_from(clock).ok())
}

/// What is told of a descriptor of ours in a line that begins with `name`.
fn told(fd: RawFd, name: &str) -> Option<i64> {
    let text = std::fs::read_to_string(format!("/proc/thread-self/fdinfo/{fd}")).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

/// To expire once in as many nanoseconds, or never.
fn set(timer: impl AsFd, nanoseconds: i64) -> nix::Result<()> {
    let time = |tv_nsec| libc::timespec { tv_sec: 0, tv_nsec };
    let new = libc::itimerspec { it_interval: time(0), it_value: time(nanoseconds) };
    // SAFETY: the kernel reads one struct, and writes none.
    let set =
        unsafe { libc::timerfd_settime(timer.as_fd().as_raw_fd(), 0, &raw const new, std::ptr::null_mut()) };
    Errno::result(set).map(drop)
}

/// Whether our descriptor `own` and the descriptor `fd` of `process` are the same open file.
pub(crate) fn is_same_file(own: impl AsFd, process: Pid, fd: RawFd) -> bool {
    const KCMP_FILE: i32 = 0;
    let (us, own) = (std::process::id(), own.as_fd().as_raw_fd());
    // SAFETY: integers only.
    let order = unsafe { libc::syscall(libc::SYS_kcmp, us, process.as_raw(), KCMP_FILE, own, fd) };
    order == 0
}

/// To whom the expiration of a timer is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receiver {
    Process(Pid),
    Thread { process: Pid, thread: Pid },
}

/// The start of a `siginfo_t` that tells of a timer of timer_create(2), as far as the kernel looks at it.
#[repr(C)]
struct TimerInfo {
    signo: i32,
    errno: i32,
    code: i32,
    _aligned: i32,
    timer: i32,
    overrun: i32,
    value: u64,
    _rest: [u64; 12],
}

/// Sends the signal with which the timer `timer` of timer_create(2) says that it has expired.
pub(crate) fn announce(to: Receiver, signo: i32, timer: i32, overrun: i32, value: u64) -> nix::Result<()> {
    let code = libc::SI_TIMER;
    let info = TimerInfo { signo, errno: 0, code, _aligned: 0, timer, overrun, value, _rest: [0; 12] };
    let info = &raw const info;
    // SAFETY: the kernel reads a siginfo_t, which is as long as this struct.
    let sent = unsafe {
        match to {
            Receiver::Process(process) => {
                libc::syscall(libc::SYS_rt_sigqueueinfo, process.as_raw(), signo, info)
            }
            Receiver::Thread { process, thread } => {
                libc::syscall(libc::SYS_rt_tgsigqueueinfo, process.as_raw(), thread.as_raw(), signo, info)
            }
        }
    };
    Errno::result(sent).map(drop)
}

const _: () = assert!(size_of::<TimerInfo>() == size_of::<libc::siginfo_t>());

/// If the signal that is about to be delivered to a stopped task was sent by this process with kill(2), makes it look as
/// if the kernel had sent it, as when a timer of setitimer(2) expires.
pub(crate) fn disguise_alarm(task: Pid) -> nix::Result<()> {
    let mut info = ptrace::getsiginfo(task)?;
    // SAFETY: what kill(2) sends has a sender, and without one the field is zero.
    let sender = unsafe { info.si_pid() };
    if info.si_code == libc::SI_USER && Ok(sender) == i32::try_from(std::process::id()) {
        info = kernel_info(info.si_signo);
        ptrace::setsiginfo(task, &info)?;
    }
    Ok(())
}

fn kernel_info(signo: i32) -> libc::siginfo_t {
    // SAFETY: all-zero bytes are a valid siginfo_t.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    info.si_signo = signo;
    info.si_code = libc::SI_KERNEL;
    info
}

#[cfg(test)]
mod tests {
    use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};

    use super::*;

    #[test]
    fn expirations_add_up_until_they_are_read() {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK).unwrap();
        let read = || nix::unistd::read(&timer, &mut [0; 8]);
        assert_eq!(read(), Err(Errno::EAGAIN));
        expire(&timer, 2).unwrap();
        expire(&timer, 3).unwrap();
        let mut ticks = [0; 8];
        nix::unistd::read(&timer, &mut ticks).unwrap();
        assert_eq!(u64::from_ne_bytes(ticks), 5);
        assert_eq!(read(), Err(Errno::EAGAIN));
        expire(&timer, 1).unwrap();
        stop(&timer).unwrap();
        assert_eq!(read(), Err(Errno::EAGAIN));
    }

    #[test]
    fn an_open_file_is_known_by_each_of_its_numbers() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let (copy, other) = (file.try_clone().unwrap(), std::fs::File::open("/dev/null").unwrap());
        assert!(is_same_file(&file, Pid::this(), copy.as_raw_fd()));
        assert!(!is_same_file(&file, Pid::this(), other.as_raw_fd()));
        assert!(!is_same_file(&file, Pid::this(), -1));
    }
}
