//! Claims about what a program printed.

use predicates::Predicate;

use super::Claim;
use super::text::{about, look_at};
use crate::observe::Output;

/// Its standard output fulfils `predicate`.
///
/// ```
/// use daemonproof::observe::Output;
/// use daemonproof::predicate::{explain, stderr, stdout};
/// use predicates::prelude::*;
///
/// let output = Output::from_bytes(b"", b"d.pid: already running as pid 812, aborting\n");
/// let refused = stderr(predicate::str::contains("already running")).and(stdout(predicate::str::is_empty()));
/// assert!(refused.eval(&output));
///
/// let started = stdout(predicate::str::contains("ready"));
/// assert_eq!(explain(&started.find_case(false, &output).expect("it was refused")), "\
/// expected: stdout.contains(ready)
///    found: stdout nothing");
/// ```
pub fn stdout(predicate: impl Predicate<str> + Send + Sync + 'static) -> Claim<Output> {
    Claim::new(about("stdout", &predicate), move |output: &Output| {
        look_at("stdout", &output.stdout, &predicate)
    })
}

/// Its standard error fulfils `predicate`; see [`stdout`].
pub fn stderr(predicate: impl Predicate<str> + Send + Sync + 'static) -> Claim<Output> {
    Claim::new(about("stderr", &predicate), move |output: &Output| {
        look_at("stderr", &output.stderr, &predicate)
    })
}
