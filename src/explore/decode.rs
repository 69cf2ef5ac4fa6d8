//! From the registers of a stopped task to an [`Operation`].

use std::os::fd::RawFd;
use std::time::Duration;

use nix::libc;
use nix::poll::PollFlags;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

use super::files::{Files, Named, Opened, Pids};
use super::kernel::{self, Descriptor, Info, bit};
use super::operation::{Kind, Lock, LockMode, Operation, Patience, Target, Timeout};
use super::place::FileId;
use super::words;
use crate::sys::ptrace::Registers;
use crate::trace::{Stopped, name_of};

/// What is to be done about a system call.
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once")]
#[derive(Clone, Debug)]
pub(crate) enum Decoded {
    /// Nobody else can notice it: let it pass.
    Unseen,
    /// Do not make it, and return this instead.
    Pretend(i64),
    /// Fill the buffer of getrandom(2) with the same bytes in each execution.
    Random { address: u64, length: usize },
    /// It is scheduled.
    Seen(Operation),
    /// Sockets have to be followed, and are not yet.
    Connects,
    /// Nobody else can notice it, but it can fail, and is told so: a process or a thread is made, for instance.
    CanFail(String),
    /// It ends the task: the stop before its end is what is scheduled.
    Ends,
    /// What it does cannot be followed.
    Unsupported(&'static str),
}

/// What a call is decoded with.
pub(crate) struct Decoder<'a> {
    pub(crate) files: &'a mut Files,
    pub(crate) pids: &'a Pids,
    pub(crate) task: &'a Stopped,
    /// The process of the task.
    pub(crate) process: Pid,
    /// The signals that somebody may send to it.
    pub(crate) awaited: u64,
    /// Whether sockets are followed: some program connects to another one of the scenario.
    pub(crate) sockets: bool,
    /// How far the made-up time has come.
    pub(crate) now: Duration,
    pub(crate) regs: Registers,
}

