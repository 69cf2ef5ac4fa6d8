//! Starts a command under a [reaper](super::reaper) of its own.
//!
//! ```text
//! harness ── reaper (leader of a new session, without terminal)
//!              └─ command (leader of a process group in that session, as under a shell with job control)
//! ```
//!
//! The command is not a session leader, so a daemon that omits setsid(2) is seen to stay in the reaper's
//! session. Its process group is its own, so `kill(0, SIGKILL)` in it hits neither reaper nor harness.
//!
//! Neither process gets a copy of the harness's memory, which would cost more than all else together. They run in it, on
//! stacks of their own: the command until it executes its program, as with vfork(2), and the reaper for its whole life.
//! [`shares_memory`] says when that is not done.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::ptr;
use std::sync::{Arc, OnceLock};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::sys::utsname::uname;
use nix::unistd::Pid;

use super::program::Program;
use super::raw::{self, SIGNALS, SignalMask, call};
use super::reaper::{self, Ends, Event, RECORD_LEN};
use super::seccomp::Filter;
use super::stack::{self, Stack};
use super::wait;

/// What the started program gets besides its arguments and its environment.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) umask: Mode,
    /// Soft limit of the size of core files, in bytes; lowered to the hard limit if need be.
    pub(crate) core_limit: Option<u64>,
    /// Descriptors that it inherits beside 0, 1 and 2, under the same numbers.
    pub(crate) inherited: Vec<RawFd>,
    /// Standard streams to close.
    pub(crate) closed: Vec<RawFd>,
    /// Signals to ignore; all others have their default action.
    pub(crate) ignored: Vec<Signal>,
    /// Signals to block; all others are not.
    pub(crate) blocked: Vec<Signal>,
    /// A terminal that becomes the controlling terminal of the session, with the command in its foreground.
    pub(crate) terminal: Option<RawFd>,
    /// Where the command waits for a tracer.
    pub(crate) gate: Option<Gate>,
}

/// A place on the way to the program at which the command waits until a tracer has it.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    /// One end of a pair of sockets: the command writes its number, and goes on when it reads a byte.
    pub(crate) socket: Arc<OwnedFd>,
    /// Decides which calls of the program stop it. It has no effect on what the command does before.
    pub(crate) filter: Arc<Filter>,
}

/// A running reaper, seen from the process that launched it.
#[derive(Debug)]
pub(crate) struct Launched {
    /// The command, or its zombie, or (after an `Exited` record) its former pid.
    pub(crate) pid: Pid,
    pub(crate) reaper: Reaper,
    /// Non-blocking; whole records of [`RECORD_LEN`] bytes. If nobody has this any more, the reaper kills everything.
    pub(crate) events: io::PipeReader,
    /// Written to: the reaper kills everything. So an order reaches it although a child of the harness, between fork and
    /// exec, has a copy of `events` just now.
    pub(crate) control: EventFd,
}

/// The process that is the reaper. If this is dropped, it stays.
///
/// It is no child to a wait(2) without `__WALL`, so who waits for any child is not told of it.
#[derive(Debug)]
pub(crate) struct Reaper {
    pid: Pid,
    stack: Stack,
}

impl Reaper {
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Waits for it to end.
    pub(crate) fn wait(self) {
        wait::bury(self.pid);
        // SAFETY: it has ended, and it waited until the command had ended or executed its program.
        unsafe { self.stack.give_back() };
    }
}

/// For the reports of 87,000 deaths, in bytes: as much as any user may ask for, as a rule; pipe(7).
const REPORTS: i32 = 1 << 20;

/// How much of the stack the reaper has; the rest is the command's. Each needs a few KiB, without optimization too.
const REAPER_STACK: usize = stack::BYTES / 2;

/// What the two processes work from until the first event is reported.
struct Task<'a> {
    program: &'a Program,
    setup: &'a Setup,
    /// What become its standard output and its standard error.
    output: [RawFd; 2],
    ends: Ends,
    command_stack: *mut u8,
}

