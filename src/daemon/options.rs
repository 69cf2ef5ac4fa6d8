//! What a daemon wants, and the checks that come before anything is done.

use super::cleanup::is_armed;
use super::error::Error;
use super::pidfile::{Pidfile, PidfilePaths};
use super::restart::RestartPolicy;
use super::startup::Startup;
use super::stdio::{StandardFd, Stdio, StdioOptions, ensure_open};
use super::user::UserSpec;
use crate::sys::fork::thread_count;
use nix::errno::Errno;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{getcwd, geteuid};
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How a process becomes a daemon.
///
/// Without any option [`DaemonOptions::start`] does nothing but return, in the foreground.
#[derive(Debug, Clone)]
pub struct DaemonOptions {
    program: OsString,
    detach: bool,
    monitor: bool,
    pidfile: Option<Pidfile>,
    overwrite_pidfile: bool,
    rundir: Option<PathBuf>,
    no_chdir: bool,
    stdio: StdioOptions,
    user: Option<String>,
    restart: RestartPolicy,
    umask: Option<u32>,
    startup_timeout: Option<Duration>,
    keep_inherited_fds: bool,
}

/// What will be done, checked.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) program: OsString,
    pub(super) detach: bool,
    pub(super) monitor: Option<RestartPolicy>,
    pub(super) paths: Option<PidfilePaths>,
    pub(super) overwrite: bool,
    pub(super) chdir: bool,
    pub(super) stdio: Stdio,
    pub(super) startup_timeout: Option<Duration>,
    pub(super) keep_inherited_fds: bool,
}

