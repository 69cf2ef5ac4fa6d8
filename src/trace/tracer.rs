//! The tracer: starts programs and waits for their tasks, all in the thread that made it.

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::ptrace::{self as nix_ptrace, Options};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::cores::{CORES, Core};
use super::task::{End, Running, Stop, Stopped};
use super::{Program, TRACED, TraceError};
use crate::sys::bell::Bell;
use crate::sys::children::Stat;
use crate::sys::nest::Nest;
use crate::sys::ptrace::{self, Resume};
use crate::sys::seccomp::{FOREIGN, Filter};

/// Programs under trace. Several may exist in one process, one a thread.
///
/// When it is dropped, and when its process ends in whatever way, every task is killed (`PTRACE_O_EXITKILL`).
#[derive(Debug)]
pub(crate) struct Tracer {
    nest: Nest,
    /// Wakes the thread, which waits for reports, to look whether a task is stuck.
    bell: Bell,
    /// What other tasks reported while one was waited for.
    arrived: BTreeMap<Pid, i32>,
    /// The tasks that have not ended.
    alive: BTreeSet<Pid>,
    paths: Vec<PathBuf>,
    _core: Option<Core>,
    /// For how long a task may compute, or sleep in a call that is not traced.
    patience: Duration,
    /// ptrace(2) belongs to a thread.
    not_send: PhantomData<*const ()>,
}

/// What a task that was waited for has done.
#[derive(Debug)]
pub(crate) enum Report {
    Stopped(Stopped, Stop),
    Ended(End),
    /// Nothing for a long time; it still runs.
    Stuck(Running, Stuck),
}

/// What a task does instead of reporting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stuck {
    /// It has computed for seconds without a call that is traced.
    Spinning,
    /// It sleeps in a call that is not traced.
    Asleep,
}

/// How often the tracer is woken to look whether a task is stuck.
const BELL: Duration = Duration::from_millis(250);

/// Clock ticks a second, in which /proc tells times.
const TICKS: u64 = 100;

/// As often does the bell ring until a task that was killed is given up.
const ENDING_BELLS: u32 = 120;