/// Starts `program` with `output` as its standard output and standard error, and nothing to read.
///
/// # Errors
///
/// That of the call that failed, be it in one of the new processes; nothing is left running then.
pub(crate) fn launch(program: &Program, setup: &Setup, output: [BorrowedFd; 2]) -> io::Result<Launched> {
    launch_in(shares_memory(), program, setup, output)
}

/// Whether the reaper runs in the memory of this process.
///
/// Not if the kernel is older than 5.16: with a process that dumps core it ends all that share its memory. (With one that
/// it kills because memory is short, every kernel does.)
pub(super) fn shares_memory() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    let ask = || uname().is_ok_and(|system| is_at_least([5, 16], system.release()));
    raw::CAN_SHARE_MEMORY && *ANSWER.get_or_init(ask)
}

/// Whether a release such as `5.15.0-91-generic` is of this version or a later one.
fn is_at_least(version: [u32; 2], release: &OsStr) -> bool {
    let numbers = release.as_bytes().split(|byte| !byte.is_ascii_digit());
    let numbers = numbers.map_while(|number| str::from_utf8(number).ok()?.parse::<u32>().ok());
    numbers.take(2).ge(version)
}

fn launch_in(
    shared: bool,
    program: &Program,
    setup: &Setup,
    output: [BorrowedFd; 2],
) -> io::Result<Launched> {
    let (events, reporter) = nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
    // What it has no room for stays a zombie until somebody reads, and the machine has only so many numbers.
    fcntl(&events, FcntlArg::F_SETPIPE_SZ(REPORTS)).ok();
    // The standard streams must not take its number.
    let reporter = if reporter.as_raw_fd() > 2 { reporter } else { reporter.try_clone()? };
    let control = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
    let stack = Stack::take()?;
    let task = Task {
        program,
        setup,
        output: output.map(|stream| stream.as_raw_fd()),
        ends: Ends { control: control.as_fd().as_raw_fd(), events: reporter.as_raw_fd() },
        // Below that of the reaper, which waits meanwhile.
        command_stack: stack.top_less(REAPER_STACK),
    };
    let flags = if shared { libc::CLONE_VM } else { 0 };
    // SAFETY: the stack is given back only when the process has ended. `task` lives until the process has reported an event,
    // or has ended, and it calls no C library.
    let pid = with_signals_blocked(|| unsafe { raw::clone(flags, stack.top_less(0), lead, &task) });
    drop(reporter);
    let reaper = match pid {
        Ok(pid) => Reaper { pid, stack },
        Err(errno) => {
            // SAFETY: there is no such process.
            unsafe { stack.give_back() };
            return Err(errno.into());
        }
    };
    let events = io::PipeReader::from(events);
    match introduce(&events) {
        Ok(pid) => Ok(Launched { pid, reaper, events, control }),
        Err(error) => {
            drop(events);
            reaper.wait();
            Err(error)
        }
    }
}

