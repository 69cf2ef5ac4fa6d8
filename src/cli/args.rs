//! What may be typed.

use super::race_args::{RaceArgs, ReplayArgs};
use super::sweep_args::{CrashArgs, FaultArgs};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Verify that a daemon keeps the promises every daemon makes.
#[derive(Debug, Parser)]
#[command(name = "daemonproof", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Exit status: 0 all holds, 1 something is broken, 2 usage, 3 could not judge.")]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

impl Cli {
    /// The definition. clap takes `{n}` in a text for a new line, so `{N}` is written there, and a sequence that shows nothing
    /// put between brace and letter.
    pub(super) fn definition() -> clap::Command {
        let shown = |command: clap::Command| match command.get_long_about() {
            Some(about) => {
                let text = about.ansi().to_string().replace("{N}", "{\x1b[0mn}");
                command.long_about(text)
            }
            None => command,
        };
        Self::command().mut_subcommands(shown)
    }

    /// What this process was told.
    pub(super) fn told() -> Result<Self, clap::Error> {
        let mut definition = Self::definition();
        let matches = definition.try_get_matches_from_mut(std::env::args_os())?;
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut definition))
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Check(Box<CheckArgs>),
    Race(Box<RaceArgs>),
    Crash(Box<CrashArgs>),
    Fault(Box<FaultArgs>),
    Replay(ReplayArgs),
    Show(ShowArgs),
    Inspect(InspectArgs),
    Profiles(ProfilesArgs),
    Helper(HelperArgs),
}

/// Judge a daemon by the catalogue of promises
///
/// Starts COMMAND as often as needed in a private directory, and ends everything that it started. Without COMMAND
/// and --profile, the built-in reference daemon is judged.
///
/// In COMMAND and in --env these are replaced: {pidfile}, the pidfile in that directory; {rundir}, the directory;
/// {N}, the number of the instance, from 1. Write {{N}} to pass {N} on.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status: 0 all that was judged holds, 1 a promise is broken, 2 usage, 3 could not judge.

Examples:
  daemonproof check
  daemonproof check --profile ovsdb-server
  daemonproof check --detach=--daemon -- mydaemon --pidfile={pidfile}
  daemonproof check --detach= --foreground=-f -- mydaemon -p {pidfile}
  daemonproof check --only pidfile stop -- mydaemon --pidfile={pidfile}")]
pub(super) struct CheckArgs {
    #[command(flatten)]
    pub(super) drive: DriveArgs,
    #[command(flatten)]
    pub(super) select: SelectArgs,
    /// Print what would be judged, and stop
    #[arg(long, conflicts_with_all = ["explain", "json", "html"])]
    pub(super) list: bool,
    /// Print what a check or a family promises, why, and how it is judged, and stop
    #[arg(long, value_name = "ID", conflicts_with_all = ["json", "html"])]
    pub(super) explain: Option<String>,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// Which daemon.
#[derive(Debug, Clone, Args)]
pub(super) struct SubjectArgs {
    /// The command, with placeholders; instead of the profile's own
    #[arg(last = true, value_name = "COMMAND")]
    pub(super) command: Vec<OsString>,
    /// A built-in profile, or the path of one; arguments given here take precedence
    #[arg(long, value_name = "NAME|FILE")]
    pub(super) profile: Option<String>,
    /// Set a variable for it, with placeholders; may be repeated
    #[arg(long, value_name = "K=V", value_parser = variable)]
    pub(super) env: Vec<(String, String)>,
}

/// How the daemon is driven.
#[derive(Debug, Args)]
#[command(next_help_heading = "How the daemon is driven")]
pub(super) struct DriveArgs {
    #[command(flatten)]
    pub(super) subject: SubjectArgs,
    /// The argument that detaches it (--detach=--daemon); empty if it does so by itself (--detach=)
    #[arg(long, value_name = "ARG")]
    pub(super) detach: Option<String>,
    /// The argument that keeps it in the foreground, if it detaches by itself
    #[arg(long, value_name = "ARG")]
    pub(super) foreground: Option<String>,
    /// The argument that has it monitored, that is, restarted when it crashes
    #[arg(long, value_name = "ARG")]
    pub(super) monitor: Option<String>,
    /// The argument that lets it start although it is running already
    #[arg(long, value_name = "ARG")]
    pub(super) overwrite: Option<String>,
    /// The argument that keeps its working directory
    #[arg(long, value_name = "ARG")]
    pub(super) no_chdir: Option<String>,
    /// How long to wait for anything that should happen [default: 10s]
    #[arg(long, value_name = "DUR", value_parser = duration)]
    pub(super) timeout: Option<Duration>,
    /// Drive it on the machine's clock, not on one of its own that jumps to the end of each wait
    #[arg(long)]
    pub(super) real_time: bool,
    /// Search and sweep in every mode, with three instances too, up to five minutes each
    #[arg(long)]
    pub(super) deep: bool,
}

/// Which checks.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is judged")]
pub(super) struct SelectArgs {
    /// Judge these checks only; the name of a family means all of it
    #[arg(long, value_name = "ID", num_args = 1.., value_delimiter = ',')]
    pub(super) only: Vec<String>,
    /// Leave these checks out
    #[arg(long, value_name = "ID", num_args = 1.., value_delimiter = ',')]
    pub(super) skip: Vec<String>,
}

/// Where reports go.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct OutputArgs {
    /// Write the report as JSON to FILE; `-` is the standard output, and then the text goes to standard error
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Write the report as one HTML page to FILE, or `-`
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
    /// Print errors only
    #[arg(long, short)]
    pub(super) quiet: bool,
}

