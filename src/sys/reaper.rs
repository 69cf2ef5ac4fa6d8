//! The reaper: a small process that adopts whatever one started command leaves behind, reports how each of
//! those processes ended, and kills them all when the process that asked for it goes away.
//!
//! It never executes a program of its own but runs on in the memory of that process, or in a copy of it. So for its whole
//! life it neither allocates, locks nor panics, touches no thread-local variable, and calls no C library.
//!
//! It is the child subreaper of the command's tree. Any descendant therefore either has a living parent in the
//! tree or is a child of the reaper, and "no child left" means "no descendant left".

use std::os::fd::RawFd;
use std::ptr;

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use super::children;
use super::raw::{self, SignalMask, call};

/// What the reaper reports, each as [`RECORD_LEN`] bytes in the machine's byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The command has executed its program; or it could not, and this follows on `Failed`.
    Started(Pid),
    /// A call before that failed, in the reaper or in the command.
    Failed(Errno),
    /// A process ended, with its status as wait(2) encodes it. It is still a zombie when this is written.
    Exited(Pid, i32),
    /// No process is left; the reaper exits.
    Empty,
}

/// Length of an encoded [`Event`] in bytes; less than `PIPE_BUF`, so no record is torn.
pub(crate) const RECORD_LEN: usize = 12;

impl Event {
    fn encode(self) -> [u8; RECORD_LEN] {
        let (kind, pid, status) = match self {
            Event::Started(pid) => (1, pid.as_raw(), 0),
            Event::Exited(pid, status) => (2, pid.as_raw(), status),
            Event::Empty => (3, 0, 0),
            Event::Failed(errno) => (4, 0, errno as i32),
        };
        let mut record = [0; RECORD_LEN];
        let fields = [kind, pid, status].into_iter().flat_map(i32::to_ne_bytes);
        record.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        record
    }

    pub(crate) fn decode(record: &[u8; RECORD_LEN]) -> Option<Event> {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *record;
        let pid = Pid::from_raw(i32::from_ne_bytes([e, f, g, h]));
        let status = i32::from_ne_bytes([i, j, k, l]);
        match i32::from_ne_bytes([a, b, c, d]) {
            1 => Some(Event::Started(pid)),
            2 => Some(Event::Exited(pid, status)),
            3 => Some(Event::Empty),
            4 => Some(Event::Failed(Errno::from_raw(status))),
            _ => None,
        }
    }
}

/// The descriptors that the reaper keeps.
#[derive(Clone, Copy)]
pub(super) struct Ends {
    /// Readable: kill the tree.
    pub(super) control: RawFd,
    /// Where the [`Event`]s go: a non-blocking pipe. Without a reader: kill the tree.
    pub(super) events: RawFd,
}

/// How long to wait for a killed process before looking for children again. Only a net: each death raises
/// SIGCHLD, and a child that the listing missed is found after the next death.
const KILL_AGAIN: libc::timespec = libc::timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Is the reaper of `command` until no process is left. All signals must be blocked.
///
/// By the time that `Started` is reported, nothing that the caller of this process has open is open here.
pub(super) fn run(command: Pid, ends: Ends) -> ! {
    leave_everything(ends);
    let deaths = open_deaths();
    report(ends, Event::Started(command)).ok();
    if let Ok(deaths) = deaths {
        watch(ends, deaths);
        kill_all(ends, deaths);
    }
    raw::exit(0)
}

/// Ends a process that could not become what it was to be.
pub(super) fn give_up(errno: Errno, ends: Ends) -> ! {
    report(ends, Event::Failed(errno)).ok();
    raw::exit(127)
}

/// Lets go of the directory and the descriptors that were inherited, so that nobody waits for them.
fn leave_everything(ends: Ends) {
    // SAFETY: a path and a name that end with NUL and are only read.
    let _ = unsafe {
        (
            call!(libc::SYS_chdir, c"/".as_ptr()),
            call!(libc::SYS_prctl, libc::PR_SET_NAME, c"dp-reaper".as_ptr()),
        )
    };
    let (low, high) = (ends.control.min(ends.events), ends.control.max(ends.events));
    raw::close_range(0, low - 1, 0).ok();
    raw::close_range(low + 1, high - 1, 0).ok();
    raw::close_range(high + 1, RawFd::MAX, 0).ok();
}

/// A descriptor that is readable when a child has ended; signalfd(2).
fn open_deaths() -> nix::Result<RawFd> {
    let mask = raw::signal_mask(&[Signal::SIGCHLD]);
    let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
    // SAFETY: the mask is only read.
    let fd = unsafe { call!(libc::SYS_signalfd4, -1_isize, mask.as_ptr(), size_of::<SignalMask>(), flags) };
    fd.map(|fd| fd as RawFd)
}

/// Reports deaths until the other side asks for the tree to be killed. Exits when no process is left.
fn watch(ends: Ends, deaths: RawFd) {
    loop {
        // A full pipe leaves the dead as zombies until somebody reads: nothing is lost, nothing is stored.
        let wanted = match reap(ends, Reporting::Must) {
            Reaped::All => 0,
            Reaped::PipeFull => libc::POLLOUT,
        };
        let polled = |fd, events| libc::pollfd { fd, events, revents: 0 };
        // That a pipe is without a reader is told unasked.
        let mut fds =
            [polled(ends.control, libc::POLLIN), polled(deaths, libc::POLLIN), polled(ends.events, wanted)];
        poll(&mut fds, None);
        if fds[0].revents != 0 || fds[2].revents & libc::POLLERR != 0 {
            return;
        }
        drain(deaths);
    }
}

