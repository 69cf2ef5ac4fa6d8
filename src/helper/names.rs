//! Which helpers there are.

use super::{crash, defective, hang, published_protocol, reference, slow_start};
use crate::sys::signal::set_default;
use clap::Parser;
use nix::sys::signal::Signal;
use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

/// What a helper does, once its arguments are understood.
pub(super) type Outcome = Result<(), Box<dyn Error>>;

type Run = fn(Vec<OsString>) -> Result<Outcome, clap::Error>;

const HELPERS: [(&str, &str, Run); 6] = [
    ("reference", "a daemon that does everything right", parse_and::<reference::Args>),
    ("crash", "dies when and how it is told", parse_and::<crash::Args>),
    ("hang", "stops responding when it is told", parse_and::<hang::Args>),
    ("slow-start", "takes its time to become ready, or to fail", parse_and::<slow_start::Args>),
    ("defective", "right in everything but one named thing", parse_and::<defective::Args>),
    (
        "published-protocol",
        "creates its pidfile in the steps of Open vSwitch, holes included",
        parse_and::<published_protocol::Args>,
    ),
];

/// The names of the helpers.
pub const NAMES: [&str; 6] =
    [HELPERS[0].0, HELPERS[1].0, HELPERS[2].0, HELPERS[3].0, HELPERS[4].0, HELPERS[5].0];

/// What the arguments of a helper lead to.
pub(super) trait Helper: Parser {
    fn run(self) -> Outcome;
}

fn parse_and<H: Helper>(arguments: Vec<OsString>) -> Result<Outcome, clap::Error> {
    H::try_parse_from(arguments).map(Helper::run)
}

/// One line on what the helper does. `None` if there is no such helper.
pub fn summary(name: &str) -> Option<&'static str> {
    HELPERS.iter().find(|helper| helper.0 == name).map(|helper| helper.1)
}

/// Is the helper `name`, to the end, with these arguments (without a program name).
///
/// Its exit status: 0, 1 with a message on the standard error, 2 for arguments that it does not understand
/// or a helper that does not exist.
pub fn main(name: &str, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    run(name, arguments).into()
}

/// [`main`], with its exit status as a number.
pub(super) fn run(name: &str, arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let Some((name, _, run)) = HELPERS.iter().find(|helper| helper.0 == name) else {
        let _ = writeln!(io::stderr(), "no helper {name:?}; there are {}", NAMES.join(", "));
        return 2;
    };
    // Rust's runtime swallows the first SIGSEGV and SIGBUS that another process sends.
    for signal in [Signal::SIGSEGV, Signal::SIGBUS] {
        let _ = set_default(signal);
    }
    let arguments = std::iter::once(OsString::from(name)).chain(arguments).collect();
    match run(arguments) {
        Ok(Ok(())) => 0,
        Ok(Err(error)) => {
            let _ = writeln!(io::stderr(), "{name}: {error}");
            1
        }
        Err(usage) => {
            let _ = usage.print();
            usage.exit_code().try_into().unwrap_or(2)
        }
    }
}
