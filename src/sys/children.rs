//! Who is whose child, found without allocating and past the C library: the reaper asks, see there.

use std::ffi::{CStr, c_int};
use std::os::fd::RawFd;

use nix::errno::Errno;
use nix::unistd::Pid;

use super::raw::{self, call};

/// The fields of `/proc/PID/stat` that tell how a process hangs in the tree, and since when; proc_pid_stat(5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    /// `R`, `S`, `Z`, ...
    pub(crate) state: u8,
    pub(crate) parent: Pid,
    /// How many it has; one if the text is cut off.
    pub(crate) threads: u32,
    /// In clock ticks since the machine was started; `None` if the text is cut off.
    pub(crate) start_ticks: Option<u64>,
    /// How long it has computed, in clock ticks; `None` if the text is cut off.
    pub(crate) cpu_ticks: Option<u64>,
}

impl Stat {
    /// Parses after the last `)`, because a process chooses its own name and may put one in it.
    pub(crate) fn parse(text: &[u8]) -> Option<Stat> {
        let name_end = text.iter().rposition(|&byte| byte == b')')?;
        let mut fields = text.get(name_end + 1..)?.split(|&byte| byte == b' ').skip(1);
        let state = *fields.next()?.first()?;
        let parent = parse_pid(fields.next()?)?;
        let number = |field: &[u8]| str::from_utf8(field).ok()?.parse::<u64>().ok();
        let times = fields.nth(9).and_then(number).zip(fields.next().and_then(number));
        let threads = fields.nth(4).and_then(number).and_then(|threads| u32::try_from(threads).ok());
        let start_ticks = fields.nth(1).and_then(number);
        let cpu_ticks = times.map(|(user, system)| user.saturating_add(system));
        Some(Stat { state, parent, threads: threads.unwrap_or(1), start_ticks, cpu_ticks })
    }

    /// Whether the process has ended. If its first thread has, before the others, only the letter says so.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state, b'Z' | b'X') && self.threads <= 1
    }
}

/// Calls `visit` with every child of the calling thread, which must be the only thread of its process.
///
/// Zombies are visited too. A child may be missed when another one is reaped meanwhile, so call it until
/// wait(2) says that no child is left.
pub(super) fn visit_own(visit: &mut dyn FnMut(Pid)) -> nix::Result<()> {
    match with_file(libc::AT_FDCWD, c"/proc/thread-self/children", libc::O_RDONLY, |list| {
        visit_list(list, visit)
    }) {
        // The kernel was built without CONFIG_PROC_CHILDREN.
        Err(Errno::ENOENT) => visit_scanning(own_pid()?, visit),
        outcome => outcome,
    }
}

fn own_pid() -> nix::Result<Pid> {
    // SAFETY: no arguments.
    unsafe { call!(libc::SYS_getpid) }.map(|pid| Pid::from_raw(pid as libc::pid_t))
}

fn with_file<T>(
    directory: RawFd,
    path: &CStr,
    flags: c_int,
    body: impl FnOnce(RawFd) -> nix::Result<T>,
) -> nix::Result<T> {
    let fd = raw::open(directory, path, flags)?;
    let outcome = body(fd);
    raw::close_range(fd, fd, 0).ok();
    outcome
}

