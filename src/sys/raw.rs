//! System calls past the C library, for processes that share memory with another one.
//!
//! The C library keeps `errno` for each thread, at a place that a register leads to. A process made by clone(2) with
//! `CLONE_VM` has inherited the register of the thread that made it, so in the library its failures would be written where
//! that thread has its own, or, once that has ended, where anything may be. What is here touches no memory but what the
//! kernel is told to.
//!
//! Where no assembly is written for the architecture, such a process cannot be had: [`clone`] then copies the memory,
//! as fork(2) does, and the calls may as well go through the library.

#[cfg(any(target_arch = "aarch64", all(target_arch = "x86_64", target_pointer_width = "64")))]
use std::arch::asm;
use std::ffi::{CStr, c_int, c_long, c_uint};
use std::os::fd::RawFd;
use std::ptr;

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::unistd::Pid;

/// Makes a system call, each argument of which is anything that can be cast to a `usize`.
///
/// # Safety
///
/// As the call's: pointers must lead to what it reads and writes, and descriptors must belong to the caller.
macro_rules! call {
    ($number:expr $(, $argument:expr)* $(,)?) => {
        $crate::sys::raw::invoke($number, &[$($argument as usize),*])
    };
}

pub(super) use call;

/// Whether [`clone`] heeds `CLONE_VM`.
pub(super) const CAN_SHARE_MEMORY: bool =
    cfg!(any(target_arch = "aarch64", all(target_arch = "x86_64", target_pointer_width = "64")));

/// As [`call`]; at most six arguments.
///
/// # Safety
///
/// As [`call`].
// SAFETY: see above.
pub(super) unsafe fn invoke(number: c_long, arguments: &[usize]) -> nix::Result<usize> {
    let mut all = [0; 6];
    all.iter_mut().zip(arguments).for_each(|(to, from)| *to = *from);
    // SAFETY: the caller answers for the arguments; the kernel ignores those that the call does not have.
    let result = unsafe { trap(number, all) };
    checked(result)
}

/// The kernel returns errors as -4095 to -1.
fn checked(result: isize) -> nix::Result<usize> {
    if (-4095..0).contains(&result) { Err(Errno::from_raw(-result as i32)) } else { Ok(result as usize) }
}

#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
// SAFETY: to be called as `invoke` is.
unsafe fn trap(number: c_long, [a, b, c, d, e, f]: [usize; 6]) -> isize {
    let result;
    // SAFETY: the convention of syscall(2) for this architecture; the caller answers for the rest.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    result
}

#[cfg(target_arch = "aarch64")]
// SAFETY: to be called as `invoke` is.
unsafe fn trap(number: c_long, [a, b, c, d, e, f]: [usize; 6]) -> isize {
    let result;
    // SAFETY: the convention of syscall(2) for this architecture; the caller answers for the rest.
    unsafe {
        asm!(
            "svc #0",
            inlateout("x0") a => result,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f, in("x8") number,
            options(nostack),
        );
    }
    result
}

#[cfg(not(any(target_arch = "aarch64", all(target_arch = "x86_64", target_pointer_width = "64"))))]
// SAFETY: to be called as `invoke` is.
unsafe fn trap(number: c_long, [a, b, c, d, e, f]: [usize; 6]) -> isize {
    // SAFETY: the caller answers for the arguments.
    match unsafe { libc::syscall(number, a, b, c, d, e, f) } {
        -1 => -(Errno::last_raw() as isize),
        value => value as isize,
    }
}

/// What a new process does, and nothing but this.
pub(super) type Entry<T> = extern "C" fn(&T) -> !;

/// Makes a process that calls `entry` with `argument`, on a stack that ends at `stack`; clone(2). Returns its pid.
///
/// Of `flags` only `CLONE_VM`, `CLONE_VFORK` and the signal that tells the caller of its end may be set.
///
/// # Safety
///
/// `stack` must be aligned to 16 bytes, and the memory below it, as much as `entry` needs, belong to the new process for as
/// long as that runs. What `argument` borrows must outlive its use there. If the caller may have other threads, `entry`
/// must keep to what is async-signal-safe; if it shares the memory, it must not even call the C library.
// SAFETY: see above.
pub(super) unsafe fn clone<T>(
    flags: c_int,
    stack: *mut u8,
    entry: Entry<T>,
    argument: &T,
) -> nix::Result<Pid> {
    // SAFETY: as this function's.
    let result = unsafe { branch(flags as usize, stack, entry as usize, ptr::from_ref(argument) as usize) };
    checked(result).map(|pid| Pid::from_raw(pid as libc::pid_t))
}

#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
// SAFETY: to be called as `clone` is.
unsafe fn branch(flags: usize, stack: *mut u8, entry: usize, argument: usize) -> isize {
    let result;
    // SAFETY: the new process goes on behind the call with the registers of this one, but another stack, and never
    // leaves `entry`. In this one nothing else happens than in any system call.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r13",
            "call r12",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone as isize => result,
            in("rdi") flags, in("rsi") stack, in("rdx") 0_usize, in("r10") 0_usize, in("r8") 0_usize,
            in("r12") entry, in("r13") argument,
            lateout("rcx") _, lateout("r11") _,
        );
    }
    result
}

#[cfg(target_arch = "aarch64")]
// SAFETY: to be called as `clone` is.
unsafe fn branch(flags: usize, stack: *mut u8, entry: usize, argument: usize) -> isize {
    let result;
    // SAFETY: the new process goes on behind the call with the registers of this one, but another stack, and never
    // leaves `entry`. In this one nothing else happens than in any system call.
    unsafe {
        asm!(
            "svc #0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x0, x21",
            "blr x20",
            "brk #1",
            "2:",
            inlateout("x0") flags => result,
            in("x1") stack, in("x2") 0_usize, in("x3") 0_usize, in("x4") 0_usize, in("x8") libc::SYS_clone,
            in("x20") entry, in("x21") argument,
        );
    }
    result
}

