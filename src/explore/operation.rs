//! A system call as the explorer understands it.

use std::os::fd::RawFd;
use std::time::Duration;

use super::files::Named;
use super::place::FileId;

/// What a task is about to do.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) kind: Kind,
    /// The call with its arguments, as strace(1) writes it: `openat(d.pid.tmp, O_RDWR|O_CREAT)`.
    pub(crate) call: String,
    /// In two or three words: `open d.pid.tmp`.
    pub(crate) short: String,
    /// The file of the descriptor that it is about.
    pub(crate) file: Option<FileId>,
}

/// The kinds of operations, by what they may touch.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Open {
        at: Named,
        flags: i32,
    },
    /// unlink, rmdir
    Remove {
        at: Named,
    },
    Rename {
        from: Named,
        to: Named,
    },
    Link {
        from: Named,
        to: Named,
    },
    /// mkdir, symlink, mknod, bind
    Make {
        at: Named,
    },
    /// A name for a file that is open
    Name {
        at: Named,
        file: Option<FileId>,
    },
    /// access, readlink, and with `meta` stat
    Look {
        at: Named,
        meta: bool,
    },
    /// chmod and the like, and with `content` truncate
    Change {
        at: Named,
        content: bool,
    },
    Close {
        fds: Vec<RawFd>,
    },
    Read {
        fd: RawFd,
        patience: Patience,
    },
    Write {
        fd: RawFd,
        patience: Patience,
    },
    /// getdents
    List {
        fd: RawFd,
    },
    Stat {
        fd: RawFd,
    },
    ChangeOpened {
        fd: RawFd,
        content: bool,
    },
    Lock(Lock),
    /// F_GETLK
    TestLock(Lock),
    MakePipe {
        fds: u64,
    },
    /// poll, select, epoll: what is waited for, as descriptors and events of poll(2).
    Poll {
        asked: Vec<(RawFd, i16)>,
        timeout: Timeout,
        mask: Option<u64>,
    },
    /// Anything with a socket; `fd` and the events without which it would block.
    Socket {
        waits: Option<(RawFd, i16)>,
        at: Option<Named>,
    },
    Kill {
        target: Target,
        signal: i32,
    },
    /// Looking at a process, by kill(pid, 0) or in /proc
    LookAt {
        pid: i32,
    },
    /// wait4, waitid; `None` for any child
    Wait {
        pid: Option<i32>,
        blocks: bool,
        reaps: bool,
    },
    /// sigsuspend, pause: until a signal that is not in the mask arrives
    Suspend {
        mask: Option<u64>,
    },
    /// sigtimedwait
    AwaitSignal {
        set: u64,
        blocks: bool,
    },
    /// sigaction and sigprocmask, if they concern a signal that somebody may send
    SetDisposition,
    Sleep {
        until: Duration,
    },
    FutexWait {
        address: u64,
        expected: u32,
    },
    Execute {
        at: Option<Named>,
    },
    /// A call that is not understood, on something in the sandbox
    Unknown,
}

/// A record or whole-file lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lock {
    pub(crate) fd: RawFd,
    /// flock(2), which does not see the locks of fcntl(2).
    pub(crate) flock: bool,
    /// Whether it belongs to the open file description rather than to the process.
    pub(crate) description: bool,
    pub(crate) mode: LockMode,
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) blocks: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockMode {
    Shared,
    Exclusive,
    Unlock,
}

/// What a transfer through a descriptor that may block waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Nothing (`MSG_DONTWAIT`).
    Nothing,
    /// A first byte.
    Some,
    /// All that was asked for (`MSG_WAITALL`).
    All,
}

/// How long a call waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timeout {
    /// It only looks.
    None,
    /// Until something happens. Time does not pass under the explorer, so that every timeout is one of these.
    Event,
}

/// Whom a signal is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Process(i32),
    /// The group of the process that is named, 0 for one's own.
    Group(i32),
    Thread {
        process: i32,
        thread: i32,
    },
}
