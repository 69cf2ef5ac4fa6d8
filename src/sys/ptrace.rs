//! What a tracer needs beside nix's own `ptrace`: registers by their role in a system call, memory, and copies of
//! descriptors; ptrace(2), process_vm_readv(2), pidfd_getfd(2).

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::uio::{RemoteIoVec, process_vm_readv, process_vm_writev};
use nix::unistd::Pid;

#[cfg(not(target_arch = "x86_64"))]
compile_error!(
    "the tracer of daemonproof knows the registers of x86-64 only: build with default-features = false"
);

/// A system call as the task is about to make it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Registers(libc::user_regs_struct);

impl Registers {
    pub(crate) fn of(pid: Pid) -> nix::Result<Self> {
        ptrace::getregs(pid).map(Registers)
    }

    pub(crate) fn set(self, pid: Pid) -> nix::Result<()> {
        ptrace::setregs(pid, self.0)
    }

    /// The number of the call, before it is made.
    pub(crate) fn call(&self) -> i64 {
        self.0.orig_rax.cast_signed()
    }

    pub(crate) fn args(&self) -> [u64; 6] {
        let regs = &self.0;
        [regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9]
    }

    /// What the call returned: a negative error number if it failed.
    pub(crate) fn result(&self) -> i64 {
        self.0.rax.cast_signed()
    }

    /// Makes another call of it; a negative number makes none, and leaves `result` as what it returns.
    pub(crate) fn with_call(mut self, call: i64, result: i64) -> Self {
        self.0.orig_rax = call.cast_unsigned();
        self.0.rax = result.cast_unsigned();
        self
    }

    /// Passes another argument.
    pub(crate) fn with_arg(mut self, index: usize, value: u64) -> Self {
        let regs = &mut self.0;
        let args = [&mut regs.rdi, &mut regs.rsi, &mut regs.rdx, &mut regs.r10, &mut regs.r8, &mut regs.r9];
        args.into_iter().nth(index).into_iter().for_each(|arg| *arg = value);
        self
    }

    /// Where the stack ends.
    pub(crate) fn stack(&self) -> u64 {
        self.0.rsp
    }
}

/// Reads at most `length` bytes at `address`; fewer at the end of what is mapped.
pub(crate) fn read(pid: Pid, address: u64, length: usize) -> nix::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let remote = RemoteIoVec { base: address as usize, len: length };
    let got = process_vm_readv(pid, &mut [IoSliceMut::new(&mut bytes)], &[remote])?;
    bytes.truncate(got);
    Ok(bytes)
}

pub(crate) fn write(pid: Pid, address: u64, bytes: &[u8]) -> nix::Result<()> {
    let remote = RemoteIoVec { base: address as usize, len: bytes.len() };
    match process_vm_writev(pid, &[IoSlice::new(bytes)], &[remote])? {
        written if written == bytes.len() => Ok(()),
        _ => Err(Errno::EFAULT),
    }
}

/// A copy of a descriptor of another process. It keeps what it stands for open, so close it at once.
pub(crate) fn copy_descriptor(pidfd: impl AsFd, fd: RawFd) -> nix::Result<OwnedFd> {
    // SAFETY: pidfd_getfd takes three integers and touches no memory of ours.
    let copy = unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_fd().as_raw_fd(), fd, 0) };
    let copy = Errno::result(copy)?;
    // SAFETY: the call succeeded, so this is a new descriptor (they fit an int) that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(copy as RawFd) })
}

/// Lets a stopped task go on: until its next stop, with `signal` (or 0) delivered.
pub(crate) fn resume(pid: Pid, how: Resume, signal: i32) -> nix::Result<()> {
    let request = match how {
        Resume::Freely => libc::PTRACE_CONT,
        Resume::ToCallEnd => libc::PTRACE_SYSCALL,
        Resume::NotYet => libc::PTRACE_LISTEN,
    };
    let nothing = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: these requests take integers only.
    let resumed = unsafe { libc::ptrace(request, pid.as_raw(), nothing, libc::c_long::from(signal)) };
    Errno::result(resumed).map(drop)
}

/// How a stopped task goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resume {
    /// To the next stop of its own accord.
    Freely,
    /// To the end of the call that it is about to make, or to any earlier stop.
    ToCallEnd,
    /// Not before somebody sends SIGCONT to its process, which is stopped by a signal.
    NotYet,
}

/// Has a running task stop. A call that it sleeps in ends as if a signal had come, and if that end is a stop, it is the
/// only one.
pub(crate) fn interrupt(pid: Pid) -> nix::Result<()> {
    let nothing = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: this request takes integers only.
    let asked = unsafe { libc::ptrace(libc::PTRACE_INTERRUPT, pid.as_raw(), nothing, nothing) };
    Errno::result(asked).map(drop)
}

/// Waits for any child or traced task of this thread; the status as wait(2) encodes it.
pub(crate) fn wait_any() -> nix::Result<(Pid, i32)> {
    wait(0)
}

/// As [`wait_any`], if one has something to report already.
pub(crate) fn wait_now() -> nix::Result<Option<(Pid, i32)>> {
    wait(libc::WNOHANG).map(|(pid, status)| (pid.as_raw() != 0).then_some((pid, status)))
}

fn wait(flags: i32) -> nix::Result<(Pid, i32)> {
    let flags = flags | libc::__WALL | libc::__WNOTHREAD | libc::WUNTRACED;
    let mut status = 0;
    // SAFETY: the status is written to a local integer.
    let pid = Errno::result(unsafe { libc::waitpid(-1, &raw mut status, flags) })?;
    Ok((Pid::from_raw(pid), status))
}
