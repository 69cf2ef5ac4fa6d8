//! The helpers inside any executable that the crate is linked into: a test, for instance.

use super::names::run;
use crate::sys::embedded::{Embedded, embed};
use nix::sys::prctl::set_name;
use std::ffi::{CString, OsString};
use std::fs;
use std::hint::black_box;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// The `argv[0]` that makes an executable a helper before its `main` is called.
///
/// Cargo does not build the executables of a dependency, so a test in another repository has none of
/// `harness-bins`. It has itself: each executable that this crate is linked into, with the feature `harness`, looks at
/// its `argv[0]` first. If that is `ARG0`, the next argument names the helper and the others are the helper's;
/// [`main`](super::main) runs and the process exits. Otherwise nothing happens.
///
/// ```
/// use std::os::unix::process::CommandExt;
/// use std::process::Command;
///
/// let mut command = Command::new(daemonproof::helper::executable()?);
/// let status = command.arg0(daemonproof::helper::ARG0).args(["slow-start", "--delay=10ms", "--fail=7"]).status()?;
/// assert_eq!(status.code(), Some(7));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// With the fixtures, [`Sandbox::helper`](crate::fixture::Sandbox::helper) is shorter. A script calls
/// `daemonproof-helper crash` if a directory of its `PATH` has a link of that name that leads to the test's executable.
///
/// The helper behaves like the executable of its name, comm included, with two differences: its title begins with
/// `ARG0`, and it runs before the constructors of the libraries that are initialised later. In a process that is
/// more privileged than whoever started it (`AT_SECURE`, getauxval(3)) there are no helpers.
pub const ARG0: &str = "daemonproof-helper";

struct Helpers;

impl Embedded for Helpers {
    const ARG0: &'static str = ARG0;

    fn main(arguments: Vec<OsString>) -> u8 {
        let mut arguments = arguments.into_iter();
        let name = arguments.next().unwrap_or_default();
        // As if the executable had that name.
        if let Ok(comm) = CString::new(name.as_bytes()) {
            let _ = set_name(&comm);
        }
        run(&name.to_string_lossy(), arguments)
    }
}

embed!(ON_LOAD, Helpers);

/// The executable of this process, which becomes a helper if its `argv[0]` is [`ARG0`].
///
/// # Errors
///
/// `NotFound` if the file was deleted or replaced since the process was started, as by a build that runs at the same
/// time; what `/proc/self/exe` cannot be read with.
pub fn executable() -> io::Result<PathBuf> {
    // So that no linker takes the helpers for unused.
    black_box(&raw const ON_LOAD);
    let path = fs::read_link("/proc/self/exe")?;
    let running = fs::metadata("/proc/self/exe")?;
    match fs::metadata(&path) {
        Ok(named) if (named.dev(), named.ino()) == (running.dev(), running.ino()) => Ok(path),
        _ => {
            let name = without_mark(path);
            let reason = format!("{} was deleted or replaced while it runs", name.display());
            Err(io::Error::new(io::ErrorKind::NotFound, reason))
        }
    }
}

/// The kernel marks the path of a file that has no name any more; proc_pid_exe(5).
fn without_mark(path: PathBuf) -> PathBuf {
    let mut bytes = path.into_os_string().into_vec();
    if bytes.ends_with(b" (deleted)") {
        bytes.truncate(bytes.len() - b" (deleted)".len());
    }
    OsString::from_vec(bytes).into()
}
