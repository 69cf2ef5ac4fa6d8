//! One process.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use nix::unistd::{Gid, Pid, Uid};

use super::observed::{Stop, settle};
use super::proc_dir::ProcDir;
use super::shown::Shown;
use super::stat::State;
use super::status::{Status, limit};
use super::{Device, Fact, ObserveError, Observed, SignalSet};

/// Facts about one process at one time, after [proc(5)].
///
/// All are of one process: should it end and its number be used again while it is being read, the
/// snapshot is [`Observed::Gone`], never a mixture. It is not
/// atomic, though. A process that executes another program meanwhile may show the title of one and
/// the executable of the other, or no arguments yet: `Command::spawn` returns a moment before that
/// is done. One that is just ending may have lost its executable and directories already.
///
/// [proc(5)]: https://man7.org/linux/man-pages/man5/proc.5.html
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Process {
    /// Its number.
    pub pid: Pid,
    /// Its parent; 0 if that is outside of this PID namespace.
    pub ppid: Pid,
    /// Its process group.
    pub pgid: Pid,
    /// Its session.
    pub sid: Pid,
    /// Its controlling terminal.
    pub tty: Option<Device>,
    /// The foreground process group of that terminal.
    pub tpgid: Option<Pid>,
    /// What it is doing.
    pub state: State,
    /// Its short name: 15 bytes at most, any bytes but zero.
    pub comm: OsString,
    /// Its arguments, or what it has written over them. Empty for zombies and kernel threads.
    /// Empty arguments at the end are not told from the padding of a changed title.
    pub cmdline: Vec<OsString>,
    /// Its program; ends in ` (deleted)` if that has been removed or replaced.
    pub exe: Fact<PathBuf>,
    /// Its working directory.
    pub cwd: Fact<PathBuf>,
    /// Its root directory.
    pub root: Fact<PathBuf>,
    /// How many threads it has.
    pub threads: u32,
    /// Its users.
    pub uids: Ids<Uid>,
    /// Its groups.
    pub gids: Ids<Gid>,
    /// Its supplementary groups.
    pub groups: Vec<Gid>,
    /// Its file mode creation mask. A zombie has none.
    pub umask: Option<u32>,
    /// What it does with signals.
    pub signals: Signals,
    /// Its capabilities.
    pub capabilities: Capabilities,
    /// The largest core dump it may leave, in bytes.
    pub core_limit: Limit,
    /// The number that its descriptors stay below.
    pub open_files_limit: Limit,
    /// The processor time it has used, its own and the kernel's on its behalf, in clock ticks.
    pub cpu_time_ticks: u64,
    /// When it was started, in clock ticks since the machine was. Equal pids with different start
    /// times are two processes.
    pub start_time_ticks: u64,
    /// The memory it occupies, in KiB. Zombies and kernel threads have none.
    pub vm_rss_kib: Option<u64>,
}

/// The four users, or groups, of a process, after [credentials(7)].
///
/// [credentials(7)]: https://man7.org/linux/man-pages/man7/credentials.7.html
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids<T> {
    /// Who started it.
    pub real: T,
    /// Who it acts as.
    pub effective: T,
    /// Who it may become again.
    pub saved: T,
    /// Who it opens files as.
    pub filesystem: T,
}

/// What a process does with signals, after [signal(7)].
///
/// [signal(7)]: https://man7.org/linux/man-pages/man7/signal.7.html
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signals {
    /// Blocked in the main thread.
    pub blocked: SignalSet,
    /// Ignored.
    pub ignored: SignalSet,
    /// Handled by a function.
    pub caught: SignalSet,
    /// Sent, but not yet delivered, to the process or to its main thread.
    pub pending: SignalSet,
}

/// Sets of capabilities; bit *n* stands for capability *n* of [capabilities(7)].
///
/// [capabilities(7)]: https://man7.org/linux/man-pages/man7/capabilities.7.html
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// In force.
    pub effective: u64,
    /// May be put in force.
    pub permitted: u64,
    /// May be kept through `execve`.
    pub inheritable: u64,
}

/// A resource limit, after [getrlimit(2)]; `None` means unlimited.
///
/// [getrlimit(2)]: https://man7.org/linux/man-pages/man2/getrlimit.2.html
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The one in force.
    pub soft: Option<u64>,
    /// How far the process may raise it.
    pub hard: Option<u64>,
}

impl Process {
    /// Takes a snapshot of the process `pid`. A number that is no process is [`Observed::Gone`]; a
    /// zombie is present.
    ///
    /// # Errors
    ///
    /// [`ObserveError`] if `/proc` hides the process altogether or is not as documented.
    /// That another user's process hides its executable and directories is no error, but [`Fact::Denied`].
    pub fn of(pid: Pid) -> Result<Observed<Self>, ObserveError> {
        settle(ProcDir::open(pid).and_then(|dir| dir.steadily(Self::read)))
    }

