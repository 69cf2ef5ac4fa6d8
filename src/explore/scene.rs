//! From a setup to what an execution begins with.

use std::ffi::{CString, OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::stat::Mode;

use super::error::ExploreError;
use super::explain;
use super::family::letter;
use super::judge::Watch;
use super::lab::{InitialFile, Lab, Names, Scene};
use super::random::Random;
use super::schedule::{ScenarioKind, Setup};
use super::search::execute;
use crate::fixture::{CommandLine, Placeholder, Sandbox};
use crate::trace::Program;

/// Runs something without following sockets and, if it turns out that a program connects to another, once more with them.
pub(super) fn with_sockets_if_needed<T>(
    mut run: impl FnMut(bool) -> Result<T, ExploreError>,
) -> Result<T, ExploreError> {
    match run(false) {
        Err(ExploreError::Connects) => run(true),
        other => other,
    }
}

/// Watches one instance alone, and makes the scene of all of them. Sockets cost many executions, so they are followed
/// only if somebody connects.
pub(crate) fn prepare(setup: &Setup, sandbox: &Sandbox, sockets: bool) -> Result<Scene, ExploreError> {
    match watched(setup, sandbox, sockets) {
        Err(ExploreError::Connects) => watched(setup, sandbox, true),
        other => other,
    }
}

fn watched(setup: &Setup, sandbox: &Sandbox, sockets: bool) -> Result<Scene, ExploreError> {
    let mut scene = scene(setup, sandbox, sockets)?;
    let alone = Scene {
        programs: scene.programs[..1].to_vec(),
        names: Names::default(),
        told: None,
        ..scene.clone()
    };
    let mut lab = Lab::new(alone)?;
    execute(&mut lab, &mut Random::new(0))?;
    if let Some(outcome) = lab.outcomes().into_iter().find(|outcome| !outcome.running) {
        let how = outcome.end.map_or_else(|| "it waits for a lock".to_owned(), explain::ended);
        let says = if outcome.says.is_empty() { String::new() } else { format!(": {}", outcome.says) };
        return Err(ExploreError::NeverUp { reason: format!("{how}{says}") });
    }
    scene.watch = lab.habits();
    // A killed instance leaves what it cannot remove.
    let killed = lab.names_left();
    let pids: Vec<i32> = lab.family.processes.keys().copied().collect();
    if setup.scenario == ScenarioKind::Stale {
        lab.tracer.kill_all();
        scene.initial = leftovers(&scene.rundir, &pids)?;
        execute(&mut lab, &mut Random::new(0))?;
    }
    let ended = lab.wind_up();
    scene.watch.leaves = lab.names_left();
    if setup.scenario == ScenarioKind::Crash || !ended {
        scene.watch.leaves.extend(killed);
    }
    Ok(scene)
}

fn scene(setup: &Setup, sandbox: &Sandbox, sockets: bool) -> Result<Scene, ExploreError> {
    let command = command(setup, None);
    let overwrites = |index| index > 0 && index + 1 == setup.contenders;
    let programs = (0..setup.contenders).map(|index| program(setup, sandbox, index, overwrites(index)));
    let programs = programs.collect::<Result<Vec<_>, _>>()?;
    let told = match setup.scenario {
        ScenarioKind::Start | ScenarioKind::Stale => None,
        ScenarioKind::Handover => Some((0, Signal::SIGTERM)),
        ScenarioKind::Crash => Some((0, Signal::SIGKILL)),
    };
    Ok(Scene {
        rundir: sandbox.rundir().to_owned(),
        pidfile: sandbox.rundir().join(&setup.pidfile),
        initial: Vec::new(),
        programs,
        names: Names::default(),
        watch: Watch::default(),
        patience: Duration::from_millis(setup.timeout_ms),
        sockets,
        alike: !command.uses(Placeholder::N),
        overwrites: setup.overwrite.is_some() && setup.contenders > 1,
        told,
    })
}

/// The command as a template; the last instance's has the argument that overwrites.
fn command(setup: &Setup, overwrite: Option<&String>) -> CommandLine {
    let mut words = setup.command.iter();
    let command = CommandLine::new(words.next().cloned().unwrap_or_default());
    let modes = [setup.detach.as_ref(), setup.monitor.as_ref(), overwrite];
    let modes = modes.into_iter().flatten().filter(|arg| !arg.is_empty());
    let command = command.args(words.chain(modes));
    let command = setup.arg0.iter().fold(command, |command, arg0| command.arg0(arg0));
    setup.env.iter().fold(command, |command, (name, value)| command.env(name, value))
}

/// An instance, which may start `over` another that runs.
pub(super) fn program(
    setup: &Setup,
    sandbox: &Sandbox,
    index: usize,
    over: bool,
) -> Result<Program, ExploreError> {
    let command = command(setup, setup.overwrite.as_ref().filter(|_| over));
    let sandbox = sandbox.clone().home_elsewhere()?;
    let command = sandbox.expanded(&command, index as u32 + 1, &setup.pidfile)?;
    let path =
        executable(&command).ok_or_else(|| ExploreError::NotFound { program: command.program.clone() })?;
    let arg0 = command.arg0.as_ref().unwrap_or(&command.program);
    let pair = |(name, value): &(OsString, OsString)| text(&[name.as_os_str(), value].join(OsStr::new("=")));
    let outdir = sandbox.try_outdir()?;
    let output = |kind: &str| outdir.join(format!("race-{}-{kind}", letter(index)));
    Ok(Program {
        path: text(path.as_os_str())?,
        args: std::iter::once(arg0).chain(&command.args).map(|arg| text(arg)).collect::<Result<_, _>>()?,
        env: unique(&command.env).into_iter().map(pair).collect::<Result<_, _>>()?,
        directory: text(sandbox.starting_directory()?.as_os_str())?,
        stdout: text(output("stdout").as_os_str())?,
        stderr: text(output("stderr").as_os_str())?,
        umask: Mode::from_bits_truncate(0o022),
    })
}

fn text(text: &OsStr) -> Result<CString, ExploreError> {
    CString::new(text.as_bytes()).map_err(|_| ExploreError::NullByte { text: text.to_owned() })
}

/// Of several values of one variable, the last.
fn unique(env: &[(OsString, OsString)]) -> Vec<&(OsString, OsString)> {
    let later = |index: usize, name: &OsString| env[index + 1..].iter().any(|(other, _)| other == name);
    env.iter().enumerate().filter(|(index, (name, _))| !later(*index, name)).map(|(_, pair)| pair).collect()
}

/// Where the program is, as execvp(3) looks for it.
fn executable(command: &CommandLine) -> Option<PathBuf> {
    let program = Path::new(&command.program);
    if command.program.as_bytes().contains(&b'/') {
        return std::path::absolute(program).ok().filter(|path| path.exists());
    }
    let path = command.env.iter().rev().find(|(name, _)| name == "PATH").map(|(_, value)| value)?;
    let executable = |path: &PathBuf| {
        fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(path).map(|directory| directory.join(program)).find(executable)
}

/// What a killed instance has left, with the number of each of its processes replaced by one that nobody has.
fn leftovers(rundir: &Path, pids: &[i32]) -> Result<Vec<InitialFile>, ExploreError> {
    let nobody = fs::read_to_string("/proc/sys/kernel/pid_max").unwrap_or_default().trim().to_owned();
    let mut files = Vec::new();
    let entries = fs::read_dir(rundir).map_err(ExploreError::file("list", rundir))?;
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        let content = match (meta.is_file(), meta.is_dir()) {
            (true, _) => {
                let text = fs::read(&path).map_err(ExploreError::file("read", &path))?;
                Some(without_pids(text, pids, &nobody))
            }
            (_, true) => None,
            _ => continue,
        };
        files.push(InitialFile { name: entry.file_name().into(), mode: meta.mode() & 0o7777, content });
    }
    Ok(files)
}

/// A text in which each number of a dead process stands for nobody, now and later. A column stays as wide as it was.
fn without_pids(content: Vec<u8>, pids: &[i32], nobody: &str) -> Vec<u8> {
    let Ok(text) = str::from_utf8(&content) else { return content };
    let mut owned = String::new();
    for word in text.split_inclusive(|c: char| !c.is_ascii_digit()) {
        let digits = word.trim_end_matches(|c: char| !c.is_ascii_digit());
        let number = digits.trim_start_matches('0');
        if !pids.iter().any(|pid| number == pid.to_string()) {
            owned.push_str(word);
            continue;
        }
        let wider = nobody.len().saturating_sub(digits.len());
        let blanks = owned.len() - owned.trim_end_matches(' ').len();
        // One blank parts it from what comes before.
        owned.truncate(owned.len() - wider.min(blanks.saturating_sub(1)));
        owned.extend(std::iter::repeat_n('0', digits.len().saturating_sub(nobody.len())));
        owned.push_str(nobody);
        owned.push_str(&word[digits.len()..]);
    }
    owned.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::without_pids;

    #[test]
    fn nobody_has_the_number_and_columns_stay_as_wide() {
        let replaced = |text: &str| {
            let replaced = without_pids(text.as_bytes().to_vec(), &[812, 40213], "4194304");
            String::from_utf8(replaced).unwrap()
        };
        assert_eq!(replaced("812\n"), "4194304\n");
        assert_eq!(replaced("pid 812, 813 and 40213"), "pid 4194304, 813 and 4194304");
        assert_eq!(replaced("0001        812\n"), "0001    4194304\n");
        assert_eq!(replaced("0001  40213\n"), "0001 4194304\n");
        assert_eq!(replaced("0000040213 8120"), "0004194304 8120");
    }
}
