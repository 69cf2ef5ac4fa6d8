//! What these tests need of the machine beside Rust, and how they say that it is missing.

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A program that is not on the `PATH`.
#[derive(Debug)]
pub(crate) struct Missing {
    program: String,
}

impl Missing {
    /// What was found. `None`, said loudly, if something is missing; a failure where the environment's
    /// `DAEMONPROOF_REQUIRE_PEERS` is 1, as in CI.
    pub(crate) fn skip<T>(found: Result<T, Self>) -> Option<T> {
        let missing = match found {
            Ok(found) => return Some(found),
            Err(missing) => missing,
        };
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let message = format!("SKIPPED {test}: {} is not on the PATH; ci/peers installs it", missing.program);
        assert!(env::var_os("DAEMONPROOF_REQUIRE_PEERS").is_none_or(|value| value != "1"), "{message}");
        // Past the capture of a test that passes: nobody would see it there.
        let _ = writeln!(std::io::stderr(), "{message}");
        None
    }
}

/// Where a program is.
pub(crate) fn program(name: &str) -> Result<PathBuf, Missing> {
    let path = env::var_os("PATH").unwrap_or_default();
    // A daemon's directory is often missing from the PATH of ordinary users.
    let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let mut programs = folders.map(|folder| folder.join(name)).filter(|program| program.is_file());
    programs.next().ok_or_else(|| Missing { program: name.to_owned() })
}

/// The Python interpreter itself: what is on the `PATH` may be a script that looks for it, and takes longer for that than
/// the rest of a start.
pub(crate) fn python() -> Result<&'static Path, Missing> {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    let found = program("python3")?;
    Ok(PYTHON.get_or_init(|| {
        let ask = "import sys; print(sys.executable, end='')";
        let answer = Command::new(found).args(["-c", ask]).output().unwrap();
        String::from_utf8(answer.stdout).unwrap().into()
    }))
}