impl DaemonOptions {
    /// Options for a program of this name, which names the pidfile and stands in the monitor's title. Of a
    /// path the last component counts, so that `argv[0]` will do.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let program = program.as_ref();
        Self {
            program: Path::new(program).file_name().unwrap_or(program).to_owned(),
            detach: false,
            monitor: false,
            pidfile: None,
            overwrite_pidfile: false,
            rundir: None,
            no_chdir: false,
            stdio: StdioOptions::default(),
            user: None,
            restart: RestartPolicy::default(),
            umask: None,
            startup_timeout: None,
            keep_inherited_fds: false,
        }
    }

    /// Runs in the background: in a new session, without a terminal.
    #[must_use]
    pub fn detach(mut self, detach: bool) -> Self {
        self.detach = detach;
        self
    }

    /// Keeps a monitor process that restarts the daemon when it crashes, see [`RestartPolicy`].
    ///
    /// Without [`detach`](Self::detach), the process that was started becomes the monitor, in the same
    /// session and with its standard descriptors untouched. A monitor keeps its working directory, since a
    /// restarted daemon begins in it, as the first one did.
    #[must_use]
    pub fn monitor(mut self, monitor: bool) -> Self {
        self.monitor = monitor;
        self
    }

    /// Creates a pidfile, locked by the daemon, and refuses to start where another daemon has it.
    ///
    /// The program must not open its own pidfile: closing it would drop the lock that readers see (fcntl(2)).
    /// [`read_pidfile`](super::read_pidfile) may be used. A guard file, `.NAME.lock`, stays beside it for good; only
    /// its owner and root can start the daemon there again.
    #[must_use]
    pub fn pidfile(mut self, pidfile: Pidfile) -> Self {
        self.pidfile = Some(pidfile);
        self
    }

    /// Takes the pidfile over even if its owner is alive. The old owner runs on, without a pidfile.
    #[must_use]
    pub fn overwrite_pidfile(mut self, overwrite: bool) -> Self {
        self.overwrite_pidfile = overwrite;
        self
    }

    /// RUNDIR: where the pidfile is unless its name is absolute. The default is, in this order, the
    /// environment's `RUNDIR`, systemd's `RUNTIME_DIRECTORY`, `XDG_RUNTIME_DIR` (not for root), `/run`.
    #[must_use]
    pub fn rundir(mut self, rundir: impl Into<PathBuf>) -> Self {
        self.rundir = Some(rundir.into());
        self
    }

    /// Keeps the working directory instead of moving to `/`, when detached.
    #[must_use]
    pub fn no_chdir(mut self, no_chdir: bool) -> Self {
        self.no_chdir = no_chdir;
        self
    }

    /// Keeps a standard descriptor instead of leading it to `/dev/null`, when detached.
    #[must_use]
    pub fn save_fd(mut self, fd: StandardFd) -> Self {
        self.stdio.save(fd);
        self
    }

    /// Appends the standard output to a file, when detached and ready.
    #[must_use]
    pub fn stdout(mut self, path: impl Into<PathBuf>) -> Self {
        self.stdio.set_stdout(path.into());
        self
    }

    /// Appends the standard error to a file, when detached and ready.
    #[must_use]
    pub fn stderr(mut self, path: impl Into<PathBuf>) -> Self {
        self.stdio.set_stderr(path.into());
        self
    }

    /// Becomes another user before anything else: `USER`, `USER:GROUP` (of which the user must be a member)
    /// or `:GROUP` (of which root must be a member). Only root can.
    ///
    /// A process that has changed its user dumps no core, unless it asks for it (`PR_SET_DUMPABLE` of prctl(2)).
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// When the monitor restarts the daemon.
    #[must_use]
    pub fn restart(mut self, policy: RestartPolicy) -> Self {
        self.restart = policy;
        self
    }

    /// Sets the umask, of which the lowest nine bits count. It is left as it is otherwise.
    #[must_use]
    pub fn umask(mut self, mask: u32) -> Self {
        self.umask = Some(mask);
        self
    }

    /// How long the foreground process waits for a detached daemon to become ready, before it tells it to
    /// stop and fails. It waits for ever otherwise: only the program knows how long it may take.
    #[must_use]
    pub fn startup_timeout(mut self, limit: Duration) -> Self {
        self.startup_timeout = Some(limit);
        self
    }

    /// Keeps the descriptors above 2 that the program inherited, when detached.
    ///
    /// They lead to `/dev/null` otherwise, as daemon(7) asks: all but those with close-on-exec, which the
    /// program must have opened itself, and those that a service manager passed (sd_listen_fds(3)).
    #[must_use]
    pub fn keep_inherited_fds(mut self, keep: bool) -> Self {
        self.keep_inherited_fds = keep;
        self
    }

    /// Turns the calling process into the daemon, up to the point where the program initialises itself.
    ///
    /// Returns in the daemon only. With [`detach`](Self::detach) the process that called waits for the
    /// outcome: it exits 0 once the daemon has called [`Startup::complete`], with the daemon's exit status if
    /// that ends before, and with 1 if a signal killed it. With [`monitor`](Self::monitor), the monitor lives
    /// on inside this call.
    ///
    /// Threads must be started, and signal handlers for `SIGTERM`, `SIGINT`, `SIGHUP` and `SIGALRM` be
    /// installed, after it. Where their action is the default one, a handler removes the pidfile before the
    /// default action follows; a program with handlers of its own should leave by `exit` or by returning
    /// from `main`, which remove it as well. A handler that calls its predecessor, as those of signal-hook and tokio
    /// do, is one of its own.
    ///
    /// When detached, no signal is blocked or ignored afterwards, `SIGPIPE` aside. Children that the daemon forks
    /// own nothing of all this. A process can become a daemon with a pidfile once.
    ///
    /// # Errors
    /// Everything that can be checked is checked before the process changes or forks; see [`Error`]. An error
    /// of a later step is returned in the process that would have become the daemon: exit with a status
    /// other than 0, as every `main` does that returns it, and the foreground process does the same.
    pub fn start(self) -> Result<Startup, Error> {
        // A second pidfile could not be cleaned up, and looking at the first would drop its lock.
        if is_armed() {
            return Err(Error::System { action: "become a daemon twice", errno: Errno::EALREADY });
        }
        ensure_open()?;
        let plan = self.prepare()?;
        Startup::run(plan)
    }

    /// Checks, switches the user, checks what depends on the user.
    fn prepare(self) -> Result<Plan, Error> {
        let user = self.user.as_deref().map(str::parse::<UserSpec>).transpose()?;
        if self.detach || self.monitor {
            match thread_count() {
                1 => {}
                threads => return Err(Error::Threads { threads }),
            }
        }
        let rundir = self.rundir.clone().unwrap_or_else(default_rundir);
        let pidfile = self.pidfile.as_ref().map(|pidfile| pidfile.resolve(&rundir, &self.program));
        // RUNDIR may be relative, and a detached daemon moves to `/`.
        let paths = pidfile.map(|pidfile| independent(pidfile).and_then(PidfilePaths::new)).transpose()?;
        if let Some(user) = user {
            user.resolve()?.assume()?;
        }
        if let Some(mask) = self.umask {
            umask(Mode::from_bits_truncate(mask & 0o777));
        }
        if let Some(paths) = &paths {
            paths.check()?;
        }
        Ok(Plan {
            program: self.program,
            detach: self.detach,
            monitor: self.monitor.then_some(self.restart),
            paths,
            overwrite: self.overwrite_pidfile,
            chdir: !self.no_chdir,
            stdio: self.stdio.prepare()?,
            startup_timeout: self.startup_timeout,
            keep_inherited_fds: self.keep_inherited_fds,
        })
    }
}

/// The same file, whatever the working directory will be.
fn independent(pidfile: PathBuf) -> Result<PathBuf, Error> {
    if pidfile.is_absolute() {
        return Ok(pidfile);
    }
    Ok(getcwd().map_err(Error::system("find the working directory"))?.join(pidfile))
}

fn default_rundir() -> PathBuf {
    let from = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let user_rundir = || from("XDG_RUNTIME_DIR").filter(|_| !geteuid().is_root());
    // systemd.exec(5): several directories are separated by colons.
    let service = || {
        let all = from("RUNTIME_DIRECTORY")?;
        env::split_paths(&all).next().map(PathBuf::into_os_string)
    };
    from("RUNDIR").or_else(service).or_else(user_rundir).map_or_else(|| "/run".into(), PathBuf::from)
}