/// Draw a saved schedule
///
/// One column a task, one row an operation; nothing is run. With --json the schedule is written as it is saved.
#[derive(Debug, Args)]
#[command(after_help = "Exit status: 0 it is drawn, 2 usage, or FILE is not a schedule.")]
pub(super) struct ShowArgs {
    #[command(flatten)]
    pub(super) drawn: DrawnArgs,
}

/// Which schedule, and how it is drawn.
#[derive(Debug, Args)]
pub(super) struct DrawnArgs {
    /// The schedule, as `race --save` writes it
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// Show every step, those too that no other task could see
    #[arg(long)]
    pub(super) all: bool,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// Show who owns a pidfile, what it holds, and its tree
///
/// Looks and changes nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status: 0 a live process was found, 1 none was (the pidfile is missing, stale or malformed), 2 usage,
3 not permitted to look.")]
pub(super) struct InspectArgs {
    /// A pidfile, or a pid: digits are a pid unless there is a file of that name; ./812 is always the file
    #[arg(value_name = "PIDFILE|PID")]
    pub(super) subject: OsString,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// List the known daemons, or print how one is driven
#[derive(Debug, Args)]
pub(super) struct ProfilesArgs {
    /// The one to print in full: a built-in profile, or the path of one
    #[arg(value_name = "NAME")]
    pub(super) name: Option<String>,
}

/// Be one of the helper binaries; without NAME, list them
#[derive(Debug, Args)]
pub(super) struct HelperArgs {
    /// Which one
    #[arg(value_name = "NAME")]
    pub(super) name: Option<OsString>,
    /// Passed on as they are, --help too
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(super) args: Vec<OsString>,
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("must be longer than nothing".to_owned()),
        Ok(duration) => Ok(duration),
        Err(error) => Err(format!("{error}; write for instance 500ms or 10s")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(args: &[&str]) -> CheckArgs {
        let args = ["daemonproof", "check"].iter().chain(args);
        match Cli::try_parse_from(args).unwrap().command {
            Command::Check(args) => *args,
            other => panic!("{other:?}"),
        }
    }

    fn fails(args: &[&str]) -> String {
        let args = ["daemonproof", "check"].iter().chain(args);
        Cli::try_parse_from(args).unwrap_err().to_string()
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::definition().debug_assert();
    }

    #[test]
    fn ids_end_where_the_command_begins() {
        let args = check(&["--only", "a.b", "c", "--skip=d,e", "--only", "f", "--", "x", "--only"]);
        assert_eq!(args.select.only, ["a.b", "c", "f"]);
        assert_eq!(args.select.skip, ["d", "e"]);
        assert_eq!(args.drive.subject.command, ["x", "--only"]);
    }

    #[test]
    fn arguments_of_the_daemon_begin_with_hyphens_or_are_empty() {
        let args = check(&["--detach=--daemon", "--foreground=-f", "--monitor=", "--env", "A=b=c"]);
        assert_eq!(args.drive.detach.as_deref(), Some("--daemon"));
        assert_eq!(args.drive.foreground.as_deref(), Some("-f"));
        assert_eq!(args.drive.monitor.as_deref(), Some(""));
        assert_eq!(args.drive.subject.env, [("A".to_owned(), "b=c".to_owned())]);
        assert!(fails(&["--detach", "--daemon"]).contains("unexpected argument '--daemon'"));
    }

    #[test]
    fn mistakes_are_named() {
        assert!(fails(&["--env", "A"]).contains("expected NAME=VALUE"));
        assert!(fails(&["--env", "=b"]).contains("expected NAME=VALUE"));
        assert!(fails(&["--timeout", "soon"]).contains("for instance 500ms"));
        assert!(fails(&["--timeout", "0s"]).contains("longer than nothing"));
        assert!(fails(&["sleep", "1000"]).contains("unexpected argument 'sleep'"));
        assert!(fails(&["--list", "--explain", "x"]).contains("cannot be used with"));
    }
}