impl Tracer {
    /// Prepares to start `programs`, with the calling thread and all tasks on one core: that makes a stop ten times
    /// cheaper, and one task runs at a time anyway.
    pub(crate) fn new(programs: Vec<Program>, patience: Duration) -> Result<Self, TraceError> {
        let core = CORES.bind();
        let paths = programs.iter().map(path_of).collect();
        let nest = Nest::new(programs, Filter::tracing(TRACED)).map_err(TraceError::Nest)?;
        // Nobody pulls its rope.
        let rope = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK);
        let bell = rope.map_err(Into::into).and_then(|rope| Bell::hang(Arc::new(rope)));
        let bell = bell.map_err(TraceError::Nest)?;
        bell.ring_after(BELL);
        let (arrived, alive) = (BTreeMap::new(), BTreeSet::new());
        Ok(Tracer { nest, bell, arrived, alive, paths, _core: core, patience, not_send: PhantomData })
    }

    /// Starts the program; its first stop is before execve(2).
    pub(crate) fn spawn(&mut self, program: u8) -> Result<(Stopped, Stop), TraceError> {
        let pid = self.nest.spawn(program).map_err(TraceError::Nest)?;
        let options = following() | Options::PTRACE_O_TRACEEXIT;
        if let Err(errno) = nix_ptrace::seize(pid, options) {
            kill(pid, Signal::SIGKILL).ok();
            return Err(TraceError::seizing(errno));
        }
        self.alive.insert(pid);
        self.nest.release().map_err(TraceError::Nest)?;
        match self.wait(Running::new(pid))? {
            Report::Stopped(stopped, stop) => Ok((stopped, stop)),
            _ => Err(TraceError::Forbidden { reason: "seccomp(2) filters are refused".into() }),
        }
    }

    /// The executable of a program, for messages.
    pub(crate) fn path(&self, program: u8) -> PathBuf {
        self.paths.get(usize::from(program)).cloned().unwrap_or_default()
    }

    /// A task that a stop has announced; it is about to run for the first time.
    pub(crate) fn newborn(&mut self, pid: Pid) -> Running {
        self.alive.insert(pid);
        Running::new(pid)
    }

    /// A task that nobody waits for now; it is killed with the others at the latest.
    pub(crate) fn abandon(&mut self, running: Running) {
        self.alive.insert(running.pid());
    }

    /// The number of a task has changed, because a thread that was not the first has executed a program.
    pub(crate) fn renamed(&mut self, former: Pid) {
        self.alive.remove(&former);
        self.arrived.remove(&former);
    }

    /// Waits until the task stops or ends, or too long.
    pub(crate) fn wait(&mut self, running: Running) -> Result<Report, TraceError> {
        let pid = running.pid();
        let mut watch = Watch::default();
        loop {
            let status = match self.arrived.remove(&pid) {
                Some(status) => status,
                None => {
                    let (other, status) = ptrace::wait_any().map_err(|errno| TraceError::Request {
                        what: "wait for a report",
                        pid: pid.as_raw(),
                        errno,
                    })?;
                    if self.is_own(other) {
                        if let Some(stuck) = self.rung(pid, (other, status), &mut watch)? {
                            return Ok(Report::Stuck(running, stuck));
                        }
                        continue;
                    }
                    if other != pid && has_become(pid, other, status) {
                        return Ok(Report::Stopped(Stopped::new(other), Stop::Executed(pid)));
                    }
                    if other != pid {
                        self.set_aside(pid, other, status);
                        continue;
                    }
                    status
                }
            };
            if libc::WIFSTOPPED(status) {
                return Ok(Report::Stopped(Stopped::new(pid), stop(pid, status)?));
            }
            self.alive.remove(&pid);
            return Ok(Report::Ended(End::of_status(status)));
        }
    }

    /// Takes in the report of a task while `pid` is waited for.
    fn set_aside(&mut self, pid: Pid, other: Pid, status: i32) {
        // A thread that ends although nobody has let it go on is ended by another one of its process, which executes a
        // program or exits, and which may wait for it.
        if status >> 16 == libc::PTRACE_EVENT_EXIT && are_threads(pid, other) {
            ptrace::resume(other, Resume::Freely, 0).ok();
        } else {
            self.arrived.insert(other, status);
        }
    }

    /// Whether `pid` is a process of ours and no task.
    fn is_own(&self, pid: Pid) -> bool {
        pid == self.nest.pid() || pid == self.bell.pid()
    }

    fn rung(&mut self, pid: Pid, report: (Pid, i32), watch: &mut Watch) -> Result<Option<Stuck>, TraceError> {
        if report.0 != self.bell.pid() || !libc::WIFSTOPPED(report.1) {
            return Err(TraceError::Nest(std::io::Error::other("the process they are born in was killed")));
        }
        self.listen_again();
        Ok(watch.look(pid, self.patience))
    }

    /// Has the bell, which has rung, ring once more.
    fn listen_again(&self) {
        self.bell.rouse();
        self.bell.ring_after(BELL);
    }

    /// Kills every task and takes the reports of their ends, in whatever order they come: a first thread ends when the
    /// others have ended.
    pub(crate) fn kill_all(&mut self) {
        self.alive.iter().for_each(|pid| end(*pid));
        let mut bells = 0;
        while !self.alive.is_empty() && bells < ENDING_BELLS {
            let Ok((pid, status)) = self.arrived.pop_first().map_or_else(ptrace::wait_any, Ok) else { break };
            if pid == self.bell.pid() && libc::WIFSTOPPED(status) {
                bells += 1;
                self.listen_again();
            } else if self.is_own(pid) {
                // With the nest, everything that was born in it is given to somebody else.
                break;
            } else {
                self.finish(pid, status);
            }
        }
        self.alive.clear();
        self.arrived.clear();
    }

    /// Takes the report of a task that is being killed, or was just born to one.
    fn finish(&mut self, pid: Pid, status: i32) {
        if libc::WIFSTOPPED(status) {
            self.alive.insert(pid);
            end(pid);
        } else {
            self.alive.remove(&pid);
        }
    }
}

/// Kills a task. In the stop before its end one does not notice SIGKILL any more: it has to be let go.
fn end(pid: Pid) {
    kill(pid, Signal::SIGKILL).ok();
    ptrace::resume(pid, Resume::Freely, 0).ok();
}

