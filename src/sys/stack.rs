//! Stacks for processes that share memory: mmap(2).

use std::io;
use std::ptr::{self, NonNull};
use std::sync::{Mutex, PoisonError};

use nix::unistd::{SysconfVar, sysconf};

/// Memory for a stack, below which there is a page that nobody may touch.
///
/// Dropped, it stays: the process that runs on it may outlive whoever had this.
#[derive(Debug)]
pub(super) struct Stack {
    guard: NonNull<u8>,
    guard_bytes: usize,
}

// SAFETY: it is memory, which belongs to no thread.
unsafe impl Send for Stack {}
// SAFETY: a shared reference only tells where it ends.
unsafe impl Sync for Stack {}

/// Those that nobody uses, for the next who needs one: to make and to remove one takes longer than to begin a process.
static SPARE: Mutex<Vec<Stack>> = Mutex::new(Vec::new());

/// More are not kept, which is as many as there are tests at a time, as a rule.
const MOST_SPARE: usize = 16;

/// How large they are: a multiple of the largest page of any machine, so that all that divides it is aligned.
pub(super) const BYTES: usize = 128 * 1024;

impl Stack {
    /// One that nobody uses.
    pub(super) fn take() -> io::Result<Self> {
        let spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        spare.map_or_else(Self::map, Ok)
    }

    fn map() -> io::Result<Self> {
        let page = sysconf(SysconfVar::PAGE_SIZE)?.and_then(|bytes| usize::try_from(bytes).ok());
        let guard_bytes = page.unwrap_or(BYTES);
        let (access, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK);
        // SAFETY: new memory, at a place of the kernel's choice.
        let start = unsafe { libc::mmap(ptr::null_mut(), guard_bytes + BYTES, access, flags, -1, 0) };
        let guard = match NonNull::new(start.cast::<u8>()) {
            Some(guard) if start != libc::MAP_FAILED => guard,
            _ => return Err(io::Error::last_os_error()),
        };
        let stack = Stack { guard, guard_bytes };
        // SAFETY: the first page of what was just mapped, which nobody uses yet.
        match unsafe { libc::mprotect(start, guard_bytes, libc::PROT_NONE) } {
            0 => Ok(stack),
            _ => {
                let error = io::Error::last_os_error();
                stack.unmap();
                Err(error)
            }
        }
    }

    /// Where it ends, and where a stack therefore begins, less `bytes`.
    pub(super) fn top_less(&self, bytes: usize) -> *mut u8 {
        self.guard.as_ptr().wrapping_add(self.guard_bytes + BYTES - bytes)
    }

    /// Gives it to whoever needs one next.
    ///
    /// # Safety
    ///
    /// Nobody uses it any more.
    // SAFETY: see above.
    pub(super) unsafe fn give_back(self) {
        let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < MOST_SPARE {
            spare.push(self);
        } else {
            self.unmap();
        }
    }

    fn unmap(self) {
        // SAFETY: it was mapped with this length, and whoever owned it used it no more.
        unsafe { libc::munmap(self.guard.as_ptr().cast(), self.guard_bytes + BYTES) };
    }
}
