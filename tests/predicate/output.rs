//! Claims about output.

use daemonproof::observe::Output;
use daemonproof::prelude::*;
use predicates::prelude::*;
use rstest::rstest;

use crate::support::{Prepared, fails, holds};

#[rstest]
#[case(stdout(predicate::str::starts_with("up")), stdout(predicate::str::contains("down")))]
#[case(stdout(predicate::eq("up\nready\n")), stdout(predicate::eq("up\n")))]
#[case(stderr(predicate::str::is_empty().not()), stderr(predicate::str::is_empty()))]
#[case(stderr(predicate::str::contains("warning").count(2)), stderr(predicate::str::contains("up")))]
#[case(stdout(predicate::str::contains("up").boxed()), stdout(predicate::never().boxed()))]
#[case(stdout(predicate::function(|text: &str| text.lines().count() == 2)), stdout(predicate::always()).not())]
fn each_stream_is_judged_alone(#[case] is: Claim<Output>, #[case] is_not: Claim<Output>) {
    let shell = Prepared::sh("echo up; echo a warning, another warning >&2; echo ready; exec sleep 1000");
    let read = |stream: Result<Vec<u8>, FixtureError>| stream.unwrap();
    let output = Output::from_bytes(&read(shell.subject.stdout()), &read(shell.subject.stderr()));
    holds(&output, is);
    fails(&output, is_not);
}

#[test]
fn no_utf8_is_replaced() {
    let output = Output::from_bytes(b"a\xff", b"");
    holds(&output, stdout(predicate::eq("a\u{fffd}")));
    assert_eq!(output.to_string(), "stdout:\na\u{fffd}\nstderr: nothing");
}
