//! Tests that not every machine permits.

use std::env;
use std::io::Write;

/// Says that a test is skipped, past libtest, which shows only what failed tests print.
///
/// # Panics
///
/// If `DAEMONPROOF_REQUIRE_MOUNTS` is 1, as in CI where root may mount: nothing that needs root or mounts may be skipped.
pub(crate) fn skipped(name: &str, why: &str) {
    let message = format!("SKIPPED {name}: {why}");
    assert!(env::var_os("DAEMONPROOF_REQUIRE_MOUNTS").is_none_or(|value| value != "1"), "{message}");
    // Not by `eprintln!`, which libtest captures.
    writeln!(std::io::stderr(), "{message}").expect("standard error can be written to");
}
