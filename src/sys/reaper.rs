//! The reaper: a small process that adopts whatever one started command leaves behind, reports how each of
//! those processes ended, and kills them all when the process that asked for it goes away.
//!
//! It is a forked copy of that process and never executes a program of its own, so for its whole life it keeps
//! to async-signal-safe calls and neither allocates, locks nor panics.
//!
//! It is the child subreaper of the command's tree. Any descendant therefore either has a living parent in the
//! tree or is a child of the reaper, and "no child left" means "no descendant left".

use std::os::fd::{AsFd, BorrowedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::stat::Mode;
use nix::unistd::Pid;

use super::children;

/// What the reaper reports, each as [`RECORD_LEN`] bytes in the machine's byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The command was forked; it has not necessarily executed its program yet.
    Started(Pid),
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
        };
        let mut record = [0; RECORD_LEN];
        let fields = [kind, pid, status].into_iter().flat_map(i32::to_ne_bytes);
        record
            .iter_mut()
            .zip(fields)
            .for_each(|(to, from)| *to = from);
        record
    }

    pub(crate) fn decode(record: &[u8; RECORD_LEN]) -> Option<Event> {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *record;
        let pid = Pid::from_raw(i32::from_ne_bytes([e, f, g, h]));
        match i32::from_ne_bytes([a, b, c, d]) {
            1 => Some(Event::Started(pid)),
            2 => Some(Event::Exited(pid, i32::from_ne_bytes([i, j, k, l]))),
            3 => Some(Event::Empty),
            _ => None,
        }
    }
}

/// The descriptors that the reaper keeps.
#[derive(Clone, Copy)]
pub(super) struct Ends {
    /// Readable or at end of file: kill the tree.
    pub(super) control: RawFd,
    /// Where the [`Event`]s go; a non-blocking pipe.
    pub(super) events: RawFd,
}

/// How long to wait for a killed process before looking for children again. Only a net: each death raises
/// SIGCHLD, and a child that the listing missed is found after the next death.
const KILL_AGAIN_MS: u16 = 100;

/// Is the reaper of `command` until no process is left. All signals must be blocked.
///
/// The caller waits on a pipe whose other ends this closes, so once it goes on, `Started` is there to read.
pub(super) fn run(command: Pid, ends: Ends) -> ! {
    // SAFETY: the parent's copies were moved into this forked process, where nothing else uses or closes them.
    let (control, events) = unsafe {
        (
            BorrowedFd::borrow_raw(ends.control),
            BorrowedFd::borrow_raw(ends.events),
        )
    };
    report(events, Event::Started(command)).ok();
    leave_everything(ends);
    let mask = SigSet::from_iter([Signal::SIGCHLD]);
    if let Ok(deaths) = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
    {
        watch(control, events, &deaths);
        kill_all(events, &deaths);
    }
    // SAFETY: _exit ends the process at once, running nothing of the program that was forked.
    unsafe { libc::_exit(0) }
}

/// Lets go of the directory, terminal and descriptors that the fork inherited, so that nobody waits for them.
fn leave_everything(ends: Ends) {
    nix::unistd::chdir(c"/").ok();
    nix::sys::prctl::set_name(c"dp-reaper").ok();
    if let Ok(null) = open(
        c"/dev/null",
        OFlag::O_RDWR | OFlag::O_CLOEXEC,
        Mode::empty(),
    ) {
        nix::unistd::dup2_stdin(&null).ok();
        nix::unistd::dup2_stdout(&null).ok();
        nix::unistd::dup2_stderr(&null).ok();
    }
    let (low, high) = (ends.control.min(ends.events), ends.control.max(ends.events));
    close_range(3, low - 1, 0).ok();
    close_range(low + 1, high - 1, 0).ok();
    close_range(high + 1, RawFd::MAX, 0).ok();
}

