//! The daemons by other hands, as scripts and sources.

use super::peers::{Missing, program};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A script or source among the daemons by other hands.
pub(crate) fn peer(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(name)
}

/// Compiles a C program into a directory that is removed with the value.
pub(crate) fn compile(source: &str) -> Result<(TempDir, PathBuf), Missing> {
    let folder = TempDir::new().expect("the directory for temporary files is writable");
    let binary = folder.path().join(source.trim_end_matches(".c"));
    let mut compiler = Command::new(program("cc")?);
    let compiler =
        compiler.args(["-O2", "-Wall", "-Wextra", "-pthread", "-o"]).arg(&binary).arg(peer(source));
    let output = compiler.output().expect("the compiler runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok((folder, binary))
}
