//! Where text and reports go.

use super::args::OutputArgs;
use super::exit::Failure;
use crate::report::Look;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

const STDOUT: &str = "the standard output";

/// Prints text with ANSI escapes, which are removed unless colours are wanted there.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    written(STDOUT, anstream::stdout().lock().write_all(text.as_bytes()))
}

/// Says on the standard error what went wrong.
pub(super) fn complain(failure: &Failure) {
    let style = clap::builder::Styles::styled();
    let error = style.get_error();
    let mut stderr = anstream::stderr().lock();
    let hint = match failure {
        Failure::Usage(_) => "\n\nFor more information, try '--help'.",
        _ => "",
    };
    // Nobody reads any more: nothing to be done.
    let _ = writeln!(stderr, "{error}error:{error:#} {failure}{hint}");
}

/// Says on the standard error what is good to know.
pub(super) fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// That nobody reads to the end, as in `| head`, is no failure.
fn written(to: &str, outcome: io::Result<()>) -> Result<(), Failure> {
    match outcome {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Output { to: to.to_owned(), error })
        }
        _ => Ok(()),
    }
}

/// What can be shown on the standard output, or on the standard error.
pub(super) fn look(on_stderr: bool) -> Look {
    Look { width: width(on_stderr).unwrap_or(80), utf8: is_utf8(|name| std::env::var(name).ok()) }
}

fn width(on_stderr: bool) -> Option<usize> {
    let size = match on_stderr {
        true => terminal_size::terminal_size_of(io::stderr()),
        false => terminal_size::terminal_size_of(io::stdout()),
    };
    size.map(|(width, _)| usize::from(width.0).max(20))
}

/// The first of these that is set decides; locale(7).
fn is_utf8(variable: impl Fn(&str) -> Option<String>) -> bool {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// Where the reports of one command go. Files are made at once: not being able to is told before anything
/// is done, and an interrupted command leaves no report of an earlier one.
#[derive(Debug)]
pub(super) struct Outputs {
    json: Option<Sink>,
    html: Option<Sink>,
    text: Option<Text>,
}

#[derive(Debug)]
enum Sink {
    Stdout,
    File(String, File),
}

/// Where the text goes, if anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    Stdout,
    Stderr,
}

impl Outputs {
    pub(super) fn open(args: &OutputArgs) -> Result<Self, Failure> {
        let json = args.json.as_deref().map(Sink::open).transpose()?;
        let html = args.html.as_deref().map(Sink::open).transpose()?;
        let reports = [&json, &html].into_iter().flatten();
        let on_stdout = reports.filter(|sink| matches!(sink, Sink::Stdout)).count();
        let text = match on_stdout {
            _ if args.quiet => None,
            0 => Some(Text::Stdout),
            _ => Some(Text::Stderr),
        };
        if on_stdout > 1 {
            let both = "only one of --json and --html can go to the standard output";
            return Err(Failure::Usage(both.to_owned()));
        }
        Ok(Self { json, html, text })
    }

    /// Whether text is wanted, as opposed to `--quiet`.
    pub(super) fn wants_text(&self) -> bool {
        self.text.is_some()
    }

    /// Writes the text, and those reports that are asked for.
    pub(super) fn write(
        self,
        text: impl FnOnce(Look) -> String,
        json: impl FnOnce() -> serde_json::Result<String>,
        html: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        if let Some(sink) = self.json {
            let json = json().map_err(|error| Failure::Inconclusive(error.to_string()))?;
            sink.write(&json)?;
        }
        if let Some(sink) = self.html {
            sink.write(&html())?;
        }
        match self.text {
            None => Ok(()),
            Some(Text::Stdout) => print(&text(look(false))),
            Some(Text::Stderr) => {
                let text = text(look(true));
                written("the standard error", anstream::stderr().lock().write_all(text.as_bytes()))
            }
        }
    }
}

impl Sink {
    fn open(path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            return Ok(Self::Stdout);
        }
        let name = path.display().to_string();
        match File::create(path) {
            Ok(file) => Ok(Self::File(name, file)),
            Err(error) => Err(Failure::Usage(format!("failed to create {name}: {error}"))),
        }
    }

    fn write(self, text: &str) -> Result<(), Failure> {
        match self {
            Self::Stdout => written(STDOUT, io::stdout().lock().write_all(text.as_bytes())),
            Self::File(name, mut file) => written(&name, file.write_all(text.as_bytes())),
        }
    }
}

/// Whether progress can be shown: on a terminal that can overwrite a line.
pub(super) fn shows_progress() -> bool {
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    io::stderr().is_terminal() && !is_dumb
}

/// Leaves the line on which progress was shown, after who showed it has died.
pub(super) fn leave_progress() {
    if shows_progress() {
        let _ = writeln!(io::stderr());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_decides() {
        let utf8 = |set: &[(&str, &str)]| {
            is_utf8(|name| {
                let found = set.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        assert!(utf8(&[("LANG", "en_GB.UTF-8")]));
        assert!(utf8(&[("LC_CTYPE", "C.utf8"), ("LANG", "C")]));
        assert!(!utf8(&[("LC_ALL", "C"), ("LANG", "en_GB.UTF-8")]));
        assert!(utf8(&[("LC_ALL", ""), ("LANG", "en_GB.UTF-8")]));
        assert!(!utf8(&[]));
    }

    #[test]
    fn a_reader_that_leaves_early_is_no_failure() {
        assert!(written("x", Err(io::ErrorKind::BrokenPipe.into())).is_ok());
        let failure = written("x", Err(io::ErrorKind::StorageFull.into())).unwrap_err();
        assert!(failure.to_string().starts_with("failed to write x: "));
    }
}
