//! The process title that `ps` shows: the memory of the arguments, rewritten in place.
//!
//! The kernel shows `/proc/PID/cmdline` from the addresses that it was given at exec (fields 48 and 49 of
//! `/proc/PID/stat`). When the last byte of the arguments is not NUL any more, it goes on into the
//! environment, which lies right behind them. See proc(5).

use super::fork::thread_count;
use std::ffi::CString;
use std::fs;
use std::mem;
use std::ptr;

/// The memory that holds the arguments and the environment of this process, as the kernel reports it.
#[derive(Debug)]
pub(crate) struct TitleArea {
    start: usize,
    original: Vec<u8>,
}

// SAFETY: POSIX's environ(7), of this type in every libc.
unsafe extern "C" {
    static mut environ: *mut *mut libc::c_char;
}

impl TitleArea {
    /// Finds the area and moves the environment's strings out of it. `None` where the kernel does not say
    /// where it is, and in a process with more than one thread: the others could be reading the environment.
    pub(crate) fn claim() -> Option<Self> {
        if thread_count() != 1 {
            return None;
        }
        let stat = fs::read("/proc/self/stat").ok()?;
        let after_comm = stat.iter().rposition(|&byte| byte == b')')? + 2;
        let fields = String::from_utf8_lossy(stat.get(after_comm..)?).into_owned();
        // Field 3 is the first one behind the name.
        let field = |number: usize| -> Option<usize> {
            fields.split_ascii_whitespace().nth(number - 3)?.parse().ok()
        };
        let (start, arguments_end) = (field(48)?, field(49)?);
        let (environment_start, environment_end) = (field(50)?, field(51)?);
        let end = if environment_start == arguments_end { environment_end } else { arguments_end };
        if start == 0 || arguments_end <= start || end < arguments_end {
            return None;
        }
        move_environment(start, end);
        // SAFETY: the kernel mapped [start, end) for this process at exec, writable, for its whole life.
        let original = unsafe { std::slice::from_raw_parts(start as *const u8, end - start) }.to_vec();
        Some(Self { start, original })
    }

    /// Shows `title`, shortened if the area is smaller.
    pub(crate) fn set(&self, title: &[u8]) {
        let room = self.original.len() - 1;
        let shown = &title[..title.len().min(room)];
        let mut bytes = vec![0; self.original.len()];
        bytes[..shown.len()].copy_from_slice(shown);
        self.write(&bytes);
    }

    /// Puts back what was there.
    pub(crate) fn restore(&self) {
        self.write(&self.original);
    }

    fn write(&self, bytes: &[u8]) {
        debug_assert_eq!(bytes.len(), self.original.len());
        // SAFETY: the area is ours (see `claim`), and nothing else points into it but argv's strings, which
        // keep their terminating NULs or are shortened by earlier ones: the last byte is always NUL.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.start as *mut u8, bytes.len()) }
    }
}

/// Copies every environment string that lies in the area to the heap, where it stays for good.
fn move_environment(start: usize, end: usize) {
    // SAFETY: the process has one thread, so nobody changes or reads `environ` meanwhile; it is null or an
    // array of C strings that a null pointer ends.
    unsafe {
        let mut entry = environ;
        while !entry.is_null() && !(*entry).is_null() {
            if (start..end).contains(&(*entry as usize)) {
                let copy: CString = std::ffi::CStr::from_ptr(*entry).to_owned();
                *entry = mem::ManuallyDrop::new(copy).as_ptr().cast_mut();
            }
            entry = entry.add(1);
        }
    }
}
