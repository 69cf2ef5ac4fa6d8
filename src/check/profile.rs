//! How one particular daemon is driven, and what is peculiar to it: a TOML file.

use super::driving::Driving;
use crate::fixture::CommandLine;
use nix::sys::signal::Signal;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

const BUILT_IN: [(&str, &str); 2] = [
    ("ovsdb-server", include_str!("../../profiles/ovsdb-server.toml")),
    ("reference", include_str!("../../profiles/reference.toml")),
];

/// A well-known daemon.
///
/// ```
/// use daemonproof::check::Profile;
/// let profile = Profile::named("ovsdb-server").unwrap();
/// assert_eq!(profile.package.as_deref(), Some("openvswitch-switch"));
/// assert_eq!(profile.detach.as_deref(), Some("--detach"));
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Profile {
    /// The name by which it is asked for.
    pub name: String,
    /// What the daemon is, in a line.
    pub summary: String,
    /// The Debian package that it comes from.
    pub package: Option<String>,
    /// Program and arguments, with placeholders. The program `daemonproof` is the running executable.
    #[serde(default)]
    pub command: Vec<String>,
    /// Additional environment, with placeholders.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// The argument that detaches it; empty if it does so by itself.
    pub detach: Option<String>,
    /// The argument that keeps it in the foreground, if it detaches by itself.
    pub foreground: Option<String>,
    /// The argument that has it monitored.
    pub monitor: Option<String>,
    /// The argument that lets it start although it runs already.
    pub overwrite: Option<String>,
    /// The argument that keeps the working directory.
    pub no_chdir: Option<String>,
    /// An argument that makes it fail to start.
    pub fail: Option<String>,
    /// What is peculiar to it.
    #[serde(default)]
    pub declares: Declared,
}

/// What a daemon promises beyond what every daemon does. Only what is declared is judged.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Declared {
    /// The minimum time between two restarts.
    #[serde(deserialize_with = "duration")]
    pub restart_interval: Option<Duration>,
    /// Whether the first crash leads to a restart at once, however long the monitor waits later.
    pub first_restart_at_once: bool,
    /// Up to what the time between two restarts grows while crashes follow each other.
    #[serde(deserialize_with = "duration")]
    pub longest_restart_interval: Option<Duration>,
    /// At how many crashes in a row the monitor gives up.
    pub gives_up_after: Option<NonZeroU32>,
    /// The signals after which the monitor restarts the daemon, others that kill ending both.
    #[serde(deserialize_with = "signals")]
    pub restart_signals: Option<Vec<Signal>>,
    /// The monitor's command name (comm).
    pub monitor_comm: Option<String>,
    /// What the monitor's title contains while all is well; `{pid}` is the daemon's.
    pub monitor_title: Option<String>,
    /// What it contains after each crash; `{crashed}` is the pid of the crashed daemon, `{crashes}` how many have crashed.
    pub monitor_title_after_crash: Option<String>,
    /// The exit status of a start that fails.
    pub failure_status: Option<i32>,
    /// What the message of a refused start contains; `{pidfile}` and `{pid}`, the owner, are replaced.
    pub refusal_message: Option<String>,
    /// The mode of the pidfile, whatever the umask.
    #[serde(deserialize_with = "mode")]
    pub pidfile_mode: Option<u32>,
    /// All names that may be left in the rundir when everything has ended.
    pub leaves: Option<Vec<String>>,
}

/// Why a profile could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// There is no such profile.
    #[error("no profile {name:?}; there are {}, or give a file's path", Profile::names().collect::<Vec<_>>().join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The file could not be read.
    #[error("failed to read the profile {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file is no profile.
    #[error("{}: not a profile: {error}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        error: Box<toml::de::Error>,
    },
}

