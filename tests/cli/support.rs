//! The command, without what the caller's environment would change in its output.

use assert_cmd::Command;
use serde_json::Value;
use std::time::Duration;

/// Long enough for a loaded machine; nothing waits this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_daemonproof");

/// The variables that decide how output looks.
const LOOKS: [&str; 6] = ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "LC_ALL", "LC_CTYPE", "DAEMONPROOF_KEEP"];

pub(crate) fn daemonproof(args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    for name in LOOKS {
        command.env_remove(name);
    }
    command.env("LANG", "C.UTF-8").args(args).timeout(PATIENCE);
    command
}

pub(crate) fn json(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap()
}