    pub(super) fn read(dir: &ProcDir) -> Result<Self, Stop> {
        let [exe, cwd, root] = [dir.link_fact("exe")?, dir.link_fact("cwd")?, dir.link_fact("root")?];
        let cmdline = arguments(&dir.read("cmdline")?);
        let limits = dir.read("limits")?;
        let limit = |name| limit(&limits, name).map_err(|field| dir.syntax("limits", field));
        let status = Status::parse(&dir.read("status")?).map_err(|field| dir.syntax("status", field))?;
        // Last, so that what has become a zombie meanwhile is called one.
        let stat = dir.stat()?;
        // The kernel says "denied" about a zombie's links, which do not exist.
        let link = |fact| {
            if stat.state.is_zombie() && fact == Fact::Denied { Fact::Absent } else { fact }
        };
        Ok(Self {
            pid: stat.pid,
            ppid: stat.ppid,
            pgid: stat.pgid,
            sid: stat.sid,
            tty: stat.tty,
            tpgid: stat.tpgid,
            state: stat.state,
            comm: stat.comm,
            cmdline,
            exe: link(exe),
            cwd: link(cwd),
            root: link(root),
            threads: stat.threads,
            uids: status.uids,
            gids: status.gids,
            groups: status.groups,
            umask: status.umask,
            signals: status.signals,
            capabilities: status.capabilities,
            core_limit: limit("Max core file size")?,
            open_files_limit: limit("Max open files")?,
            cpu_time_ticks: stat.cpu_time_ticks,
            start_time_ticks: stat.start_time_ticks,
            vm_rss_kib: status.vm_rss_kib,
        })
    }

    /// The command line as `ps` shows it: the arguments joined by spaces. A changed title is one
    /// argument.
    pub fn title(&self) -> OsString {
        self.cmdline.join(OsStr::new(" "))
    }

    /// Whether it has ended but has not been reaped. If only its first thread has ended, it has not, although
    /// [`state`](Self::state) says so.
    pub fn is_zombie(&self) -> bool {
        self.state.is_zombie() && self.threads <= 1
    }

    /// Whether it leads its session, and could so acquire a controlling terminal.
    pub fn is_session_leader(&self) -> bool {
        self.pid == self.sid
    }

    /// Whether a terminal can send it `SIGHUP` and `SIGINT`.
    pub fn has_controlling_terminal(&self) -> bool {
        self.tty.is_some()
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, ppid, pgid, sid, state, threads, .. } = self;
        writeln!(f, "{pid} {}: {} ({state})", Shown(&self.comm), Shown(&self.title()))?;
        write!(f, "  parent {ppid}, group {pgid}, session {sid}, ")?;
        match self.tty {
            Some(tty) => write!(f, "terminal {tty}")?,
            None => f.write_str("no terminal")?,
        }
        write!(f, ", {threads} thread{}", if *threads == 1 { "" } else { "s" })?;
        if let Some(kib) = self.vm_rss_kib {
            write!(f, ", {kib} KiB")?;
        }
        let [exe, cwd, root] = [&self.exe, &self.cwd, &self.root].map(shown);
        write!(
            f,
            "\n  exe {exe}, cwd {cwd}, root {root}\n  {}, {}",
            ids("uid", &self.uids),
            ids("gid", &self.gids)
        )?;
        if let Some(umask) = self.umask {
            write!(f, ", umask {umask:03o}")?;
        }
        let Signals { blocked, ignored, caught, pending } = self.signals;
        write!(f, "\n  signals: blocked {blocked}; ignored {ignored}; caught {caught}; pending {pending}")
    }
}

fn shown(fact: &Fact<PathBuf>) -> String {
    match fact {
        Fact::Known(path) => Shown::new(path).to_string(),
        Fact::Denied => "(permission denied)".into(),
        Fact::Absent => "(none)".into(),
        Fact::TooLong => "(too long a path)".into(),
    }
}

fn ids<T: PartialEq + fmt::Display>(name: &str, ids: &Ids<T>) -> String {
    let Ids { real, effective, saved, filesystem } = ids;
    if [effective, saved, filesystem].iter().all(|&id| id == real) {
        format!("{name} {real}")
    } else {
        format!("{name} real {real} effective {effective} saved {saved} filesystem {filesystem}")
    }
}

/// Splits `/proc/PID/cmdline`. Zeros at the end close the last argument or pad a title.
pub(super) fn arguments(text: &[u8]) -> Vec<OsString> {
    let end = text.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let arguments =
        text[..end].split(|&byte| byte == 0).map(|argument| OsString::from_vec(argument.to_vec()));
    if end == 0 { Vec::new() } else { arguments.collect() }
}

/// The title of `/proc/PID/cmdline`, see [`Process::title`].
pub(super) fn title(cmdline: &[u8]) -> OsString {
    arguments(cmdline).join(OsStr::new(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn arguments_end_at_zeros() {
        assert_eq!(arguments(b""), Vec::<OsString>::new());
        assert_eq!(arguments(b"\0\0"), Vec::<OsString>::new());
        assert_eq!(arguments(b"a\0"), ["a"]);
        assert_eq!(arguments(b"a\0\0b c\0"), ["a", "", "b c"]);
        assert_eq!(arguments(b"x: monitoring pid 2 (healthy)\0\0\0\0"), ["x: monitoring pid 2 (healthy)"]);
        assert_eq!(arguments(b"no zero"), ["no zero"]);
        assert_eq!(title(b"a\0-b\0\xff\0").as_bytes(), b"a -b \xff");
    }
}