impl Profile {
    /// The names of the built-in profiles.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// The built-in profile of this name, as it is written.
    pub fn text(name: &str) -> Option<&'static str> {
        BUILT_IN.iter().find(|profile| profile.0 == name).map(|profile| profile.1)
    }

    /// The built-in profile of this name.
    pub fn named(name: &str) -> Result<Self, ProfileError> {
        let unknown = || ProfileError::Unknown { name: name.to_owned() };
        let text = Self::text(name).ok_or_else(unknown)?;
        Self::parse(text, Path::new(name))
    }

    /// The profile in a file.
    pub fn read(path: &Path) -> Result<Self, ProfileError> {
        let text = fs::read_to_string(path)
            .map_err(|error| ProfileError::Unreadable { path: path.to_owned(), error })?;
        Self::parse(&text, path)
    }

    /// A built-in profile by name, or one in a file: whatever has a `/` or ends in `.toml` is a file.
    pub fn find(name_or_file: &str) -> Result<Self, ProfileError> {
        match name_or_file.contains('/') || name_or_file.ends_with(".toml") {
            true => Self::read(Path::new(name_or_file)),
            false => Self::named(name_or_file),
        }
    }

    fn parse(text: &str, path: &Path) -> Result<Self, ProfileError> {
        let malformed = |error| ProfileError::Malformed { path: path.to_owned(), error: Box::new(error) };
        toml::from_str(text).map_err(malformed)
    }

    /// How the daemon is driven: with `command` instead of the profile's own if one is given, and with its
    /// environment in either case. `None` without any command.
    pub fn driving(&self, command: Option<CommandLine>) -> Option<Driving> {
        let mut command = command.or_else(|| self.own_command())?;
        command.env.splice(..0, self.env.iter().map(|(name, value)| (name.into(), value.into())));
        let mut driving = Driving::new(command).declares(self.declares.clone());
        driving.detach = self.detach.as_ref().map(Into::into);
        driving.foreground = self.foreground.as_ref().map(Into::into);
        driving.monitor = self.monitor.as_ref().map(Into::into);
        driving.overwrite = self.overwrite.as_ref().map(Into::into);
        driving.no_chdir = self.no_chdir.as_ref().map(Into::into);
        driving.fail = self.fail.as_ref().map(Into::into);
        Some(driving)
    }

    fn own_command(&self) -> Option<CommandLine> {
        let (program, args) = self.command.split_first()?;
        let this = || std::env::current_exe().ok().filter(|_| program == "daemonproof");
        let program = this().map_or_else(|| program.into(), PathBuf::into_os_string);
        Some(CommandLine::new(program).args(args))
    }
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).map(Some).map_err(serde::de::Error::custom)
}

fn signals<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Signal>>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    let parse = |name: &String| name.parse().map_err(|_| format!("no signal {name:?}"));
    let signals: Result<Vec<Signal>, String> = names.iter().map(parse).collect();
    signals.map(Some).map_err(serde::de::Error::custom)
}

fn mode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let text = String::deserialize(deserializer)?;
    u32::from_str_radix(&text, 8).map(Some).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_profile_is_one() {
        for name in Profile::names() {
            let profile = Profile::named(name).unwrap();
            assert_eq!(profile.name, name);
            assert!(profile.driving(None).is_some(), "{name} has a command");
        }
    }

    #[test]
    fn mistakes_are_named() {
        let error = |text: &str| Profile::parse(text, Path::new("x.toml")).unwrap_err().to_string();
        let start = "name = \"x\"\nsummary = \"y\"\n";
        assert!(error("").contains("missing field `name`"), "{}", error(""));
        assert!(error(&format!("{start}detatch = \"-d\"")).contains("unknown field `detatch`"));
        let bad = error(&format!("{start}[declares]\nrestart-interval = \"soon\""));
        assert!(bad.contains("x.toml: not a profile") && bad.contains("restart-interval"), "{bad}");
        let bad = error(&format!("{start}[declares]\nrestart-signals = [\"SIGFOO\"]"));
        assert!(bad.contains("no signal \"SIGFOO\""), "{bad}");
        let bad = error(&format!("{start}[declares]\ngives-up-after = 0"));
        assert!(bad.contains("nonzero"), "{bad}");
        assert!(Profile::find("nginx").unwrap_err().to_string().contains("ovsdb-server, reference"));
        assert!(Profile::find("./none.toml").unwrap_err().to_string().starts_with("failed to read"));
    }
}
