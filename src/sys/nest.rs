//! The nest: a small process in which traced programs are born.
//!
//! Were the tracer their parent, it would have to be the subreaper of what they orphan, which is a property of its
//! whole process. The nest is the subreaper instead, and ignores SIGCHLD, so that the dead are gone as soon as the
//! tracer has seen them. It is a forked copy of the tracer's process that never executes a program, so it keeps to
//! async-signal-safe calls.

use std::ffi::{CString, c_char, c_int, c_void};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::ptr;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, kill, signal, sigprocmask};
use nix::sys::stat::Mode;
use nix::unistd::Pid;

use super::launch::default_actions;
use super::raw::close_range;
use super::seccomp::Filter;
use super::wait;

/// A program as the nest starts it: everything is allocated beforehand.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// The executable; no search is made.
    pub(crate) path: CString,
    pub(crate) args: Vec<CString>,
    /// `NAME=VALUE` each.
    pub(crate) env: Vec<CString>,
    pub(crate) directory: CString,
    /// Where standard output and standard error go; appended to.
    pub(crate) stdout: CString,
    pub(crate) stderr: CString,
    pub(crate) umask: Mode,
}

/// A running nest, seen from the thread that made it, which is the only one that may wait for it.
#[derive(Debug)]
pub(crate) struct Nest {
    pid: Pid,
    control: UnixStream,
}

/// As many bytes of stack as a child needs until it executes.
const STACK_LEN: usize = 64 << 10;

impl Nest {
    /// Forks the nest.
    pub(crate) fn new(programs: Vec<Program>, filter: Filter) -> io::Result<Self> {
        let (control, theirs) = UnixStream::pair()?;
        let births = Births::new(&programs, &filter, theirs.as_raw_fd());
        match fork_quietly()? {
            Some(pid) => Ok(Nest { pid, control }),
            None => run(&births, theirs.as_raw_fd()),
        }
    }

    /// Its process, which is no task.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Starts a program up to where it waits to be seized; [`Nest::release`] lets it install the filter and execute.
    pub(crate) fn spawn(&self, program: u8) -> io::Result<Pid> {
        let mut control = &self.control;
        control.write_all(&[program])?;
        let mut pid = [0; 4];
        control.read_exact(&mut pid)?;
        match i32::from_ne_bytes(pid) {
            errno if errno < 0 => Err(io::Error::from_raw_os_error(-errno)),
            pid => Ok(Pid::from_raw(pid)),
        }
    }

    /// Lets the program that was spawned last go on.
    pub(crate) fn release(&self) -> io::Result<()> {
        (&self.control).write_all(&[0])
    }
}

impl Drop for Nest {
    fn drop(&mut self) {
        // It has not been waited for, so the number is its own.
        kill(self.pid, Signal::SIGKILL).ok();
        wait::bury(self.pid);
    }
}

/// What the children are made of, in the form that the kernel wants.
struct Births<'a> {
    births: Vec<Birth<'a>>,
    stack: Vec<u8>,
}

struct Birth<'a> {
    program: &'a Program,
    filter: &'a Filter,
    args: Vec<*const c_char>,
    env: Vec<*const c_char>,
    control: RawFd,
}

impl<'a> Births<'a> {
    fn new(programs: &'a [Program], filter: &'a Filter, control: RawFd) -> Self {
        let pointers = |texts: &'a [CString]| {
            texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect::<Vec<_>>()
        };
        let birth = |program: &'a Program| Birth {
            program,
            filter,
            args: pointers(&program.args),
            env: pointers(&program.env),
            control,
        };
        Births { births: programs.iter().map(birth).collect(), stack: vec![0; STACK_LEN] }
    }
}

/// Forks without the C library's handlers and locks; without an exit signal, nobody but this thread's own wait sees the
/// child end: neither the harness's handler of SIGCHLD nor a waitpid(-1) of another thread.
fn fork_quietly() -> nix::Result<Option<Pid>> {
    // SAFETY: without any flag this is fork(2); all arguments are zero, so their order does not matter. The child keeps
    // to async-signal-safe calls until it exits.
    let pid = Errno::result(unsafe { libc::syscall(libc::SYS_clone, 0, 0, 0, 0, 0) })?;
    Ok((pid != 0).then_some(Pid::from_raw(pid as libc::pid_t)))
}

