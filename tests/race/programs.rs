//! The programs that these tests race beside the helpers.

use crate::peers::{Missing, program};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tempfile::TempDir;

/// A source or script of these tests.
pub(crate) fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/race/programs").join(name)
}

/// `odd.c`, compiled once. Statics are never dropped, so the executable has no name any more: it is a descriptor.
pub(crate) fn odd() -> Result<&'static Path, Missing> {
    static ODD: OnceLock<PathBuf> = OnceLock::new();
    program("cc")?;
    Ok(ODD.get_or_init(|| {
        let (_folder, binary) = compiled(&[]);
        let file = std::fs::File::open(binary).unwrap();
        let descriptor = std::os::fd::AsRawFd::as_raw_fd(&file);
        std::mem::forget(file);
        format!("/proc/{}/fd/{descriptor}", std::process::id()).into()
    }))
}

/// The same, linked with nothing.
pub(crate) fn static_odd() -> Result<(TempDir, PathBuf), Missing> {
    program("cc")?;
    Ok(compiled(&["-static"]))
}

fn compiled(flags: &[&str]) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let binary = folder.path().join("odd");
    let mut compiler = Command::new("cc");
    compiler.args(["-O1", "-Wall", "-Wextra", "-Werror", "-pthread"]).args(flags);
    let output = compiler.arg("-o").arg(&binary).arg(source("odd.c")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (folder, binary)
}
