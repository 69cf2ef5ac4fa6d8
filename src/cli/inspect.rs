//! `daemonproof inspect`.

use super::args::InspectArgs;
use super::exit::{Failure, Status};
use super::locks::locks;
use super::output::{Outputs, complain};
use super::process::{facts, living, monitor_of, named, tree_around};
use crate::observe::{
    Descriptor, Descriptors, Inode, Locker, ObserveError, Observed, Pidfile, PidfileContent, Process,
    locks_on,
};
use crate::report::{self, Guard, Inspection, State, inspection_text, text_html, to_json};
use nix::errno::Errno;
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

pub(super) fn run(args: &InspectArgs) -> Result<Status, Failure> {
    let outputs = Outputs::open(&args.output)?;
    let (inspection, status) = match pid(&args.subject)? {
        Some(pid) => match living(pid).map_err(inconclusive)? {
            Some(process) => (around(&process, None)?, Status::Holds),
            None => {
                complain(&Failure::Inconclusive(format!("pid {pid} does not exist, or has ended")));
                (Inspection::default(), Status::Violated)
            }
        },
        None => pidfile(Path::new(&args.subject))?,
    };
    let title = args.subject.to_string_lossy();
    outputs.write(
        |_| inspection_text(&inspection),
        || to_json(&inspection),
        || text_html(&title, &anstream::adapter::strip_str(&inspection_text(&inspection)).to_string()),
    )?;
    Ok(status)
}

/// Digits are a pid unless there is a file of that name.
fn pid(subject: &OsStr) -> Result<Option<Pid>, Failure> {
    let digits =
        subject.to_str().filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    match digits.filter(|_| !Path::new(subject).exists()).map(str::parse) {
        None => Ok(None),
        Some(Ok(pid)) if pid > 0 => Ok(Some(Pid::from_raw(pid))),
        Some(_) => Err(Failure::Usage(format!("{} is no pid", subject.display()))),
    }
}

fn inconclusive(error: ObserveError) -> Failure {
    Failure::Inconclusive(error.to_string())
}

/// The process, and what is around it. Its descriptor of the file `pidfile` may show another name.
fn around(process: &Process, pidfile: Option<Inode>) -> Result<Inspection, Failure> {
    let line = |descriptor: &Descriptor| match descriptor.inode.is_some() && descriptor.inode == pidfile {
        true => format!("{descriptor} (the pidfile)"),
        false => descriptor.to_string(),
    };
    let descriptors = match Descriptors::of(process.pid) {
        Ok(Observed::Present(descriptors)) => Some(descriptors.iter().map(line).collect()),
        Ok(Observed::Gone) => Some(Vec::new()),
        Err(error) if error.is_denied() => None,
        Err(error) => return Err(inconclusive(error)),
    };
    Ok(Inspection {
        pidfile: None,
        process: Some(facts(process)),
        monitor: monitor_of(process).as_ref().map(facts),
        descriptors,
        tree: tree_around(process),
    })
}

fn pidfile(path: &Path) -> Result<(Inspection, Status), Failure> {
    let seen = Pidfile::at(path);
    let found = Found::of(&seen);
    let (owner, locks) = (found.owner.clone(), locks(path).unwrap_or_default());
    let mut inspection = match &owner {
        Some(owner) => around(owner, seen.file.as_ref().map(|file| file.inode))?,
        None => Inspection::default(),
    };
    inspection.pidfile = Some(report::Pidfile {
        path: path.display().to_string(),
        symlink_to: seen.symlink.as_ref().map(|target| target.display().to_string()),
        state: found.state,
        explanation: found.explanation,
        content: seen.content.to_string(),
        mode: seen.file.as_ref().map(|file| format!("{:04o}", file.mode)),
        uid: seen.file.as_ref().map(|file| file.uid),
        gid: seen.file.as_ref().map(|file| file.gid),
        locks,
        guard: guard(path),
    });
    let status = match (found.state, owner) {
        (State::NotPermitted, _) => Status::Inconclusive,
        (State::Owned | State::NotLocked | State::BeingCreated, _) => Status::Holds,
        _ => Status::Violated,
    };
    Ok((inspection, status))
}

/// The hidden file beside the pidfile that is locked in its place, if there is one.
fn guard(path: &Path) -> Option<Guard> {
    let guard = guard_path(path)?;
    let found = guard.symlink_metadata().ok()?;
    found
        .is_file()
        .then(|| Guard { path: guard.display().to_string(), locks: locks(&guard).unwrap_or_default() })
}