/// Is the nest until the tracer goes away.
fn run(births: &Births, control: RawFd) -> ! {
    settle(control).ok();
    // SAFETY: the parent's copy of the descriptor was moved into this forked process, where nothing else uses it.
    let requests = unsafe { BorrowedFd::borrow_raw(control) };
    let mut request = [0];
    while nix::unistd::read(requests, &mut request) == Ok(1) {
        if let Some(birth) = births.births.get(usize::from(request[0]))
            && let Err(errno) = bear(birth, &births.stack)
        {
            nix::unistd::write(requests, &(-(errno as i32)).to_ne_bytes()).ok();
        }
    }
    // SAFETY: _exit ends the process at once, running nothing of the program that was forked.
    unsafe { libc::_exit(0) }
}

fn settle(control: RawFd) -> nix::Result<()> {
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), None)?;
    default_actions();
    // SAFETY: ignoring a signal runs no code of ours.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) }?;
    nix::unistd::setsid()?;
    nix::sys::prctl::set_child_subreaper(true)?;
    nix::sys::prctl::set_name(c"dp-nest")?;
    let null = open(c"/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&null)?;
    nix::unistd::dup2_stderr(&null)?;
    std::mem::forget(null);
    close_range(3, control - 1, 0)?;
    close_range(control + 1, RawFd::MAX, 0)
}

/// Makes a child that shares our memory until it executes, while we stand still: a copy would cost more than all the
/// rest.
fn bear(birth: &Birth, stack: &[u8]) -> nix::Result<()> {
    // SAFETY: the stack is large enough, its top is aligned, and nothing else uses it while the child is on it, because
    // CLONE_VFORK suspends this process until the child has executed or exited. The child reads `birth`, which nobody
    // changes, and makes only async-signal-safe calls.
    let pid = unsafe {
        let top = stack.as_ptr().add(stack.len()).cast_mut();
        let top = top.sub(top.addr() % 16).cast::<c_void>();
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        libc::clone(become_program, top, flags, ptr::from_ref(birth).cast_mut().cast::<c_void>())
    };
    Errno::result(pid).map(drop)
}

extern "C" fn become_program(birth: *mut c_void) -> c_int {
    // SAFETY: `bear` passes a birth that outlives this child.
    let birth = unsafe { &*birth.cast::<Birth>() };
    if prepare(birth).is_ok() {
        // SAFETY: the path and both lists end with a null, and live until the program replaces them.
        unsafe { libc::execve(birth.program.path.as_ptr(), birth.args.as_ptr(), birth.env.as_ptr()) };
    }
    // SAFETY: as in `run`.
    unsafe { libc::_exit(127) }
}

fn prepare(birth: &Birth) -> nix::Result<()> {
    let own = Pid::from_raw(0);
    nix::unistd::setpgid(own, own)?;
    // SAFETY: the default action runs no code of ours.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) }?;
    nix::sys::stat::umask(birth.program.umask);
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_APPEND | OFlag::O_CLOEXEC;
    let mode = Mode::from_bits_truncate(0o600);
    nix::unistd::dup2_stdout(open(birth.program.stdout.as_c_str(), flags, mode)?)?;
    nix::unistd::dup2_stderr(open(birth.program.stderr.as_c_str(), flags, mode)?)?;
    super::launch::limit_core_files(0)?;
    nix::unistd::chdir(birth.program.directory.as_c_str())?;
    nix::sys::personality::set(nix::sys::personality::Persona::ADDR_NO_RANDOMIZE)?;
    // SAFETY: the nest keeps the descriptor open.
    let control = unsafe { BorrowedFd::borrow_raw(birth.control) };
    nix::unistd::write(control, &nix::unistd::getpid().as_raw().to_ne_bytes())?;
    let mut go = [0];
    if nix::unistd::read(control, &mut go)? != 1 {
        return Err(Errno::EPIPE);
    }
    close_range(3, RawFd::MAX, libc::CLOSE_RANGE_CLOEXEC)?;
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
    birth.filter.install()
}
