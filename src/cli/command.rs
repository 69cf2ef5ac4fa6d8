//! From the command line to the exit status.

use super::args::{Cli, Command};
use super::exit::{Failure, Status};
use super::output::{complain, print};
use super::{check, inspect, profiles, race, replay, show, sweep};
use crate::helper;
use std::ffi::OsString;
use std::fmt::Write;
use std::process::ExitCode;

/// Does what the command line of this process asks for.
pub fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|command| command == "helper")
        && let Some(code) = be_helper(args)
    {
        return code;
    }
    let outcome = match Cli::told() {
        Ok(cli) => run(cli),
        Err(usage) => {
            // Nobody reads any more: nothing to be done.
            let _ = usage.print();
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(Status::Usage as u8));
        }
    };
    outcome.unwrap_or_else(|failure| {
        complain(&failure);
        failure.status().into()
    })
}

/// Is a helper, with every argument untouched and before anything was initialised: it may daemonize.
/// `None` if none is named.
fn be_helper(mut args: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    let name = args.next()?;
    let name = name.to_str().filter(|name| !name.starts_with('-'))?;
    Some(helper::main(name, args))
}

fn run(cli: Cli) -> Result<ExitCode, Failure> {
    match cli.command {
        Command::Check(args) => check::run(&args),
        Command::Race(args) => race::run(&args),
        Command::Crash(args) => sweep::crash(&args),
        Command::Fault(args) => sweep::fault(&args),
        Command::Replay(args) => replay::run(&args.drawn),
        Command::Show(args) => show::run(&args.drawn).map(ExitCode::from),
        Command::Inspect(args) => inspect::run(&args).map(ExitCode::from),
        Command::Profiles(args) => profiles::run(&args).map(ExitCode::from),
        Command::Helper(args) => match args.name {
            None => list_helpers().map(ExitCode::from),
            Some(name) => Err(Failure::Usage(format!("no helper {name:?}"))),
        },
    }
}

fn list_helpers() -> Result<Status, Failure> {
    let width = helper::NAMES.iter().map(|name| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for name in helper::NAMES {
        let summary = helper::summary(name).unwrap_or_default();
        let _ = writeln!(text, "{name:width$}  {summary}");
    }
    print(&text)?;
    Ok(Status::Holds)
}