/// Reads pids that are separated by spaces; one may be split between two reads.
fn visit_list(list: RawFd, visit: &mut dyn FnMut(Pid)) -> nix::Result<()> {
    let mut buffer = [0; 1024];
    let mut pid = 0_i32;
    loop {
        let length = raw::read(list, &mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        for &byte in buffer.iter().take(length) {
            if byte.is_ascii_digit() {
                pid = pid.wrapping_mul(10).wrapping_add(i32::from(byte - b'0'));
            } else if pid > 0 {
                visit(Pid::from_raw(std::mem::take(&mut pid)));
            }
        }
    }
}

/// Looks at every process for those whose parent is `parent`.
fn visit_scanning(parent: Pid, visit: &mut dyn FnMut(Pid)) -> nix::Result<()> {
    with_file(libc::AT_FDCWD, c"/proc", libc::O_RDONLY | libc::O_DIRECTORY, |proc| {
        let mut buffer = [0; 2048];
        loop {
            let length = read_entries(proc, &mut buffer)?;
            if length == 0 {
                return Ok(());
            }
            let mut rest = buffer.get(..length).unwrap_or_default();
            while let Some((name, after)) = split_entry(rest) {
                rest = after;
                if parse_pid(name).is_some() && stat_of(proc, name).is_some_and(|stat| stat.parent == parent)
                {
                    parse_pid(name).into_iter().for_each(&mut *visit);
                }
            }
        }
    })
}

fn read_entries(directory: RawFd, buffer: &mut [u8]) -> nix::Result<usize> {
    // SAFETY: the kernel writes to the buffer, which is borrowed mutably, at most its length.
    unsafe { call!(libc::SYS_getdents64, directory, buffer.as_mut_ptr(), buffer.len()) }
}

/// Splits the first `struct linux_dirent64` off: inode (8 bytes), offset (8), record length (2), type (1), name.
fn split_entry(entries: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = u16::from_ne_bytes([*entries.get(16)?, *entries.get(17)?]);
    let (entry, rest) = entries.split_at_checked(usize::from(length))?;
    let name = CStr::from_bytes_until_nul(entry.get(19..)?).ok()?;
    Some((name.to_bytes(), rest))
}

fn stat_of(proc: RawFd, pid: &[u8]) -> Option<Stat> {
    let mut path = [0; 24];
    let (name, suffix) = path.split_at_mut_checked(pid.len())?;
    name.copy_from_slice(pid);
    suffix.get_mut(..5)?.copy_from_slice(b"/stat");
    let path = CStr::from_bytes_until_nul(&path).ok()?;
    let mut text = [0; 256];
    let length = with_file(proc, path, libc::O_RDONLY, |stat| raw::read(stat, &mut text)).ok()?;
    Stat::parse(text.get(..length)?)
}

fn parse_pid(digits: &[u8]) -> Option<Pid> {
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(Pid::from_raw(number))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn parse_looks_after_the_last_parenthesis() {
        let stat = Stat::parse(b"12 (a) R 1 (b)) S 7 12 12 0 -1").unwrap();
        let (start_ticks, cpu_ticks) = (None, None);
        assert_eq!(stat, Stat { state: b'S', parent: Pid::from_raw(7), threads: 1, start_ticks, cpu_ticks });
        let whole = Stat::parse(b"1 (a) Z 7 1 1 0 -1 4 5 6 7 8 9 10 11 12 20 0 3 0 777 5").unwrap();
        assert_eq!((whole.start_ticks, whole.threads, whole.has_ended()), (Some(777), 3, false));
        assert_eq!(whole.cpu_ticks, Some(9 + 10));
        assert_eq!(Stat::parse(b"12 (cut off"), None);
        assert_eq!(Stat::parse(b"12 (cut off) S"), None);
    }

    #[test]
    fn both_ways_find_a_child() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let (mut listed, mut scanned) = (Vec::new(), Vec::new());
        visit_own(&mut |pid| listed.push(pid)).unwrap();
        visit_scanning(Pid::this(), &mut |pid| scanned.push(pid)).unwrap();
        drop(child.stdin.take());
        child.wait().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        assert_eq!(listed, [pid]);
        assert!(scanned.contains(&pid), "{pid} is not among {scanned:?}");
    }

    #[test]
    fn a_pid_split_between_two_reads_is_one_pid() {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        let long = "4194303 ".repeat(400);
        nix::unistd::write(&writer, long.as_bytes()).unwrap();
        drop(writer);
        let mut seen = Vec::new();
        visit_list(reader.as_raw_fd(), &mut |pid| seen.push(pid.as_raw())).unwrap();
        assert_eq!(seen, [4_194_303; 400]);
    }
}
