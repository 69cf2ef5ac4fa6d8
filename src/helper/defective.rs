//! The daemon that is right in everything but one named thing.

use super::by_hand::{Daemon, Flags};
use super::names::{Helper, Outcome};
use clap::{Parser, ValueEnum};

/// A daemon that is right in everything but one named thing.
///
/// It shares no code with the library. With `--defect none` nothing is wrong with it.
#[derive(Debug, Parser)]
#[command(name = "defective")]
pub(super) struct Args {
    #[command(flatten)]
    flags: Flags,
    /// What is wrong
    #[arg(long, value_name = "NAME")]
    defect: Defect,
}

impl Helper for Args {
    fn run(self) -> Outcome {
        Daemon::new(self.flags, self.defect).run()
    }
}

/// One thing that daemons get wrong. `Defect::value_variants` has them all, [`Defect::None`] first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
#[value(rename_all = "kebab-case")]
pub enum Defect {
    /// Nothing is wrong.
    None,
    /// The foreground process stays, although the daemon is ready.
    NeverReturns,
    /// The daemon stays in the session of whoever started it, terminal included.
    NoNewSession,
    /// The daemon stays in the directory in which it was started.
    KeepsDirectory,
    /// The daemon moves to `/` although it was asked not to.
    IgnoresNoChdir,
    /// The foreground process exits 0 before the daemon has started.
    EarlyExit,
    /// The foreground process exits 0 although the daemon failed to start.
    #[value(name = "failure-exits-0")]
    FailureExits0,
    /// A failed start says nothing.
    SilentFailure,
    /// A failed start leaves a process behind.
    FailureLeavesProcess,
    /// The daemon keeps the standard descriptors of whoever started it.
    KeepsStdio,
    /// The monitor keeps them, the daemon does not.
    MonitorKeepsStdio,
    /// The daemon closes the standard descriptors and puts nothing in their place.
    ClosesStdio,
    /// Started with closed standard descriptors, it writes its messages into its pidfile.
    WritesIntoPidfile,
    /// The daemon keeps the descriptors that it inherited.
    LeaksDescriptor,
    /// The pidfile names the process that forked the daemon.
    ParentPid,
    /// The pidfile holds more than a pid on its first line.
    MalformedPidfile,
    /// Everybody may write to the pidfile.
    WritablePidfile,
    /// There is a pidfile only when detached.
    NoPidfileInForeground,
    /// Nothing is locked.
    NotLocked,
    /// The lock is dropped when the pidfile is read once more and closed, as fcntl(2) warns.
    LockDropped,
    /// An owner is looked for, and then the pidfile made, without holding anything meanwhile.
    CheckThenCreate,
    /// The pidfile is written where everybody reads it, and locked when it is whole.
    WritesInPlace,
    /// The guard goes with the pidfile, although somebody may be about to lock it.
    GuardRemoved,
    /// A refused start says nothing.
    SilentRefusal,
    /// A refused start exits 0.
    #[value(name = "refusal-exits-0")]
    RefusalExits0,
    /// A refused start empties the pidfile of the running daemon.
    TruncatesLivePidfile,
    /// A refused start deletes the pidfile of the running daemon.
    UnlinksLivePidfile,
    /// A running daemon cannot be overwritten.
    OverwriteRefused,
    /// An overwritten daemon deletes its successor's pidfile when it ends.
    OverwrittenRemovesPidfile,
    /// Any pidfile that exists stops a start.
    StaleRefused,
    /// A pidfile that names some living process stops a start.
    RecycledPidRefused,
    /// An empty pidfile stops a start.
    EmptyRefused,
    /// `SIGTERM` is ignored.
    IgnoresSigterm,
    /// `SIGTERM` leads to a crash.
    CrashesOnSigterm,
    /// The pidfile stays when the daemon ends.
    PidfileLeft,
    /// A worker process stays when the daemon ends.
    LeavesWorker,
    /// A marker file that stops the next start stays when the daemon ends.
    LeavesMarker,
    /// The monitor does not restart a crashed daemon.
    NoRestart,
    /// The pidfile still names the first daemon after a restart.
    RestartKeepsPidfile,
    /// The monitor restarts a daemon that ended because it was told to.
    CleanExitRestarted,
    /// `SIGTERM` ends the monitor and not the daemon.
    OrphansDaemon,
    /// `SIGTERM` to the monitor ends both and leaves the pidfile.
    OrphansPidfile,
    /// While the monitor waits to restart the daemon, nobody holds the lock.
    LockDroppedInThrottle,
    /// A daemon that keeps crashing is restarted in a tight loop.
    NoThrottle,
    /// After the first crash the monitor waits as after any other.
    FirstRestartWaits,
    /// The monitor waits until the wall clock shows the time of the next restart.
    ThrottledByWallClock,
    /// The monitor does not notice that it is told to end while it waits to restart the daemon.
    SigtermLostInThrottle,
    /// The monitor has one more descriptor after each restart.
    LeaksPerRestart,
    /// The monitor does not reap the daemons that crashed.
    LeavesZombies,
    /// A restarted daemon does not lock its pidfile, and its monitor does not hold the lock any more.
    RestartKeepsNoLock,
    /// A restarted daemon does not move to `/`.
    RestartKeepsDirectory,
    /// A restarted daemon asks again and again, without a wait, whether it is to end.
    RestartNeverSleeps,
    /// While it starts, a marker file lies about that stops any other start, now and later.
    MarkerWhileStarting,
    /// `SIGTERM` is forgotten if it comes before the daemon is ready.
    SigtermLostInStart,
    /// That its pid could not be written to the pidfile is not noticed.
    FullDiskUnnoticed,
}