fn guard_path(path: &Path) -> Option<PathBuf> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name()?);
    name.push(".lock");
    Some(path.with_file_name(name))
}

/// What the pidfile says about a process.
struct Found {
    state: State,
    explanation: String,
    owner: Option<Process>,
}

impl Found {
    fn new(state: State, explanation: impl Into<String>) -> Self {
        Self { state, explanation: explanation.into(), owner: None }
    }

    fn of(seen: &Pidfile) -> Self {
        match &seen.content {
            PidfileContent::Missing => Self::new(State::Missing, "missing"),
            PidfileContent::Unreadable(Errno::EACCES | Errno::EPERM) => {
                Self::new(State::NotPermitted, "not permitted to read it; run as its owner or as root")
            }
            PidfileContent::Unreadable(errno) => {
                Self::new(State::Unreadable, format!("cannot be read: {}", errno.desc()))
            }
            PidfileContent::NotRegular(kind) => Self::new(State::Malformed, format!("no pidfile but {kind}")),
            PidfileContent::Empty => match seen.locker {
                Some(locker) => {
                    Self::new(State::BeingCreated, format!("being created by {}", locked_by(locker)))
                }
                None => Self::new(State::Malformed, "malformed: empty"),
            },
            PidfileContent::Malformed(_) => Self::new(State::Malformed, seen.content.to_string()),
            PidfileContent::Pid { pid, .. } => Self::of_pid(seen, *pid),
        }
    }

    fn of_pid(seen: &Pidfile, pid: Pid) -> Self {
        match seen.locker {
            Some(Locker::Process(owner)) if owner != pid => {
                let explanation = format!("owned by {}, but names pid {pid}", named(owner));
                Self { owner: living(owner).ok().flatten(), ..Self::new(State::Owned, explanation) }
            }
            Some(Locker::OtherNamespace) => {
                let elsewhere = format!("owned by {}, whose pid means nothing here", Locker::OtherNamespace);
                Self::new(State::Owned, elsewhere)
            }
            _ => Self::of_living(seen, pid),
        }
    }

    /// The process that the file names, which holds the lock if anyone does.
    fn of_living(seen: &Pidfile, pid: Pid) -> Self {
        let process = match living(pid) {
            Err(error) if error.is_denied() => {
                return Self::new(State::NotPermitted, error.to_string());
            }
            Err(error) => return Self::new(State::Unreadable, error.to_string()),
            Ok(None) => return Self::new(State::Stale, format!("stale: pid {pid} does not exist")),
            Ok(process) => process,
        };
        // An flock or OFD lock names nobody; who has the descriptor holds it.
        let holds = seen.locker_pid() == Some(pid)
            || locks_on(&seen.path, &[pid]).is_ok_and(|held| held.iter().any(|held| held.lock.is_write()));
        let who = named(pid);
        let found = match (holds, seen.locker) {
            (true, _) => Self::new(State::Owned, format!("owned by {who}")),
            (false, Some(locker)) => Self::new(
                State::Owned,
                format!("locked by {locker}; names {who}, which does not hold the lock"),
            ),
            (false, None) => {
                Self::new(State::NotLocked, format!("{who} exists but does not hold a lock on it"))
            }
        };
        Self { owner: process, ..found }
    }
}

fn locked_by(locker: Locker) -> String {
    locker.pid().map_or_else(|| locker.to_string(), named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_a_pid_unless_a_file_has_that_name() {
        let pid = |subject: &str| super::pid(OsStr::new(subject));
        assert_eq!(pid("812").unwrap(), Some(Pid::from_raw(812)));
        assert_eq!(pid("./812").unwrap(), None);
        assert_eq!(pid("daemon.pid").unwrap(), None);
        assert_eq!(pid("-1").unwrap(), None);
        assert!(matches!(pid("0"), Err(Failure::Usage(_))));
        assert!(matches!(pid("99999999999"), Err(Failure::Usage(_))));
    }

    #[test]
    fn the_guard_stands_beside_the_pidfile() {
        assert_eq!(guard_path(Path::new("/run/d.pid")).unwrap(), Path::new("/run/.d.pid.lock"));
        assert_eq!(guard_path(Path::new("d.pid")).unwrap(), Path::new(".d.pid.lock"));
        assert_eq!(guard_path(Path::new("/")), None);
    }
}
