//! Stacks for processes that share memory: mmap(2).

use std::io;
use std::ptr::{self, NonNull};

use nix::unistd::{SysconfVar, sysconf};

/// Memory for a stack, below which there is a page that nobody may touch.
///
/// Dropped, it stays: the process that runs on it may outlive whoever had this.
#[derive(Debug)]
pub(super) struct Stack {
    guard: NonNull<u8>,
    guard_bytes: usize,
    bytes: usize,
}

// SAFETY: it is memory, which belongs to no thread.
unsafe impl Send for Stack {}
// SAFETY: a shared reference only tells where it ends.
unsafe impl Sync for Stack {}

impl Stack {
    /// A stack of `bytes`, a multiple of 64 KiB, the largest page of any machine.
    pub(super) fn new(bytes: usize) -> io::Result<Self> {
        let page = sysconf(SysconfVar::PAGE_SIZE)?.and_then(|bytes| usize::try_from(bytes).ok());
        let guard_bytes = page.unwrap_or(64 * 1024);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK | libc::MAP_NORESERVE;
        // SAFETY: new memory, at a place of the kernel's choice.
        let start = unsafe {
            libc::mmap(ptr::null_mut(), guard_bytes + bytes, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0)
        };
        let guard = match NonNull::new(start.cast::<u8>()) {
            Some(guard) if start != libc::MAP_FAILED => guard,
            _ => return Err(io::Error::last_os_error()),
        };
        let stack = Stack { guard, guard_bytes, bytes };
        // SAFETY: the first page of what was just mapped, which nobody uses yet.
        match unsafe { libc::mprotect(start, guard_bytes, libc::PROT_NONE) } {
            0 => Ok(stack),
            _ => {
                let error = io::Error::last_os_error();
                // SAFETY: nobody has begun to use it.
                unsafe { stack.free() };
                Err(error)
            }
        }
    }

    /// Where it ends, and where a stack therefore begins, less `bytes`; aligned if those are.
    pub(super) fn top_less(&self, bytes: usize) -> *mut u8 {
        self.guard.as_ptr().wrapping_add(self.guard_bytes + self.bytes - bytes)
    }

    /// # Safety
    ///
    /// Nobody uses it any more.
    pub(super) unsafe fn free(self) {
        // SAFETY: it was mapped with this length; the caller answers for the rest.
        unsafe { libc::munmap(self.guard.as_ptr().cast(), self.guard_bytes + self.bytes) };
    }
}
