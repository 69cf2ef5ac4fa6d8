//! What these tests need of the machine beside Rust, and how they say that it is missing.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

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
        let message = format!(
            "SKIPPED {test}: {} is not on the PATH; ci/peers installs it",
            missing.program
        );
        assert!(
            env::var_os("DAEMONPROOF_REQUIRE_PEERS").is_none_or(|value| value != "1"),
            "{message}"
        );
        eprintln!("{message}");
        None
    }
}

/// Where a program is.
pub(crate) fn program(name: &str) -> Result<PathBuf, Missing> {
    let path = env::var_os("PATH").unwrap_or_default();
    // A daemon's directory is often missing from the PATH of ordinary users.
    let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let mut programs = folders
        .map(|folder| folder.join(name))
        .filter(|program| program.is_file());
    programs.next().ok_or_else(|| Missing {
        program: name.to_owned(),
    })
}

/// A script or source among the daemons by other hands.
pub(crate) fn peer(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/peers")
        .join(name)
}

/// Compiles a C program into a directory that is removed with the value.
pub(crate) fn compile(source: &str) -> Result<(TempDir, PathBuf), Missing> {
    let folder = TempDir::new().expect("the directory for temporary files is writable");
    let binary = folder.path().join(source.trim_end_matches(".c"));
    let mut compiler = Command::new(program("cc")?);
    let compiler = compiler
        .args(["-O2", "-Wall", "-Wextra", "-pthread", "-o"])
        .arg(&binary)
        .arg(peer(source));
    let output = compiler.output().expect("the compiler runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok((folder, binary))
}
