//! Every kind of wait that ends after a time, in a C program, linked dynamically and statically.

use std::fmt::Write;

use daemonproof::prelude::*;

use crate::peers::Missing;
use crate::support::{compile, run};

/// What `waits.c` says of each, by a clock that goes as the machine's does.
const EXPECTED: &str = include_str!("programs/waits.out");

/// `None` if there is no compiler.
fn waits(options: &[&str]) -> Option<String> {
    let sandbox = Sandbox::new().unwrap();
    let binary = Missing::skip(compile(&sandbox, "waits.c", options))?;
    let (said, passed) = run(sandbox.daemon(binary));
    assert!(passed.as_secs() > 140, "{passed:?}");
    Some(said)
}

/// Says which lines differ, and not only that some do.
fn assert_expected(said: &str) {
    let mut wrong = String::new();
    let (mut said, mut expected) = (said.lines(), EXPECTED.lines());
    loop {
        match (said.next(), expected.next()) {
            (None, None) => break,
            (said, expected) if said == expected => {}
            (said, expected) => {
                writeln!(wrong, "{} instead of {}", said.unwrap_or("nothing"), expected.unwrap_or("nothing"))
                    .unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn each_wait_ends_in_time() {
    waits(&[]).iter().for_each(|said| assert_expected(said));
}

#[test]
fn so_it_does_without_a_dynamic_loader() {
    waits(&["-static"]).iter().for_each(|said| assert_expected(said));
}
