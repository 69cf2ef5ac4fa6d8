//! A program inside another executable: code that runs when the executable is loaded, before its `main`.
//!
//! The C library calls each function whose address is in the section `.init_array` (System V ABI, "Initialization
//! and Termination Functions"). glibc passes it what `main` gets; musl passes nothing.
//!
//! Rust's runtime begins in `main`, so what it would have done there is done here: see [`stand_in_for_runtime`].

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use std::ffi::{CStr, OsStr, OsString};
use std::fs;
use std::os::fd::{BorrowedFd, IntoRawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process;

use super::signal::set_ignored;

/// A program that any executable becomes if its first argument, the one that names it, is `ARG0`.
pub(crate) trait Embedded {
    const ARG0: &'static str;

    /// Is the program, with the arguments that follow the first. Returns its exit status.
    fn main(arguments: Vec<OsString>) -> u8;
}

type Constructor = extern "C" fn(libc::c_int, *const *const libc::c_char);

/// What `.init_array` consists of: one address. Made into a static there by [`embed`].
#[repr(transparent)]
pub(crate) struct OnLoad(Constructor);

impl OnLoad {
    pub(crate) const fn become_program<P: Embedded>() -> Self {
        Self(on_load::<P>)
    }
}

/// Embeds a program, an [`Embedded`], in every executable that the crate is linked into, as the static `$name`.
///
/// A macro, because the static has to name the program, and `sys` imports nobody.
macro_rules! embed {
    ($name:ident, $program:ty) => {
        #[allow(unsafe_code)]
        #[used]
        // SAFETY: the section is an array of addresses of functions, and `OnLoad` is one such address.
        #[unsafe(link_section = ".init_array")]
        static $name: $crate::sys::embedded::OnLoad =
            $crate::sys::embedded::OnLoad::become_program::<$program>();
    };
}

pub(crate) use embed;

/// Returns at once, having done nothing, if the executable was not started as the program.
extern "C" fn on_load<P: Embedded>(count: libc::c_int, strings: *const *const libc::c_char) {
    let arguments = match cfg!(target_env = "gnu") {
        true => passed(P::ARG0, count, strings),
        false => read(P::ARG0),
    };
    let Some(arguments) = arguments.filter(|_| !is_privileged()) else {
        return;
    };
    stand_in_for_runtime();
    process::exit(P::main(arguments).into());
}

/// The arguments behind `arg0`, from what glibc passed. `None` if the first one is another.
fn passed(arg0: &str, count: libc::c_int, strings: *const *const libc::c_char) -> Option<Vec<OsString>> {
    let string = |index: usize| {
        // SAFETY: glibc passes `main`'s arguments: `count` C strings, which nobody has changed yet.
        unsafe { CStr::from_ptr(*strings.add(index)) }.to_bytes()
    };
    let count = usize::try_from(count).unwrap_or(0);
    let is_ours = count > 0 && string(0) == arg0.as_bytes();
    is_ours.then(|| (1..count).map(|index| OsStr::from_bytes(string(index)).to_owned()).collect())
}

/// The same from the kernel, for a C library that passes nothing.
fn read(arg0: &str) -> Option<Vec<OsString>> {
    let line = fs::read("/proc/self/cmdline").ok()?;
    let mut strings = line.strip_suffix(b"\0")?.split(|&byte| byte == 0);
    let is_ours = strings.next() == Some(arg0.as_bytes());
    is_ours.then(|| strings.map(|string| OsString::from_vec(string.to_owned())).collect())
}

/// Whether whoever started the process has fewer rights than it, as with set-user-ID: then they shall not choose
/// what it is.
fn is_privileged() -> bool {
    // SAFETY: getauxval(3) reads what the kernel passed to the process, and has no preconditions.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Does what Rust's runtime does before `main`: standard descriptors that are closed lead to `/dev/null`, and a
/// write to a closed pipe is an error, not a death.
fn stand_in_for_runtime() {
    for number in 0..3 {
        // SAFETY: the number is only asked about; whether it is open is the question.
        let fd = unsafe { BorrowedFd::borrow_raw(number) };
        if fcntl(fd, FcntlArg::F_GETFD) == Err(Errno::EBADF) {
            // The lowest free number is the one, and it stays open for good.
            let _ = open("/dev/null", OFlag::O_RDWR, Mode::empty()).map(IntoRawFd::into_raw_fd);
        }
    }
    let _ = set_ignored(Signal::SIGPIPE);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;

    fn passed(arguments: &[&str]) -> Option<Vec<OsString>> {
        let strings: Vec<_> = arguments.iter().map(|argument| CString::new(*argument).unwrap()).collect();
        let pointers: Vec<_> = strings.iter().map(|string| string.as_ptr()).collect();
        super::passed("the-program", pointers.len().try_into().unwrap(), pointers.as_ptr())
    }

    #[test]
    fn only_the_exact_name_makes_the_program() {
        assert_eq!(passed(&["the-program"]), Some(vec![]));
        assert_eq!(passed(&["the-program", "a", ""]), Some(vec!["a".into(), "".into()]));
        for other in ["", "the-progra", "the-program ", "the-programs", "/bin/the-program", "The-program"] {
            assert_eq!(passed(&[other, "the-program"]), None, "{other:?}");
        }
        assert_eq!(passed(&[]), None);
    }

    #[test]
    fn the_kernel_tells_the_same() {
        let own: Vec<_> = std::env::args_os().collect();
        let arg0 = own[0].to_str().unwrap();
        assert_eq!(read(arg0).unwrap(), own[1..]);
        assert_eq!(read("the-program"), None);
    }
}