/// Applies close_range(2) to `first..=last`, which may be empty.
pub(super) fn close_range(first: RawFd, last: RawFd, flags: libc::c_uint) -> nix::Result<()> {
    if first > last {
        return Ok(());
    }
    // SAFETY: three integers. Callers own the process: it was just forked and no other code will use the
    // descriptors that are closed here.
    Errno::result(unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) }).map(drop)
}

/// Reports deaths until the other side asks for the tree to be killed. Exits when no process is left.
fn watch(control: BorrowedFd, events: BorrowedFd, deaths: &SignalFd) {
    loop {
        // A full pipe leaves the dead as zombies until somebody reads: nothing is lost, nothing is stored.
        let wanted = match reap(events, Reporting::Must) {
            Reaped::All => PollFlags::empty(),
            Reaped::PipeFull => PollFlags::POLLOUT,
        };
        let mut fds = [
            PollFd::new(control, PollFlags::POLLIN),
            PollFd::new(deaths.as_fd(), PollFlags::POLLIN),
            PollFd::new(events, wanted),
        ];
        // Without a reader the pipe is in error for good; poll would return at once for ever.
        let watched = if wanted.is_empty() { 2 } else { 3 };
        poll(
            fds.get_mut(..watched).unwrap_or_default(),
            PollTimeout::NONE,
        )
        .ok();
        if fds[0].any() == Some(true) {
            return;
        }
        drain(deaths);
    }
}

/// Kills until no process is left, then exits.
///
/// Children go first, so that a monitor is dead before the daemon that it would restart. Their own children
/// become ours when they die. No pid can be reused meanwhile, because only this process reaps them.
fn kill_all(events: BorrowedFd, deaths: &SignalFd) -> ! {
    loop {
        children::visit_own(&mut |child| kill(child, Signal::SIGKILL).unwrap_or(())).ok();
        poll(
            &mut [PollFd::new(deaths.as_fd(), PollFlags::POLLIN)],
            PollTimeout::from(KILL_AGAIN_MS),
        )
        .ok();
        drain(deaths);
        reap(events, Reporting::IfRoom);
    }
}

fn drain(deaths: &SignalFd) {
    while let Ok(Some(_)) = deaths.read_signal() {}
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
fn reap(events: BorrowedFd, reporting: Reporting) -> Reaped {
    loop {
        match next_zombie() {
            Ok(None) => return Reaped::All,
            Ok(Some((pid, status))) => {
                // Reported before reaped: whoever finds the pid gone finds the report too.
                let full = report(events, Event::Exited(pid, status)) == Err(Errno::EAGAIN);
                if full && reporting == Reporting::Must {
                    return Reaped::PipeFull;
                }
                bury(pid);
            }
            // ECHILD; nothing else can happen to a correct call.
            Err(_) => {
                report(events, Event::Empty).ok();
                // SAFETY: _exit ends the process at once, running nothing of the program that was forked.
                unsafe { libc::_exit(0) }
            }
        }
    }
}

/// Finds a dead child and leaves it a zombie.
fn next_zombie() -> nix::Result<Option<(Pid, i32)>> {
    // SAFETY: all-zero bytes are a valid siginfo_t.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
    // SAFETY: `info` is writable for the call.
    Errno::result(unsafe { libc::waitid(libc::P_ALL, 0, &mut info, options) })?;
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
    // SAFETY: a null status is allowed; the pid is a zombie child of ours.
    unsafe { libc::waitpid(zombie.as_raw(), std::ptr::null_mut(), libc::__WALL) };
}

fn report(events: BorrowedFd, event: Event) -> nix::Result<()> {
    nix::unistd::write(events, &event.encode()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_survive_the_pipe() {
        let pid = Pid::from_raw(4321);
        for event in [Event::Started(pid), Event::Exited(pid, 0x8b), Event::Empty] {
            assert_eq!(Event::decode(&event.encode()), Some(event));
        }
        assert_eq!(Event::decode(&[0; RECORD_LEN]), None);
    }
}
