//! Programs to be built and run, and how much real time they may take.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use daemonproof::prelude::*;

use crate::peers::{Missing, program};

/// A source of these tests.
pub(crate) fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/virtual_time/programs").join(name)
}

/// Compiles a C program into the sandbox.
pub(crate) fn compile(sandbox: &Sandbox, name: &str, options: &[&str]) -> Result<PathBuf, Missing> {
    let binary = sandbox.rundir().join(name.trim_end_matches(".c"));
    let mut compiler = Command::new(program("cc")?);
    compiler.args(["-O2", "-Wall", "-Wextra", "-pthread"]).args(options).arg("-o").arg(&binary);
    built(compiler.arg(source(name)).arg("-lrt"));
    Ok(binary)
}

/// Compiles a Go program into the sandbox.
pub(crate) fn compile_go(sandbox: &Sandbox, name: &str) -> Result<PathBuf, Missing> {
    let binary = sandbox.rundir().join(name.trim_end_matches(".go"));
    let mut compiler = Command::new(program("go")?);
    compiler.env("GOCACHE", sandbox.outdir().join("go")).env("CGO_ENABLED", "0").env("GO111MODULE", "off");
    built(compiler.args(["build", "-o"]).arg(&binary).arg(source(name)));
    Ok(binary)
}

fn built(compiler: &mut Command) {
    let output = compiler.output().expect("the compiler runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs a command with virtual time to its end; returns what it wrote and how much time passed for it. In real time that
/// is a small part of it.
pub(crate) fn run(command: DaemonCommand) -> (String, Duration) {
    let began = Instant::now();
    let daemon = command.virtual_time().start();
    let ended = daemon.subject().wait_exit(Deadline::after(Duration::from_secs(100))).unwrap();
    let (real, passed) = (began.elapsed(), daemon.clock().passed());
    assert!(ended.success(), "{ended:?}: {}", text(daemon.subject().stderr().unwrap()));
    assert!(real < passed / 5 + Duration::from_secs(5), "{passed:?} took {real:?}");
    (text(daemon.subject().stdout().unwrap()), passed)
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// Asserts that this is as long as expected, but for the time that looking at clocks takes.
#[track_caller]
pub(crate) fn assert_about(passed: Duration, seconds: u64) {
    let expected = Duration::from_secs(seconds);
    assert!(
        (expected..expected + Duration::from_millis(100)).contains(&passed),
        "{passed:?}, not {expected:?}"
    );
}