#[cfg(not(any(target_arch = "aarch64", all(target_arch = "x86_64", target_pointer_width = "64"))))]
// SAFETY: to be called as `clone` is.
unsafe fn branch(flags: usize, _: *mut u8, entry: usize, argument: usize) -> isize {
    let flags = flags & !(libc::CLONE_VM as usize);
    let [first, second] = if cfg!(target_arch = "s390x") { [0, flags] } else { [flags, 0] };
    // SAFETY: without CLONE_VM and another stack the new process returns as from fork(2), in a copy of this memory.
    match unsafe { trap(libc::SYS_clone, [first, second, 0, 0, 0, 0]) } {
        // SAFETY: the caller passed an `Entry` and a reference to its argument.
        0 => unsafe { std::mem::transmute::<usize, extern "C" fn(usize) -> !>(entry)(argument) },
        result => result,
    }
}

/// Ends the process at once; `_exit(2)`.
pub(super) fn exit(status: c_int) -> ! {
    loop {
        // SAFETY: one integer.
        let _ = unsafe { call!(libc::SYS_exit_group, status) };
    }
}

/// Opens a file, close-on-exec, that the caller closes by its number. A relative path is relative to `directory`.
pub(super) fn open(directory: RawFd, path: &CStr, flags: c_int) -> nix::Result<RawFd> {
    let flags = flags | libc::O_CLOEXEC;
    // SAFETY: the path ends with NUL and is only read.
    let fd = unsafe { call!(libc::SYS_openat, directory, path.as_ptr(), flags, 0) };
    fd.map(|fd| fd as RawFd)
}

/// Reads at most as much as `buffer` holds.
pub(super) fn read(fd: RawFd, buffer: &mut [u8]) -> nix::Result<usize> {
    // SAFETY: the kernel writes to the buffer, which is borrowed mutably, at most its length.
    unsafe { call!(libc::SYS_read, fd, buffer.as_mut_ptr(), buffer.len()) }
}

/// Writes `bytes`, or a part of them.
pub(super) fn write(fd: RawFd, bytes: &[u8]) -> nix::Result<usize> {
    // SAFETY: the bytes are only read.
    unsafe { call!(libc::SYS_write, fd, bytes.as_ptr(), bytes.len()) }
}

/// Applies close_range(2) to `first..=last`, which may be empty.
pub(super) fn close_range(first: RawFd, last: RawFd, flags: c_uint) -> nix::Result<()> {
    if first > last {
        return Ok(());
    }
    // SAFETY: three integers. Callers own the process: it was just made and no other code will use the descriptors that
    // are closed here.
    unsafe { call!(libc::SYS_close_range, first, last, flags) }.map(drop)
}

/// How many signals there are, and so how many bits a set of them has in the kernel; signal(7).
pub(super) const SIGNALS: usize =
    if cfg!(any(target_arch = "mips", target_arch = "mips64")) { 128 } else { 64 };

/// A set of signals, as the kernel wants it.
pub(super) type SignalMask = [usize; SIGNALS / usize::BITS as usize];

/// The set of these signals.
pub(super) fn signal_mask(signals: &[Signal]) -> SignalMask {
    let mut mask = SignalMask::default();
    for bit in signals.iter().map(|&signal| signal as usize - 1) {
        mask[bit / usize::BITS as usize] |= 1 << (bit % usize::BITS as usize);
    }
    mask
}

/// Has the calling thread block these signals, and no other; returns which it blocked before. rt_sigprocmask(2)
pub(super) fn set_signal_mask(mask: &SignalMask) -> nix::Result<SignalMask> {
    let mut before = SignalMask::default();
    let (new, old, bytes) = (mask.as_ptr(), before.as_mut_ptr(), size_of::<SignalMask>());
    // SAFETY: the kernel reads one set and writes the other.
    unsafe { call!(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, new, old, bytes) }?;
    Ok(before)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn results_and_errors_are_told_apart() {
        // SAFETY: no arguments.
        assert_eq!(unsafe { call!(libc::SYS_getpid) }, Ok(std::process::id() as usize));
        assert_eq!(read(-1, &mut []), Err(Errno::EBADF));
        assert_eq!(open(libc::AT_FDCWD, c"/nonexistent", libc::O_RDONLY), Err(Errno::ENOENT));
    }

    extern "C" fn say(writer: &RawFd) -> ! {
        let written = write(*writer, b"here");
        exit(if written == Ok(4) { 7 } else { 1 })
    }

    #[test]
    fn a_process_runs_on_its_own_stack_beside_its_maker() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        for flags in [0, libc::CLONE_VFORK, libc::CLONE_VM, libc::CLONE_VM | libc::CLONE_VFORK] {
            let mut stack = vec![0_u128; 4096];
            // SAFETY: the stack is dropped after the process was waited for, and it makes system calls only.
            let pid = unsafe { clone(flags, stack.as_mut_ptr_range().end.cast(), say, &writer.as_raw_fd()) };
            let mut said = [0; 4];
            reader.read_exact(&mut said).unwrap();
            let mut status = 0;
            // SAFETY: `status` is writable.
            let waited = unsafe { libc::waitpid(pid.unwrap().as_raw(), &mut status, libc::__WALL) };
            assert_eq!((waited, said), (pid.unwrap().as_raw(), *b"here"));
            assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 7, "{status:#x}");
            let touched = stack.iter().any(|word| *word != 0);
            assert_eq!(touched, flags & libc::CLONE_VM != 0 && CAN_SHARE_MEMORY);
        }
    }
}
