//! What can go wrong while a process becomes a daemon.

use nix::errno::Errno;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a process could not become a daemon, or not complete its startup.
///
/// `Debug` prints the same sentence as `Display`, so that `fn main() -> Result<(), daemonproof::daemon::Error>`
/// tells the operator something.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process owns the pidfile.
    #[error("{}: already running as pid {pid}, aborting", pidfile.display())]
    AlreadyRunning {
        /// The pidfile.
        pidfile: PathBuf,
        /// The owner: the daemon, or its monitor while there is no daemon.
        pid: i32,
    },
    /// Another process owns the pidfile, and nothing says which one it is.
    #[error(
        "{}: already running, aborting (its lock {} is held by a process of another pid namespace \
         or by one that did not record its pid)",
        pidfile.display(), guard.display()
    )]
    AlreadyRunningUnknown {
        /// The pidfile.
        pidfile: PathBuf,
        /// The file whose lock says so.
        guard: PathBuf,
    },
    /// The pidfile has been taken over by another instance, started with `overwrite_pidfile`.
    #[error("{}: taken over by another instance{}, aborting", pidfile.display(), by(.pid))]
    TakenOver {
        /// The pidfile.
        pidfile: PathBuf,
        /// The instance that took it over, where known.
        pid: Option<i32>,
    },
    /// The lock that protects changes of the pidfile was held for too long.
    #[error(
        "failed to lock {}: held{} for more than {}; a process that is stopped, stuck or still ending may hold it",
        guard.display(), by(.pid), seconds(.limit)
    )]
    Busy {
        /// The guard file.
        guard: PathBuf,
        /// The process that wrote itself into the guard last, where known.
        pid: Option<i32>,
        /// How long the wait lasted.
        limit: Duration,
    },
    /// The guard belongs to another user, as whom the daemon ran once.
    #[error(
        "failed to open {}: Permission denied: it belongs to uid {uid}; run as that user, or remove it while \
         no instance runs",
        guard.display()
    )]
    ForeignGuard {
        /// The guard file.
        guard: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// Something that is no regular file stands where the pidfile or its guard should be.
    #[error("{}: is a {kind}, not a regular file; remove it or choose another pidfile", path.display())]
    NotRegular {
        /// The file.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// The name of the pidfile is too long for the file system, or for the names derived from it.
    #[error("{}: pidfile name too long: {length} bytes, at most {limit}", path.display())]
    NameTooLong {
        /// The pidfile.
        path: PathBuf,
        /// Its length, in bytes (of the whole path or of its last component).
        length: usize,
        /// The longest that works, in bytes.
        limit: usize,
    },
    /// The pidfile has no file name.
    #[error("{}: not a file name for a pidfile", path.display())]
    NoName {
        /// What was given.
        path: PathBuf,
    },
    /// A system call on a file failed.
    #[error("failed to {action} {}: {}", path.display(), .errno.desc())]
    File {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the kernel said.
        errno: Errno,
    },
    /// A system call failed.
    #[error("failed to {action}: {}", .errno.desc())]
    System {
        /// What was tried.
        action: &'static str,
        /// What the kernel said.
        errno: Errno,
    },
    /// The process has more than one thread, so it cannot fork safely.
    #[error(
        "cannot daemonize a process with {}: start threads after DaemonOptions::start has returned",
        threads_text(.threads)
    )]
    Threads {
        /// How many threads there are; 0 if more than one but unknown how many.
        threads: usize,
    },
    /// The daemon did not become ready in time. It has been sent `SIGTERM`.
    #[error("pid {pid} did not become ready within {}; told it to stop", seconds(.limit))]
    StartupTimeout {
        /// The process that was starting.
        pid: i32,
        /// How long the wait lasted.
        limit: Duration,
    },
    /// There is no user of this name.
    #[error("user {user} not found")]
    UnknownUser {
        /// The name.
        user: String,
    },
    /// There is no group of this name.
    #[error("group {group} not found")]
    UnknownGroup {
        /// The name.
        group: String,
    },
    /// The user is not a member of the group.
    #[error("user {user} is not in group {group}")]
    NotInGroup {
        /// The user.
        user: String,
        /// The group.
        group: String,
    },
    /// The text is not `USER`, `USER:GROUP` or `:GROUP`.
    #[error("invalid user {text:?}: expected USER, USER:GROUP or :GROUP")]
    InvalidUser {
        /// What was given.
        text: String,
    },
    /// Only root can become another user.
    #[error("only root can switch to another user or group (effective uid {euid})")]
    NotRoot {
        /// The effective user that tried.
        euid: u32,
    },
    /// After the switch the process could still become root, or is not who it should be.
    #[error("failed to become {user} for good: the kernel reports uid {uid}, gid {gid}")]
    UserSwitch {
        /// The user.
        user: String,
        /// The real uid after the switch.
        uid: u32,
        /// The real gid after the switch.
        gid: u32,
    },
}

impl Error {
    pub(super) fn file(action: &'static str, path: &Path) -> impl FnOnce(Errno) -> Self {
        let path = path.to_owned();
        move |errno| Self::File { action, path, errno }
    }

    pub(super) fn system(action: &'static str) -> impl FnOnce(Errno) -> Self {
        move |errno| Self::System { action, errno }
    }

    pub(super) fn has_other_owner(&self) -> bool {
        self.is_already_running() || matches!(self, Self::TakenOver { .. })
    }

    /// Whether another instance owns the pidfile: the one error that a script may want to treat as success.
    ///
    /// ```
    /// use daemonproof::daemon::Error;
    /// let error = Error::AlreadyRunning { pidfile: "/run/d.pid".into(), pid: 812 };
    /// assert!(error.is_already_running());
    /// assert_eq!(error.to_string(), "/run/d.pid: already running as pid 812, aborting");
    /// ```
    pub fn is_already_running(&self) -> bool {
        matches!(self, Self::AlreadyRunning { .. } | Self::AlreadyRunningUnknown { .. })
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn by(pid: &Option<i32>) -> String {
    pid.map(|pid| format!(" by pid {pid}")).unwrap_or_default()
}

fn threads_text(threads: &usize) -> String {
    match threads {
        0 => "more than one thread".to_owned(),
        threads => format!("{threads} threads"),
    }
}

/// A duration as a person says it: `10 seconds`, `0.25 seconds`.
pub(super) fn seconds(duration: &Duration) -> String {
    format!("{} seconds", duration.as_secs_f64())
}