impl Decoder<'_> {
    pub(crate) fn decode(&mut self) -> Decoded {
        let number = self.regs.call();
        let Some(name) = name_of(number) else { return Decoded::Unseen };
        if matches!(number, libc::SYS_fork | libc::SYS_vfork | libc::SYS_clone | libc::SYS_clone3) {
            return Decoded::CanFail(format!("{name}()"));
        }
        self.of_names(number, name)
            .or_else(|| self.of_looks(number, name))
            .or_else(|| self.of_descriptors(number, name))
            .or_else(|| self.of_waiting(number, name))
            .or_else(|| self.of_processes(number, name))
            .unwrap_or_else(|| self.of_the_rest(number, name))
    }

    fn arg(&self, index: usize) -> u64 {
        self.regs.args().get(index).copied().unwrap_or_default()
    }

    fn int(&self, index: usize) -> i32 {
        self.arg(index) as i32
    }

    /// The path in argument `path`, relative to the directory in argument `dir`, if it is in the sandbox.
    fn at(&self, dir: Option<usize>, path: usize, follow: bool) -> Option<Named> {
        let text = self.task.text(self.arg(path))?;
        let dirfd = dir.map_or(libc::AT_FDCWD, |dir| self.int(dir));
        if text.is_empty() {
            return None;
        }
        self.files.named((self.process, dirfd), &text, follow, self.pids)
    }

    fn seen(&self, kind: Kind, call: String, short: String) -> Option<Decoded> {
        Some(Decoded::Seen(Operation { kind, call, short, file: None }))
    }

    /// One name, or none in the sandbox.
    fn one(
        &self,
        name: &str,
        at: Option<Named>,
        short: &str,
        detail: &str,
        kind: impl FnOnce(Named) -> Kind,
    ) -> Option<Decoded> {
        let Some(at) = at else { return Some(Decoded::Unseen) };
        let (entry, file) = (at.entry.clone(), at.there.map(|(id, _)| id));
        let (call, short) = (format!("{name}({entry}{detail})"), format!("{short} {entry}"));
        Some(Decoded::Seen(Operation { kind: kind(at), call, short, file }))
    }

    fn of_names(&self, number: i64, name: &str) -> Option<Decoded> {
        match number {
            libc::SYS_open | libc::SYS_creat | libc::SYS_openat | libc::SYS_openat2 => {
                self.open(number, name)
            }
            libc::SYS_unlink | libc::SYS_rmdir => {
                self.one(name, self.at(None, 0, false), name, "", |at| Kind::Remove { at })
            }
            libc::SYS_unlinkat => {
                self.one(name, self.at(Some(0), 1, false), "unlink", "", |at| Kind::Remove { at })
            }
            libc::SYS_rename => self.two(name, self.at(None, 0, false), self.at(None, 1, false), true),
            libc::SYS_renameat | libc::SYS_renameat2 => {
                self.two(name, self.at(Some(0), 1, false), self.at(Some(2), 3, false), true)
            }
            libc::SYS_linkat if self.linked_descriptor().is_some() => {
                let at = self.at(Some(2), 3, false);
                let file = self.linked_descriptor();
                self.one(name, at, "link", "", |at| Kind::Name { at, file })
            }
            libc::SYS_link => self.two(name, self.at(None, 0, false), self.at(None, 1, false), false),
            libc::SYS_linkat => {
                let follow = self.int(4) & libc::AT_SYMLINK_FOLLOW != 0;
                self.two(name, self.at(Some(0), 1, follow), self.at(Some(2), 3, false), false)
            }
            libc::SYS_symlink => self.one(name, self.at(None, 1, false), name, "", |at| Kind::Make { at }),
            libc::SYS_symlinkat => {
                self.one(name, self.at(Some(1), 2, false), "symlink", "", |at| Kind::Make { at })
            }
            libc::SYS_mkdir | libc::SYS_mknod => {
                self.one(name, self.at(None, 0, false), name, "", |at| Kind::Make { at })
            }
            libc::SYS_mkdirat | libc::SYS_mknodat => {
                self.one(name, self.at(Some(0), 1, false), &name[..5], "", |at| Kind::Make { at })
            }
            libc::SYS_chmod | libc::SYS_chown | libc::SYS_lchown => {
                let at = self.at(None, 0, number != libc::SYS_lchown);
                self.one(name, at, name, "", |at| Kind::Change { at, content: false })
            }
            libc::SYS_fchmodat | libc::SYS_fchownat | libc::SYS_utimensat => {
                match self.at(Some(0), 1, true) {
                    Some(at) => self.one(name, Some(at), name, "", |at| Kind::Change { at, content: false }),
                    None if self.arg(1) == 0 => {
                        self.opened(name, self.int(0), name, |fd| Kind::ChangeOpened { fd, content: false })
                    }
                    None => Some(Decoded::Unseen),
                }
            }
            libc::SYS_truncate => {
                self.one(name, self.at(None, 0, true), name, "", |at| Kind::Change { at, content: true })
            }
            libc::SYS_execve => self.execute(name, self.at(None, 0, true)),
            libc::SYS_execveat => self.execute(name, self.at(Some(0), 1, true)),
            _ => None,
        }
    }

    fn of_looks(&self, number: i64, name: &str) -> Option<Decoded> {
        let follow = |flags: i32| flags & libc::AT_SYMLINK_NOFOLLOW == 0;
        match number {
            libc::SYS_stat | libc::SYS_lstat => {
                let at = self.at(None, 0, number == libc::SYS_stat);
                self.look(name, at, true, None)
            }
            libc::SYS_newfstatat | libc::SYS_statx => {
                let flags = self.int(if number == libc::SYS_statx { 2 } else { 3 });
                self.look(name, self.at(Some(0), 1, follow(flags)), true, Some(0))
            }
            libc::SYS_access => self.look(name, self.at(None, 0, true), false, None),
            libc::SYS_faccessat | libc::SYS_faccessat2 => {
                self.look(name, self.at(Some(0), 1, true), false, None)
            }
            libc::SYS_readlink => self.look(name, self.at(None, 0, false), false, None),
            libc::SYS_readlinkat => self.look(name, self.at(Some(0), 1, false), false, None),
            _ => None,
        }
    }

    fn open(&self, number: i64, name: &str) -> Option<Decoded> {
        let (dir, path, flags) = match number {
            libc::SYS_open => (None, 0, self.int(1)),
            libc::SYS_creat => (None, 0, libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC),
            libc::SYS_openat => (Some(0), 1, self.int(2)),
            _ => (Some(0), 1, self.task.long(self.arg(2)).unwrap_or_default() as i32),
        };
        if let Some(pid) = self.process_of(path) {
            return self.look_at(name, pid);
        }
        let excluded = flags & libc::O_CREAT != 0 && flags & libc::O_EXCL != 0;
        let follow = flags & libc::O_NOFOLLOW == 0 && !excluded;
        let detail = format!(", {}", words::open_flags(flags));
        let at = self.at(dir, path, follow);
        if at.is_none() && flags & libc::O_ACCMODE != libc::O_RDONLY {
            // The null device above all, and log files.
            let elsewhere = self.task.text(self.arg(path)).unwrap_or_default();
            return Some(Decoded::CanFail(format!("{name}({})", String::from_utf8_lossy(&elsewhere))));
        }
        self.one(name, at, "open", &detail, |at| Kind::Open { at, flags })
    }

    /// Which other process of the scenario the path is about, if it is one in /proc.
    fn process_of(&self, path: usize) -> Option<i32> {
        let text = self.task.text(self.arg(path))?;
        let rest = text.strip_prefix(b"/proc/")?;
        let digits = rest.split(|&byte| byte == b'/').next()?;
        let pid = str::from_utf8(digits).ok()?.parse().ok()?;
        (pid != self.process.as_raw() && self.pids.name(pid).is_some()).then_some(pid)
    }

    fn look_at(&self, name: &str, pid: i32) -> Option<Decoded> {
        let who = self.pids.name(pid).unwrap_or("?").to_owned();
        self.seen(Kind::LookAt { pid }, format!("{name}(/proc/{who})"), format!("look at {who}"))
    }

    /// The file that linkat(2) gives a name by a descriptor of it.
    fn linked_descriptor(&self) -> Option<FileId> {
        let text = self.task.text(self.arg(1))?;
        let fd = match text.is_empty() {
            true => self.int(0),
            false => {
                let own = format!("/proc/{}/fd/", self.process);
                let fd =
                    text.strip_prefix(b"/proc/self/fd/").or_else(|| text.strip_prefix(own.as_bytes()))?;
                str::from_utf8(fd).ok()?.parse().ok()?
            }
        };
        self.files.id_of(kernel::descriptor(self.process, fd)?.key)
    }

    fn two(&self, name: &str, from: Option<Named>, to: Option<Named>, moves: bool) -> Option<Decoded> {
        let short = if moves { "rename" } else { "link" };
        match (from, to) {
            (Some(from), Some(to)) => {
                let call = format!("{name}({}, {})", from.entry, to.entry);
                let short = format!("{short} {} → {}", from.entry, to.entry);
                self.seen(
                    if moves { Kind::Rename { from, to } } else { Kind::Link { from, to } },
                    call,
                    short,
                )
            }
            (Some(at), None) if moves => {
                self.one(name, Some(at), short, ", elsewhere", |at| Kind::Remove { at })
            }
            (Some(at), None) => self.look(name, Some(at), false, None),
            (None, Some(at)) => self.one(name, Some(at), short, "", |at| Kind::Make { at }),
            (None, None) => Some(Decoded::Unseen),
        }
    }

    /// A stat or the like of a name or, with an empty path, of the descriptor in argument `fd`.
    fn look(&self, name: &str, at: Option<Named>, meta: bool, fd: Option<usize>) -> Option<Decoded> {
        let path = if fd.is_some() { 1 } else { 0 };
        if let Some(fd) = fd
            && self.task.text(self.arg(path)).is_none_or(|text| text.is_empty())
        {
            return self.opened(name, self.int(fd), "stat", |fd| Kind::Stat { fd });
        }
        if at.is_none()
            && let Some(pid) = self.process_of(path)
        {
            return self.look_at(name, pid);
        }
        let short = if meta { "stat" } else { name.trim_end_matches("at").trim_start_matches('f') };
        self.one(name, at, short, "", |at| Kind::Look { at, meta })
    }

    fn execute(&self, name: &str, at: Option<Named>) -> Option<Decoded> {
        let shown = at.as_ref().map_or_else(
            || {
                let path = self.task.text(self.arg(0)).unwrap_or_default();
                String::from_utf8_lossy(path.rsplit(|&byte| byte == b'/').next().unwrap_or_default())
                    .into_owned()
            },
            |at| at.entry.clone(),
        );
        let closes = kernel::descriptors(self.process)
            .into_iter()
            .any(|fd| Info::of(self.process, fd).closes_on_exec() && self.matters(fd));
        if at.is_none() && !closes {
            return Some(Decoded::Unseen);
        }
        self.seen(Kind::Execute { at }, format!("{name}({shown})"), format!("execute {shown}"))
    }

    fn matters(&self, fd: RawFd) -> bool {
        kernel::descriptor(self.process, fd)
            .is_some_and(|found| self.files.id_of(found.key).is_some() || self.is_followed_socket(found))
    }

    fn is_followed_socket(&self, found: Descriptor) -> bool {
        self.sockets && found.is(libc::S_IFSOCK)
    }

    /// An operation on a descriptor of something in the sandbox, or of a pipe or socket.
    fn opened(
        &self,
        name: &str,
        fd: RawFd,
        short: &str,
        kind: impl FnOnce(RawFd) -> Kind,
    ) -> Option<Decoded> {
        let found = kernel::descriptor(self.process, fd);
        let file = found.and_then(|found| self.files.id_of(found.key));
        if file.is_none() && !found.is_some_and(|found| self.is_followed_socket(found)) {
            return Some(Decoded::Unseen);
        }
        let (kind, call) = (kind(fd), format!("{name}({fd})"));
        Some(Decoded::Seen(Operation { kind, call, short: short.to_owned(), file }))
    }

    fn of_descriptors(&mut self, number: i64, name: &str) -> Option<Decoded> {
        let fd = self.int(0);
        match number {
            libc::SYS_close => self.opened(name, fd, "close", |fd| Kind::Close { fds: vec![fd] }),
            libc::SYS_dup2 | libc::SYS_dup3 => {
                let onto = self.int(1);
                self.opened(name, onto, "close", |fd| Kind::Close { fds: vec![fd] })
            }
            libc::SYS_close_range => self.close_range(name),
            libc::SYS_read | libc::SYS_pread64 | libc::SYS_readv | libc::SYS_preadv | libc::SYS_preadv2 => {
                self.transfer(number, name, false)
            }
            libc::SYS_write
            | libc::SYS_pwrite64
            | libc::SYS_writev
            | libc::SYS_pwritev
            | libc::SYS_pwritev2 => self.transfer(number, name, true),
            libc::SYS_getdents64 => self.opened(name, fd, "list", |fd| Kind::List { fd }),
            libc::SYS_fstat => self.opened(name, fd, "stat", |fd| Kind::Stat { fd }),
            libc::SYS_ftruncate | libc::SYS_fallocate => {
                self.opened(name, fd, "truncate", |fd| Kind::ChangeOpened { fd, content: true })
            }
            libc::SYS_fchmod | libc::SYS_fchown => {
                self.opened(name, fd, name, |fd| Kind::ChangeOpened { fd, content: false })
            }
            libc::SYS_flock => self.flock(name),
            libc::SYS_fcntl => self.fcntl(name),
            libc::SYS_fsync | libc::SYS_fdatasync if self.matters(fd) => {
                Some(Decoded::CanFail(format!("{name}({fd})")))
            }
            libc::SYS_dup => Some(Decoded::CanFail(format!("{name}({fd})"))),
            libc::SYS_fsync | libc::SYS_fdatasync => Some(Decoded::Unseen),
            libc::SYS_sendfile | libc::SYS_copy_file_range | libc::SYS_splice => {
                let matters = [0, 1, 2].into_iter().any(|index| self.matters(self.int(index)));
                if matters {
                    self.seen(Kind::Unknown, format!("{name}()"), name.into())
                } else {
                    Some(Decoded::Unseen)
                }
            }
            libc::SYS_pipe | libc::SYS_pipe2 | libc::SYS_socketpair => {
                let fds = self.arg(if number == libc::SYS_socketpair { 3 } else { 0 });
                self.seen(Kind::MakePipe { fds }, format!("{name}()"), name.to_owned())
            }
            _ => None,
        }
    }

    fn close_range(&self, name: &str) -> Option<Decoded> {
        const CLOEXEC: i32 = libc::CLOSE_RANGE_CLOEXEC as i32;
        if self.int(2) & CLOEXEC != 0 {
            return Some(Decoded::Unseen);
        }
        let range = self.arg(0) as u32..=self.arg(1) as u32;
        let all = kernel::descriptors(self.process).into_iter();
        let fds: Vec<_> = all.filter(|fd| range.contains(&fd.cast_unsigned()) && self.matters(*fd)).collect();
        if fds.is_empty() {
            return Some(Decoded::Unseen);
        }
        self.seen(Kind::Close { fds }, format!("{name}()"), "close all".into())
    }

    fn transfer(&mut self, number: i64, name: &str, writes: bool) -> Option<Decoded> {
        let (fd, patience) = (self.int(0), self.patience(number));
        match self.files.opened(self.process, fd) {
            Opened::Outside => match kernel::descriptor(self.process, fd) {
                Some(found) if found.is(libc::S_IFSOCK) => {
                    let events = if writes { PollFlags::POLLOUT } else { PollFlags::POLLIN };
                    self.socket(name, self.waits(fd, events, patience), None)
                }
                // Event descriptors of another kind may be read only when they are ready.
                Some(found) if !writes && found.format == 0 => {
                    let kind = Kind::Poll {
                        asked: vec![(fd, PollFlags::POLLIN.bits())],
                        timeout: self.blocking(fd),
                        mask: None,
                    };
                    self.seen(kind, format!("{name}({fd})"), format!("{name} {fd}"))
                }
                _ => Some(Decoded::Unseen),
            },
            opened if writes => {
                let text = self.task.bytes(self.arg(1), (self.arg(2) as usize).min(SHOWN));
                let text = self.pids.replace(&String::from_utf8_lossy(&text));
                let call = format!("{name}({fd}, {text:?})");
                let short = format!("write {:?}", text.trim_end());
                Some(Decoded::Seen(Operation {
                    kind: Kind::Write { fd, patience },
                    call,
                    short,
                    file: opened.id(),
                }))
            }
            _ => self.opened(name, fd, "read", |fd| Kind::Read { fd, patience }),
        }
    }

    /// What the flags of a call that transfers something say of waiting.
    fn patience(&self, number: i64) -> Patience {
        let flags = match number {
            libc::SYS_recvfrom | libc::SYS_sendto | libc::SYS_recvmmsg | libc::SYS_sendmmsg => self.int(3),
            libc::SYS_recvmsg | libc::SYS_sendmsg => self.int(2),
            libc::SYS_preadv2 | libc::SYS_pwritev2 if self.int(5) & libc::RWF_NOWAIT != 0 => {
                libc::MSG_DONTWAIT
            }
            _ => 0,
        };
        match flags {
            flags if flags & libc::MSG_DONTWAIT != 0 => Patience::Nothing,
            flags if flags & libc::MSG_WAITALL != 0 || number == libc::SYS_recvmmsg => Patience::All,
            _ => Patience::Some,
        }
    }

    fn blocking(&self, fd: RawFd) -> Timeout {
        if Info::of(self.process, fd).never_blocks() { Timeout::None } else { Timeout::Event }
    }

    /// What a call on a socket waits for, if it does.
    fn waits(&self, fd: RawFd, events: PollFlags, patience: Patience) -> Option<(RawFd, i16)> {
        let blocks = patience != Patience::Nothing && self.blocking(fd) == Timeout::Event;
        blocks.then_some((fd, events.bits()))
    }

    fn flock(&self, name: &str) -> Option<Decoded> {
        let operation = self.int(1);
        let mode = match operation & !libc::LOCK_NB {
            libc::LOCK_SH => LockMode::Shared,
            libc::LOCK_EX => LockMode::Exclusive,
            _ => LockMode::Unlock,
        };
        let blocks = operation & libc::LOCK_NB == 0;
        let lock =
            Lock { fd: self.int(0), flock: true, description: true, mode, first: 0, last: i64::MAX, blocks };
        let detail = words::flock_operation(operation);
        self.opened(name, lock.fd, words::lock(mode), |_| Kind::Lock(lock))
            .map(|seen| with_detail(seen, &detail))
    }

    fn fcntl(&self, name: &str) -> Option<Decoded> {
        let command = self.int(1);
        let (description, blocks, tests) = match command {
            libc::F_SETLK => (false, false, false),
            libc::F_SETLKW => (false, true, false),
            libc::F_GETLK => (false, false, true),
            libc::F_OFD_SETLK => (true, false, false),
            libc::F_OFD_SETLKW => (true, true, false),
            libc::F_OFD_GETLK => (true, false, true),
            libc::F_DUPFD | libc::F_DUPFD_CLOEXEC => {
                return Some(Decoded::CanFail(format!("dup({})", self.int(0))));
            }
            _ => return Some(Decoded::Unseen),
        };
        // struct flock: two shorts, and after padding two longs.
        let asked = self.task.bytes(self.arg(2), 24);
        let long =
            |at: usize| asked.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map(i64::from_ne_bytes);
        let (start, length) = (long(8)?, long(16)?);
        let mode = match asked.first().copied().map(i32::from)? {
            libc::F_RDLCK => LockMode::Shared,
            libc::F_WRLCK => LockMode::Exclusive,
            _ => LockMode::Unlock,
        };
        let whence = asked.get(2).copied().map(i32::from)?;
        let (first, last) = match (whence, length) {
            (libc::SEEK_SET, 0) => (start, i64::MAX),
            (libc::SEEK_SET, length) if length > 0 => (start, start + length - 1),
            (libc::SEEK_SET, length) => (start + length, start - 1),
            // Relative to where the file stands: all of it, to be safe.
            _ => (0, i64::MAX),
        };
        let lock = Lock { fd: self.int(0), flock: false, description, mode, first, last, blocks };
        let detail =
            format!(", {}, {}, {start}, {length}", words::lock_command(command), words::lock_type(mode));
        let (short, kind) = match tests {
            true => ("who locks", Kind::TestLock(lock)),
            false => (words::lock(mode), Kind::Lock(lock)),
        };
        self.opened(name, lock.fd, short, |_| kind).map(|seen| with_detail(seen, &detail))
    }

    fn socket(&self, name: &str, waits: Option<(RawFd, i16)>, at: Option<Named>) -> Option<Decoded> {
        let shown = at.as_ref().map(|at| at.entry.clone()).unwrap_or_default();
        self.seen(Kind::Socket { waits, at }, format!("{name}({shown})"), format!("{name} {shown}"))
    }

    fn of_waiting(&self, number: i64, name: &str) -> Option<Decoded> {
        match number {
            libc::SYS_poll | libc::SYS_ppoll => self.poll(number, name),
            libc::SYS_select | libc::SYS_pselect6 => self.select(number, name),
            libc::SYS_epoll_wait | libc::SYS_epoll_pwait | libc::SYS_epoll_pwait2 => {
                let asks = match number {
                    libc::SYS_epoll_pwait2 => {
                        self.arg(3) == 0 || self.time(self.arg(3)) != Some(Duration::ZERO)
                    }
                    _ => self.int(3) != 0,
                };
                let mask =
                    (number != libc::SYS_epoll_wait && self.arg(4) != 0).then(|| self.task.long(self.arg(4)));
                let asked = vec![(self.int(0), PollFlags::POLLIN.bits())];
                self.polls(name, asked, asks, mask.flatten())
            }
            libc::SYS_pause => self.seen(Kind::Suspend { mask: None }, "pause()".into(), "pause".into()),
            libc::SYS_rt_sigsuspend => {
                let mask = self.task.long(self.arg(0));
                self.seen(Kind::Suspend { mask }, "sigsuspend()".into(), "sigsuspend".into())
            }
            libc::SYS_rt_sigtimedwait => {
                let set = self.task.long(self.arg(0)).unwrap_or_default();
                let blocks = self.arg(2) == 0 || self.time(self.arg(2)) != Some(Duration::ZERO);
                let call = format!("sigtimedwait({})", words::signals(set));
                self.seen(Kind::AwaitSignal { set, blocks }, call, "await signal".into())
            }
            libc::SYS_nanosleep | libc::SYS_clock_nanosleep => self.sleep(number),
            libc::SYS_futex => self.futex(),
            _ => None,
        }
    }

    /// A `struct timespec`.
    fn time(&self, address: u64) -> Option<Duration> {
        Some(Duration::new(self.task.long(address)?, self.task.long(address + 8)? as u32 % 1_000_000_000))
    }

    fn poll(&self, number: i64, name: &str) -> Option<Decoded> {
        let count = (self.arg(1) as usize).min(POLLED_MAX);
        let raw = self.task.bytes(self.arg(0), count * 8);
        let asked = raw.chunks_exact(8).filter_map(|one| {
            let fd = RawFd::from_ne_bytes(one[..4].try_into().ok()?);
            Some((fd, i16::from_ne_bytes(one[4..6].try_into().ok()?)))
        });
        let (waits, mask) = match number {
            libc::SYS_poll => (self.int(2) != 0, None),
            _ => (
                self.arg(2) == 0 || self.time(self.arg(2)) != Some(Duration::ZERO),
                self.task.long(self.arg(3)),
            ),
        };
        self.polls(name, asked.filter(|(fd, _)| *fd >= 0).collect(), waits, mask)
    }

    fn select(&self, number: i64, name: &str) -> Option<Decoded> {
        let count = (self.arg(0) as usize).min(1024);
        let mut asked = Vec::new();
        for (argument, events) in [(1, PollFlags::POLLIN), (2, PollFlags::POLLOUT), (3, PollFlags::POLLPRI)] {
            if self.arg(argument) == 0 {
                continue;
            }
            let bits = self.task.bytes(self.arg(argument), count.div_ceil(64) * 8);
            let set = |fd: &usize| bits.get(fd / 8).is_some_and(|byte| byte & (1 << (fd % 8)) != 0);
            asked.extend((0..count).filter(set).map(|fd| (fd as RawFd, events.bits())));
        }
        // struct timeval and struct timespec are both zero when they are.
        let waits = self.arg(4) == 0 || self.time(self.arg(4)) != Some(Duration::ZERO);
        let mask =
            (number == libc::SYS_pselect6).then(|| self.task.long(self.task.long(self.arg(5))?)).flatten();
        self.polls(name, asked, waits, mask)
    }

    fn polls(&self, name: &str, asked: Vec<(RawFd, i16)>, waits: bool, mask: Option<u64>) -> Option<Decoded> {
        let fds: Vec<_> = asked.iter().map(|(fd, _)| fd.to_string()).collect();
        let timeout = if waits { Timeout::Event } else { Timeout::None };
        if !waits && !asked.iter().any(|(fd, _)| self.matters(*fd)) {
            return Some(Decoded::Unseen);
        }
        self.seen(Kind::Poll { asked, timeout, mask }, format!("{name}({})", fds.join(", ")), name.into())
    }

    fn sleep(&self, number: i64) -> Option<Decoded> {
        let (flags, at) =
            if number == libc::SYS_nanosleep { (0, self.arg(0)) } else { (self.int(1), self.arg(2)) };
        let wanted = self.time(at).unwrap_or_default();
        let (lasts, shown) = match flags & libc::TIMER_ABSTIME {
            0 => (wanted, format!("{wanted:?}")),
            _ => self.until(wanted),
        };
        let kind = Kind::Sleep { until: self.now.saturating_add(lasts) };
        self.seen(kind, format!("nanosleep({shown})"), format!("sleep {shown}"))
    }

    /// How long a sleep lasts that ends when its clock shows this. The clock is real and runs on, differently in each
    /// execution, so all that can be told is whether it is about to.
    fn until(&self, time: Duration) -> (Duration, String) {
        let clock = match self.int(0) {
            libc::CLOCK_REALTIME | libc::CLOCK_MONOTONIC | libc::CLOCK_BOOTTIME => self.int(0),
            _ => return (SOON, "until soon".into()),
        };
        let now = clock_gettime(ClockId::from_raw(clock)).map(Duration::from).unwrap_or(time);
        match time.saturating_sub(now) > NOT_SOON {
            true => (Duration::MAX, "until later".into()),
            false => (SOON, "until soon".into()),
        }
    }

    fn futex(&self) -> Option<Decoded> {
        const COMMAND: i32 = !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME);
        match self.int(1) & COMMAND {
            libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET => {
                let kind = Kind::FutexWait { address: self.arg(0), expected: self.arg(2) as u32 };
                self.seen(kind, "futex(FUTEX_WAIT)".into(), "wait for a thread".into())
            }
            libc::FUTEX_WAKE | libc::FUTEX_WAKE_BITSET | libc::FUTEX_REQUEUE | libc::FUTEX_CMP_REQUEUE => {
                // Whoever waits looks at the memory, which says what the call would.
                Some(Decoded::Unseen)
            }
            _ => Some(Decoded::Unsupported("a futex with priority inheritance")),
        }
    }

    fn of_processes(&self, number: i64, name: &str) -> Option<Decoded> {
        match number {
            libc::SYS_kill | libc::SYS_rt_sigqueueinfo => self.kill(name, self.int(0), self.int(1)),
            libc::SYS_tgkill => {
                let target = Target::Thread { process: self.int(0), thread: self.int(1) };
                self.signal(name, target, self.int(2))
            }
            libc::SYS_tkill => {
                let target = Target::Thread { process: self.int(0), thread: self.int(0) };
                self.signal(name, target, self.int(1))
            }
            libc::SYS_pidfd_send_signal => {
                self.kill(name, Info::of(self.process, self.int(0)).pid()?, self.int(1))
            }
            libc::SYS_pidfd_open => match self.pids.name(self.int(0)) {
                Some(_) => self.look_at(name, self.int(0)),
                None => Some(Decoded::Unseen),
            },
            libc::SYS_wait4 => {
                let pid = self.int(0);
                self.wait(name, (pid > 0).then_some(pid), self.int(2), true)
            }
            libc::SYS_waitid => {
                let pid = (self.int(0) == libc::P_PID as i32).then(|| self.int(1));
                self.wait(name, pid, self.int(3), self.int(3) & libc::WNOWAIT == 0)
            }
            libc::SYS_exit | libc::SYS_exit_group => Some(Decoded::Ends),
            libc::SYS_rt_sigaction => {
                let signal = self.int(0);
                if self.arg(1) == 0 || self.awaited & bit(signal) == 0 {
                    return Some(Decoded::Unseen);
                }
                let name = words::signal(signal);
                self.seen(Kind::SetDisposition, format!("sigaction({name})"), format!("handle {name}"))
            }
            libc::SYS_rt_sigprocmask => self.mask(),
            _ => None,
        }
    }

    fn kill(&self, name: &str, pid: i32, signal: i32) -> Option<Decoded> {
        match pid {
            // Not what is sent to everything on the machine.
            -1 => Some(Decoded::Pretend(-i64::from(libc::ESRCH))),
            ..=0 => self.signal(name, Target::Group(-pid), signal),
            _ => self.signal(name, Target::Process(pid), signal),
        }
    }

    fn signal(&self, name: &str, target: Target, signal: i32) -> Option<Decoded> {
        let (Target::Process(pid) | Target::Thread { process: pid, .. } | Target::Group(pid)) = target;
        let who = match self.pids.name(pid) {
            Some(who) => who,
            None if pid == 0 => "own group",
            // A number that was read from an old pidfile may be anybody's on this machine.
            None if signal != 0 => return Some(Decoded::Pretend(-i64::from(libc::ESRCH))),
            None => return Some(Decoded::Unseen),
        };
        if signal == 0 {
            return self.seen(Kind::LookAt { pid }, format!("{name}({who}, 0)"), format!("look at {who}"));
        }
        let shown = words::signal(signal);
        self.seen(
            Kind::Kill { target, signal },
            format!("{name}({who}, {shown})"),
            format!("{shown} to {who}"),
        )
    }

    fn wait(&self, name: &str, pid: Option<i32>, options: i32, reaps: bool) -> Option<Decoded> {
        let who = pid.map_or("any", |pid| self.pids.name(pid).unwrap_or("?"));
        let blocks = options & libc::WNOHANG == 0;
        let call = format!("{name}({who}{})", if blocks { "" } else { ", WNOHANG" });
        self.seen(Kind::Wait { pid, blocks, reaps }, call, format!("wait for {who}"))
    }

    fn mask(&self) -> Option<Decoded> {
        if self.arg(1) == 0 {
            return Some(Decoded::Unseen);
        }
        let set = self.task.long(self.arg(1)).unwrap_or_default();
        let blocked = kernel::Signals::of(self.task.pid()).blocked;
        let after = match self.int(0) {
            libc::SIG_BLOCK => blocked | set,
            libc::SIG_UNBLOCK => blocked & !set,
            _ => set,
        };
        if (blocked ^ after) & self.awaited == 0 {
            return Some(Decoded::Unseen);
        }
        let verb = if after & !blocked != 0 { "block" } else { "unblock" };
        let shown = words::signals((blocked ^ after) & self.awaited);
        self.seen(Kind::SetDisposition, format!("sigprocmask({verb} {shown})"), format!("{verb} {shown}"))
    }

    fn of_the_rest(&mut self, number: i64, name: &str) -> Decoded {
        if let Some(decoded) = self.of_sockets(number, name) {
            return decoded;
        }
        match number {
            libc::SYS_alarm | libc::SYS_setitimer | libc::SYS_timer_settime | libc::SYS_timerfd_settime => {
                Decoded::Pretend(0)
            }
            libc::SYS_getrandom => Decoded::Random { address: self.arg(0), length: self.arg(1) as usize },
            libc::SYS_io_uring_setup => Decoded::Pretend(-i64::from(libc::ENOSYS)),
            libc::SYS_io_uring_enter => Decoded::Pretend(-i64::from(libc::ENOSYS)),
            libc::SYS_ptrace => Decoded::Pretend(-i64::from(libc::EPERM)),
            libc::SYS_mmap if self.matters(self.int(4)) => {
                Decoded::Unsupported("a writable shared mapping of a file of the sandbox")
            }
            _ => Decoded::Unseen,
        }
    }

    fn of_sockets(&mut self, number: i64, name: &str) -> Option<Decoded> {
        let fd = self.int(0);
        let events = match number {
            libc::SYS_bind => return Some(self.bind(name)),
            libc::SYS_connect => return Some(self.connect(name)),
            libc::SYS_listen | libc::SYS_shutdown if self.sockets => return self.socket(name, None, None),
            libc::SYS_accept
            | libc::SYS_accept4
            | libc::SYS_recvfrom
            | libc::SYS_recvmsg
            | libc::SYS_recvmmsg => PollFlags::POLLIN,
            libc::SYS_sendto | libc::SYS_sendmsg | libc::SYS_sendmmsg => PollFlags::POLLOUT,
            _ => return None,
        };
        let patience = self.patience(number);
        match self.files.opened(self.process, fd) {
            // Two ends of one pair: a pipe in both directions.
            Opened::Socket(..) if events == PollFlags::POLLIN => {
                self.opened(name, fd, "read", |fd| Kind::Read { fd, patience })
            }
            Opened::Socket(..) => self.opened(name, fd, "write", |fd| Kind::Write { fd, patience }),
            _ if events == PollFlags::POLLOUT && !self.sockets => Some(Decoded::Unseen),
            _ => self.socket(name, self.waits(fd, events, patience), None),
        }
    }

    /// The path of a `struct sockaddr_un`, which need not end with a null byte; empty for any other address.
    fn address(&self) -> Vec<u8> {
        let address = self.task.bytes(self.arg(1), (self.arg(2) as usize).min(110));
        match address.split_first_chunk() {
            Some((family, path)) if i32::from(u16::from_ne_bytes(*family)) == libc::AF_UNIX => {
                path.split(|&byte| byte == 0).next().unwrap_or_default().to_owned()
            }
            _ => Vec::new(),
        }
    }

    fn bind(&self, name: &str) -> Decoded {
        let path = self.address();
        let at = Some(path).filter(|path| !path.is_empty());
        let at =
            at.and_then(|path| self.files.named((self.process, libc::AT_FDCWD), &path, false, self.pids));
        let decoded = match at {
            Some(at) if !self.sockets => self.one(name, Some(at), name, "", |at| Kind::Make { at }),
            at if self.sockets => self.socket(name, None, at),
            _ => None,
        };
        decoded.unwrap_or(Decoded::Unseen)
    }

    fn connect(&self, name: &str) -> Decoded {
        let path = self.address();
        let named = |path: &[u8]| self.files.named((self.process, libc::AT_FDCWD), path, true, self.pids);
        // A server elsewhere on the machine is none of the scenario's.
        let elsewhere = !path.is_empty() && named(&path).is_none();
        match (elsewhere, self.sockets) {
            (true, _) => Decoded::Unseen,
            (false, false) => Decoded::Connects,
            (false, true) => self.socket(name, None, None).unwrap_or(Decoded::Unseen),
        }
    }
}

fn with_detail(decoded: Decoded, detail: &str) -> Decoded {
    match decoded {
        Decoded::Seen(mut operation) => {
            operation.call = operation.call.replace(')', &format!("{detail})"));
            Decoded::Seen(operation)
        }
        other => other,
    }
}

/// As many bytes of what is written are shown.
const SHOWN: usize = 40;

/// More descriptors than that are not asked one by one.
const POLLED_MAX: usize = 1024;

/// How long a sleep until a certain time lasts.
const SOON: Duration = Duration::from_millis(100);

/// What is further away than this is further away than an execution lasts.
const NOT_SOON: Duration = Duration::from_secs(5);