/// Waits until the command has executed its program, or could not.
fn introduce(mut events: &io::PipeReader) -> io::Result<Pid> {
    let mut fds = [PollFd::new(events.as_fd(), PollFlags::POLLIN)];
    while poll(&mut fds, PollTimeout::NONE) == Err(Errno::EINTR) {}
    let mut record = [0; RECORD_LEN];
    events.read_exact(&mut record)?;
    match Event::decode(&record) {
        Some(Event::Started(command)) => Ok(command),
        Some(Event::Failed(errno)) => Err(errno.into()),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// A function of the program that handles a signal must not run in a process that shares the program's memory.
fn with_signals_blocked<T>(body: impl FnOnce() -> T) -> T {
    let before = raw::set_signal_mask(&[usize::MAX; _]);
    let value = body();
    before.and_then(|before| raw::set_signal_mask(&before)).ok();
    value
}

/// What the first process does: it begins a session, starts the command, and is the reaper.
extern "C" fn lead(task: &Task) -> ! {
    let ends = task.ends;
    match start_command(task) {
        Ok(command) => reaper::run(command, ends),
        Err(errno) => reaper::give_up(errno, ends),
    }
}

fn start_command(task: &Task) -> nix::Result<Pid> {
    default_actions();
    // SAFETY: no arguments.
    unsafe { call!(libc::SYS_setsid) }?;
    if let Some(terminal) = task.setup.terminal {
        // SAFETY: integers only.
        unsafe { call!(libc::SYS_ioctl, terminal, libc::TIOCSCTTY, 0) }?;
    }
    // SAFETY: integers only.
    unsafe { call!(libc::SYS_prctl, libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }?;
    // This process waits until the other has ended or executes its program.
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: this process, which waits, is not that far down on its stack. The new one calls no C library.
    unsafe { raw::clone(flags, task.command_stack, follow, task) }
}

/// What the second process does: it becomes the command.
extern "C" fn follow(task: &Task) -> ! {
    let errno = match become_command(task) {
        Ok(()) => task.program.execute(),
        Err(errno) => errno,
    };
    reaper::give_up(errno, task.ends)
}

fn become_command(task: &Task) -> nix::Result<()> {
    let setup = task.setup;
    // First of all, because its descriptor may have any number.
    if let Some(gate) = &setup.gate {
        pass(gate)?;
    }
    standard_streams(task.output)?;
    task.program.enter_directory()?;
    // SAFETY: integers only.
    unsafe { call!(libc::SYS_setpgid, 0, 0) }?;
    if let Some(terminal) = setup.terminal {
        // SAFETY: no arguments.
        let own = unsafe { call!(libc::SYS_getpid) }? as libc::pid_t;
        // SAFETY: the kernel reads one pid. All signals are blocked, so SIGTTOU does not stop us.
        unsafe { call!(libc::SYS_ioctl, terminal, libc::TIOCSPGRP, &raw const own) }?;
    }
    // SAFETY: integers only.
    unsafe { call!(libc::SYS_umask, setup.umask.bits()) }?;
    if let Some(limit) = setup.core_limit {
        limit_core_files(limit)?;
    }
    other_descriptors(setup)?;
    setup.ignored.iter().try_for_each(|&signal| set_action(signal as usize, libc::SIG_IGN))?;
    raw::set_signal_mask(&raw::signal_mask(&setup.blocked)).map(drop)
}

fn pass(gate: &Gate) -> nix::Result<()> {
    // SAFETY: no arguments.
    let own = unsafe { call!(libc::SYS_getpid) }? as libc::pid_t;
    raw::write(gate.socket.as_raw_fd(), &own.to_ne_bytes())?;
    match raw::read(gate.socket.as_raw_fd(), &mut [0])? {
        1 => gate.filter.install(),
        _ => Err(Errno::EPERM),
    }
}

/// An ignored signal stays ignored across exec, and this process may ignore some: Rust ignores SIGPIPE. The C library
/// would not touch the two that it keeps for itself, and whoever started us may have ignored those as well. The kernel
/// refuses SIGKILL and SIGSTOP.
pub(super) fn default_actions() {
    (1..=SIGNALS).for_each(|number| set_action(number, libc::SIG_DFL).unwrap_or(()));
}

/// `action` must be the default one, or to ignore the signal.
fn set_action(signal: usize, action: libc::sighandler_t) -> nix::Result<()> {
    // All else is zero, for no flags; no architecture's struct is longer than this.
    let mut new = [0_usize; 16];
    new[usize::from(cfg!(any(target_arch = "mips", target_arch = "mips64")))] = action;
    let no_old = ptr::null_mut::<usize>();
    // SAFETY: the kernel reads a struct within `new`, and neither action runs code of ours.
    let set = unsafe { call!(libc::SYS_rt_sigaction, signal, new.as_ptr(), no_old, size_of::<SignalMask>()) };
    set.map(drop)
}

fn standard_streams([stdout, stderr]: [RawFd; 2]) -> nix::Result<()> {
    let stdin = raw::open(libc::AT_FDCWD, c"/dev/null", libc::O_RDONLY)?;
    // If this process has no standard streams, these may have their numbers.
    let moved = |fd: RawFd| match fd > 2 {
        true => Ok(fd),
        // SAFETY: integers only, and the new descriptor belongs to the command.
        false => unsafe { call!(libc::SYS_fcntl, fd, libc::F_DUPFD_CLOEXEC, 3) }.map(|fd| fd as RawFd),
    };
    for (number, fd) in [moved(stdin)?, moved(stdout)?, moved(stderr)?].into_iter().enumerate() {
        // SAFETY: integers only. The numbers 0, 1 and 2 of this process, which is about to execute another program,
        // belong to no object.
        unsafe { call!(libc::SYS_dup3, fd, number, 0) }?;
    }
    Ok(())
}

pub(super) fn limit_core_files(bytes: u64) -> nix::Result<()> {
    let mut limit = [0_u64; 2];
    let (resource, none) = (libc::RLIMIT_CORE, ptr::null_mut::<u64>());
    // SAFETY: the kernel writes two numbers: the soft limit and the hard one.
    unsafe { call!(libc::SYS_prlimit64, 0, resource, none, limit.as_mut_ptr()) }?;
    limit[0] = bytes.min(limit[1]);
    // SAFETY: the kernel reads two numbers.
    unsafe { call!(libc::SYS_prlimit64, 0, resource, limit.as_ptr(), none) }.map(drop)
}

/// Leaves 0, 1, 2 and what is to be inherited. The others stay until the program is executed, among them the one through
/// which it is reported that it could not be.
fn other_descriptors(setup: &Setup) -> nix::Result<()> {
    raw::close_range(3, RawFd::MAX, libc::CLOSE_RANGE_CLOEXEC)?;
    for &fd in &setup.inherited {
        // SAFETY: integers only. The caller keeps the descriptor open during the launch.
        unsafe { call!(libc::SYS_fcntl, fd, libc::F_SETFD, 0) }?;
    }
    for &fd in &setup.closed {
        raw::close_range(fd, fd, 0)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn releases_are_compared_by_number() {
        for (release, newer) in [
            ("5.16.0", true),
            ("5.15.0-91-generic", false),
            ("6.1", true),
            ("10.0-rc1", true),
            ("5", false),
            ("", false),
        ] {
            assert_eq!(is_at_least([5, 16], OsStr::new(release)), newer, "{release}");
        }
    }

    fn run(shared: bool, program: &str) -> io::Result<(Pid, Vec<Event>)> {
        let arguments = [program, "-c", "exit 3"].map(OsStr::new);
        let program = Program::new(OsStr::new(program), arguments, [], None).unwrap();
        let setup = Setup {
            umask: Mode::empty(),
            core_limit: Some(0),
            inherited: Vec::new(),
            closed: Vec::new(),
            ignored: Vec::new(),
            blocked: Vec::new(),
            terminal: None,
            gate: None,
        };
        let null = File::options().write(true).open("/dev/null").unwrap();
        let mut launched = launch_in(shared, &program, &setup, [null.as_fd(); 2])?;
        launched.reaper.wait();
        let mut records = Vec::new();
        // A process that another test has just forked may hold a copy of the other end for a moment.
        match launched.events.read_to_end(&mut records) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            read => drop(read.unwrap()),
        }
        Ok((launched.pid, records.as_chunks().0.iter().filter_map(Event::decode).collect()))
    }

    /// On a machine that shares memory, and on one that does not.
    #[test]
    fn the_reaper_may_run_in_our_memory_or_in_a_copy() {
        for shared in [true, false] {
            let (pid, events) = run(shared, "sh").unwrap();
            assert_eq!(events, [Event::Exited(pid, 3 << 8), Event::Empty]);
            let error = run(shared, "/nonexistent").unwrap_err();
            assert_eq!(error.raw_os_error(), Some(Errno::ENOENT as i32));
            let error = run(shared, "/dev/null").unwrap_err();
            assert_eq!(error.raw_os_error(), Some(Errno::EACCES as i32));
        }
    }
}
