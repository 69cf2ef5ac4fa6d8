//! The options as command-line flags, for clap.

use super::options::DaemonOptions;
use super::pidfile::Pidfile;
use std::ffi::OsStr;
use std::path::PathBuf;

/// The flags of a daemon, to be flattened into a program's own.
///
/// ```
/// use clap::Parser;
/// use daemonproof::daemon::DaemonArgs;
///
/// #[derive(Parser)]
/// struct Args {
///     #[command(flatten)]
///     daemon: DaemonArgs,
/// }
///
/// let args = Args::parse_from(["mydaemon", "--detach", "--pidfile=/run/mydaemon.pid"]);
/// let options = args.daemon.options("mydaemon");
/// # let _ = options;
/// ```
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Daemon options")]
pub struct DaemonArgs {
    /// Run in the background as a daemon
    #[arg(long)]
    pub detach: bool,
    /// Create a process to monitor this daemon and restart it when it crashes
    #[arg(long)]
    pub monitor: bool,
    /// Create a pidfile [default: RUNDIR/PROGRAM.pid]
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    pub pidfile: Option<Option<PathBuf>>,
    /// With --pidfile, start even if already running
    #[arg(long)]
    pub overwrite_pidfile: bool,
    /// Do not change the working directory to '/'
    #[arg(long)]
    pub no_chdir: bool,
    /// Run as this user (and group)
    #[arg(long, value_name = "USER[:GROUP]")]
    pub user: Option<String>,
}

impl DaemonArgs {
    /// The options that the flags ask for.
    pub fn options(&self, program: impl AsRef<OsStr>) -> DaemonOptions {
        let mut options = DaemonOptions::new(program)
            .detach(self.detach)
            .monitor(self.monitor)
            .overwrite_pidfile(self.overwrite_pidfile)
            .no_chdir(self.no_chdir);
        if let Some(pidfile) = &self.pidfile {
            options = options.pidfile(pidfile.clone().map_or_else(Pidfile::default, Pidfile::at));
        }
        if let Some(user) = &self.user {
            options = options.user(user);
        }
        options
    }
}
