//! `daemonproof profiles`.

use super::args::ProfilesArgs;
use super::check::command_of;
use super::exit::{Failure, Status};
use super::output::print;
use super::program::on_path;
use crate::check::Profile;
use crate::report::quoted;
use anstyle::Style;
use std::ffi::OsStr;
use std::fmt::Write;
use std::path::Path;

const BOLD: Style = Style::new().bold();

pub(super) fn run(args: &ProfilesArgs) -> Result<Status, Failure> {
    let text = match &args.name {
        None => table()?,
        Some(name) => described(name)?,
    };
    print(&text)?;
    Ok(Status::Holds)
}

fn usage(error: impl ToString) -> Failure {
    Failure::Usage(error.to_string())
}

fn table() -> Result<String, Failure> {
    let profiles = Profile::names().map(Profile::named).collect::<Result<Vec<_>, _>>().map_err(usage)?;
    let rows = profiles.iter().map(|profile| {
        let package = profile.package.clone().unwrap_or_else(|| "-".to_owned());
        [profile.name.clone(), package, place(profile), profile.summary.clone()]
    });
    let heading = ["name", "package", "program", "what it is"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(heading).chain(rows).collect();
    let widths = [0, 1, 2].map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0));
    let mut text = String::new();
    for (index, [name, package, place, summary]) in rows.iter().enumerate() {
        let style = if index == 0 { BOLD } else { Style::new() };
        let [a, b, c] = widths;
        let _ = writeln!(text, "{style}{name:a$}  {package:b$}  {place:c$}  {summary}{style:#}");
    }
    Ok(text)
}

/// Where the program is.
fn place(profile: &Profile) -> String {
    match profile.command.first().map(String::as_str) {
        None => "-".to_owned(),
        Some("daemonproof") => "built in".to_owned(),
        Some(program) if program.contains('/') => match Path::new(program).exists() {
            true => program.to_owned(),
            false => "not installed".to_owned(),
        },
        Some(program) => on_path(OsStr::new(program))
            .map_or_else(|| "not installed".to_owned(), |path| path.display().to_string()),
    }
}

/// The profile as it is written, and before it, as comments, how it is driven: so it can be copied as a whole.
fn described(name: &str) -> Result<String, Failure> {
    let profile = Profile::find(name).map_err(usage)?;
    let source = match Profile::text(name) {
        Some(text) => text.to_owned(),
        None => {
            std::fs::read_to_string(name).map_err(|error| usage(format!("failed to read {name}: {error}")))?
        }
    };
    let mut text = format!("# program: {}\n", place(&profile));
    for (how, arguments) in modes(&profile) {
        if let Some(command) = command_of(&profile) {
            let command = command.args(arguments.into_iter().filter(|argument| !argument.is_empty()));
            let words = std::iter::once(&command.program).chain(&command.args).map(|word| word.as_os_str());
            let _ = writeln!(text, "# {how}: {}", quoted(words.map(|word| word.to_string_lossy())));
        }
    }
    Ok(format!("{text}\n{source}"))
}

/// The ways in which it is started, each with its arguments.
fn modes(profile: &Profile) -> Vec<(&'static str, Vec<&String>)> {
    let Profile { detach, foreground, monitor, .. } = profile;
    let mut modes = Vec::new();
    if foreground.is_some() || detach.as_deref() != Some("") {
        modes.push(("in the foreground", foreground.iter().collect()));
    }
    if let Some(detach) = detach {
        modes.push(("detached", vec![detach]));
    }
    if let Some(monitor) = monitor {
        modes.push(("detached and monitored", detach.iter().chain([monitor]).collect()));
    }
    modes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_profile_can_be_printed_and_read_again() {
        for name in Profile::names() {
            let directory = tempfile::tempdir().unwrap();
            let copy = directory.path().join("copy.toml");
            std::fs::write(&copy, described(name).unwrap()).unwrap();
            assert_eq!(Profile::read(&copy).unwrap(), Profile::named(name).unwrap());
        }
    }
}
