//! Where a program is, and how a command is shown.

use nix::unistd::{AccessFlags, access};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The file of the program `name` on PATH, or where daemons are.
pub(super) fn on_path(name: &OsStr) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let mut candidates = directories.map(|directory| directory.join(name));
    candidates.find(|path| executable(path).is_ok())
}

/// Makes a path that depends on the working directory independent of it, because daemons are started from
/// others. A bare name, to be looked up on PATH, stays.
pub(super) fn anchored(program: &OsStr) -> OsString {
    let bytes = program.as_bytes();
    let is_bare = !bytes.contains(&b'/');
    match is_bare || bytes.starts_with(b"/") || bytes.starts_with(b"{") {
        true => program.to_owned(),
        false => std::path::absolute(program).map_or_else(|_| program.to_owned(), Into::into),
    }
}

/// Why the program cannot be started, as far as that can be told before trying. `package` is where it comes from.
pub(super) fn obstacle(program: &OsStr, package: Option<&str>) -> Option<String> {
    let bytes = program.as_bytes();
    if bytes.contains(&b'{') {
        return None;
    }
    let why = match bytes.contains(&b'/') {
        true => executable(Path::new(program)).err()?,
        false if on_path(program).is_some() => return None,
        false => "it is not on PATH".to_owned(),
    };
    let hint = package.map(|package| format!("; install the Debian package {package}"));
    let program = program.display();
    Some(format!("failed to start {program}: {why}{}", hint.unwrap_or_default()))
}

fn executable(path: &Path) -> Result<(), String> {
    if path.is_dir() {
        return Err("it is a directory".to_owned());
    }
    access(path, AccessFlags::X_OK).map_err(|errno| errno.desc().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_is_anchored_and_nothing_else() {
        let anchored = |program: &str| super::anchored(OsStr::new(program));
        for same in ["sleep", "/bin/sleep", "{rundir}/x"] {
            assert_eq!(anchored(same), same);
        }
        let here = std::env::current_dir().unwrap();
        assert_eq!(anchored("./x"), here.join("x"));
        assert_eq!(anchored("target/x"), here.join("target/x"));
    }

    #[test]
    fn what_cannot_start_is_told_with_what_to_do() {
        let obstacle = |program: &str, package| super::obstacle(OsStr::new(program), package);
        assert_eq!(obstacle("sh", None), None);
        assert_eq!(obstacle("/bin/sh", None), None);
        assert_eq!(obstacle("{rundir}/x", None), None);
        let missing = obstacle("/nonexistent/x", None).unwrap();
        assert_eq!(missing, "failed to start /nonexistent/x: No such file or directory");
        assert_eq!(obstacle("/", None).unwrap(), "failed to start /: it is a directory");
        let hint = obstacle("no-such-daemon", Some("daemons")).unwrap();
        assert_eq!(
            hint,
            "failed to start no-such-daemon: it is not on PATH; install the Debian package daemons"
        );
    }
}