/// How often children are killed one by one before their groups are.
const ONE_BY_ONE: u32 = 8;

/// Kills until no process is left, then exits.
///
/// Children go first, so that a monitor is dead before the daemon that it would restart. Their own children
/// become ours when they die. No pid can be reused meanwhile, because only this process reaps them.
///
/// Who forks and ends faster than it is listed gets away from that again and again. A signal to its process group misses nobody:
/// a fork that it meets is either over, or begun again and so never made (fork in the kernel looks for signals).
fn kill_all(ends: Ends, deaths: RawFd) -> ! {
    let mut rounds = 0;
    loop {
        let mut kill_found = |child: Pid| {
            // First, so that it can join no other group.
            kill(child.as_raw());
            if rounds >= ONE_BY_ONE {
                group_of(child).into_iter().for_each(|group| kill(-group));
            }
        };
        children::visit_own(&mut kill_found).ok();
        rounds = rounds.saturating_add(1);
        poll(&mut [libc::pollfd { fd: deaths, events: libc::POLLIN, revents: 0 }], Some(KILL_AGAIN));
        drain(deaths);
        reap(ends, Reporting::IfRoom);
    }
}

/// The process group of a child, unless it has joined ours. Nobody else is in any other: the sessions that they belong to are
/// ours, and those that began in the tree.
fn group_of(child: Pid) -> Option<libc::pid_t> {
    // SAFETY: integers only.
    let group = |process: libc::pid_t| unsafe { call!(libc::SYS_getpgid, process) }.ok();
    let (own, group) = (group(0)?, group(child.as_raw())?);
    // 0 is a group of another PID namespace, and a signal to 1 would mean everybody.
    (group > 1 && group != own).then_some(group as libc::pid_t)
}

fn kill(target: libc::pid_t) {
    // SAFETY: integers only.
    let _ = unsafe { call!(libc::SYS_kill, target, libc::SIGKILL) };
}

/// ppoll(2), because not every architecture has poll(2).
fn poll(fds: &mut [libc::pollfd], mut timeout: Option<libc::timespec>) {
    let timeout = timeout.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
    let no_mask = ptr::null::<usize>();
    // SAFETY: the kernel writes to the descriptions, and to the timeout what is left of it; both are borrowed mutably.
    let _ = unsafe { call!(libc::SYS_ppoll, fds.as_mut_ptr(), fds.len(), timeout, no_mask, 0) };
}

/// SIGCHLD is there once however many children have ended.
fn drain(deaths: RawFd) {
    raw::read(deaths, &mut [0; size_of::<libc::signalfd_siginfo>()]).ok();
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reporting {
    /// A death that cannot be reported is left for later.
    Must,
    /// Ending matters more than being heard.
    IfRoom,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reaped {
    All,
    PipeFull,
}

/// Reports and reaps every zombie; exits when there is no child at all.
fn reap(ends: Ends, reporting: Reporting) -> Reaped {
    loop {
        match next_zombie() {
            Ok(None) => return Reaped::All,
            Ok(Some((pid, status))) => {
                // Reported before reaped: whoever finds the pid gone finds the report too.
                let full = report(ends, Event::Exited(pid, status)) == Err(Errno::EAGAIN);
                if full && reporting == Reporting::Must {
                    return Reaped::PipeFull;
                }
                bury(pid);
            }
            // ECHILD; nothing else can happen to a correct call.
            Err(_) => {
                report(ends, Event::Empty).ok();
                raw::exit(0)
            }
        }
    }
}

/// Finds a dead child and leaves it a zombie.
fn next_zombie() -> nix::Result<Option<(Pid, i32)>> {
    // SAFETY: all-zero bytes are a valid siginfo_t.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
    let no_usage = ptr::null_mut::<libc::rusage>();
    // SAFETY: `info` is writable for the call.
    unsafe { call!(libc::SYS_waitid, libc::P_ALL, 0, &raw mut info, options, no_usage) }?;
    // SAFETY: waitid filled the fields of a SIGCHLD in, or left them zero when no child is dead.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    let encoded = match info.si_code {
        libc::CLD_EXITED => (status & 0xff) << 8,
        libc::CLD_DUMPED => status | 0x80,
        _ => status,
    };
    Ok((pid != 0).then_some((Pid::from_raw(pid), encoded)))
}

fn bury(zombie: Pid) {
    let none = ptr::null_mut::<usize>();
    // SAFETY: null pointers are allowed; the pid is a zombie child of ours.
    let _ = unsafe { call!(libc::SYS_wait4, zombie.as_raw(), none, libc::__WALL, none) };
}

fn report(ends: Ends, event: Event) -> nix::Result<()> {
    raw::write(ends.events, &event.encode()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_survive_the_pipe() {
        let pid = Pid::from_raw(4321);
        for event in
            [Event::Started(pid), Event::Failed(Errno::ENOENT), Event::Exited(pid, 0x8b), Event::Empty]
        {
            assert_eq!(Event::decode(&event.encode()), Some(event));
        }
        assert_eq!(Event::decode(&[0; RECORD_LEN]), None);
    }
}