impl Drop for Tracer {
    fn drop(&mut self) {
        self.kill_all();
    }
}

/// Whether `task` has executed a program, and with that got the number `other`, that of the first thread.
fn has_become(task: Pid, other: Pid, status: i32) -> bool {
    let former = || nix_ptrace::getevent(other).is_ok_and(|former| former == i64::from(task.as_raw()));
    libc::WIFSTOPPED(status) && status >> 16 == libc::PTRACE_EVENT_EXEC && former()
}

/// Whether two tasks are threads of one process.
fn are_threads(task: Pid, other: Pid) -> bool {
    std::fs::exists(format!("/proc/{task}/task/{other}")).unwrap_or(false)
}

fn path_of(program: &Program) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(program.path.to_bytes()))
}

/// How to seize a task that is to be followed with all that descends from it.
pub(super) fn following() -> Options {
    Options::PTRACE_O_EXITKILL
        | Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACESECCOMP
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACEVFORKDONE
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC
}

/// Why a task has stopped that has reported this status.
pub(super) fn stop(pid: Pid, status: i32) -> Result<Stop, TraceError> {
    let (signal, event) = (libc::WSTOPSIG(status), status >> 16);
    // One that was killed meanwhile has no message, and the next report says so.
    let message = || nix_ptrace::getevent(pid).unwrap_or_default();
    let child = |message: i64| Pid::from_raw(message as i32);
    Ok(match event {
        0 if signal == libc::SIGTRAP | 0x80 => Stop::CallDone,
        0 => Stop::Signal(signal),
        libc::PTRACE_EVENT_SECCOMP if message() == i64::from(FOREIGN) => Stop::ForeignCall,
        libc::PTRACE_EVENT_SECCOMP => Stop::Call,
        libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_CLONE => Stop::Forked(child(message())),
        libc::PTRACE_EVENT_VFORK => Stop::Vforked(child(message())),
        libc::PTRACE_EVENT_VFORK_DONE => Stop::VforkDone,
        libc::PTRACE_EVENT_EXEC => Stop::Executed(child(message())),
        libc::PTRACE_EVENT_EXIT => Stop::Exiting(message() as i32),
        _ if signal == libc::SIGTRAP => Stop::Born,
        _ => Stop::Group(signal),
    })
}

/// How the task that is waited for spends its time.
#[derive(Debug, Default)]
struct Watch {
    ticks_at_first: Option<u64>,
    /// As often in a row has the bell found it asleep.
    asleep: u32,
}

impl Watch {
    fn look(&mut self, pid: Pid, patience: Duration) -> Option<Stuck> {
        let text = std::fs::read(format!("/proc/{pid}/stat")).unwrap_or_default();
        let stat = Stat::parse(&text);
        if let Some(ticks) = stat.and_then(|stat| stat.cpu_ticks) {
            let first = *self.ticks_at_first.get_or_insert(ticks);
            if Duration::from_millis(ticks.saturating_sub(first) * 1000 / TICKS) >= patience {
                return Some(Stuck::Spinning);
            }
        }
        // A loaded machine leaves a task ready to run, not asleep. One that is not there has just got the number of another
        // thread, which that one's report will tell; or it is gone without a report, which is a mistake of ours, but no
        // reason to wait for ever.
        let moves = stat.is_some_and(|stat| stat.state != b'S');
        self.asleep = if moves { 0 } else { self.asleep + 1 };
        (BELL * self.asleep >= patience).then_some(Stuck::Asleep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sched::{CpuSet, sched_getaffinity};

    #[test]
    fn what_is_born_is_on_the_core_of_its_tracer() {
        let cores = |pid| {
            let set = sched_getaffinity(pid).unwrap();
            (0..CpuSet::count()).filter(|core| set.is_set(*core).unwrap()).collect::<Vec<_>>()
        };
        let tracer = Tracer::new(Vec::new(), Duration::from_secs(1)).unwrap();
        let own = cores(Pid::from_raw(0));
        assert_eq!((own.len(), cores(tracer.bell.pid())), (1, own));
    }
}
