//! The file in which a daemon says its pid.

use std::fmt;
use std::fs::{self, File, FileType, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::time::SystemTime;

use nix::errno::Errno;
use nix::unistd::Pid;

use super::bytes::number;
use super::look::{Opened, look_at};
use super::shown::Shown;
use super::{Inode, Locker, posix_write_locker_of};

/// Facts about a pidfile, to be judged by others.
///
/// Taking it never blocks, deletes or writes, wakes nobody who waits at a fifo, and drops none of
/// the locks that this process may hold on the file.
///
/// ```
/// use daemonproof::observe::{Pidfile, PidfileContent};
///
/// let pidfile = Pidfile::at("/nonexistent/d.pid");
/// assert_eq!(pidfile.content, PidfileContent::Missing);
/// assert_eq!(pidfile.to_string(), "/nonexistent/d.pid: missing");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pidfile {
    /// The name that was looked at.
    pub path: PathBuf,
    /// If the name is a symbolic link, where that leads. It is followed for all that is below.
    pub symlink: Option<PathBuf>,
    /// What is in the file.
    pub content: PidfileContent,
    /// The file itself; `None` if there is none or it cannot be reached.
    pub file: Option<FileFacts>,
    /// Who holds a POSIX or OFD write lock on it, as
    /// [`posix_write_locker`](super::posix_write_locker) tells. `None` also if the file is not
    /// regular or not readable. Of other locks [`lock_state`](super::lock_state) tells.
    pub locker: Option<Locker>,
}

/// What is in a pidfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PidfileContent {
    /// There is no such file, or it is a symbolic link to none.
    Missing,
    /// It could not be opened or read.
    Unreadable(Errno),
    /// It is no regular file, and so was not opened.
    NotRegular(FileKind),
    /// Not one byte.
    Empty,
    /// The first line is a pid, in plain decimal digits.
    Pid {
        /// That pid.
        pid: Pid,
        /// Whether a line feed ends the line.
        newline: bool,
        /// What follows that, up to a limit of some KiB: PostgreSQL writes more lines.
        rest: Vec<u8>,
    },
    /// Anything else: the bytes, up to a limit of some KiB.
    Malformed(Vec<u8>),
}

/// What kind of file stands where a regular one should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// A directory.
    Directory,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character or block device.
    Device,
}

/// Facts about a file, as `stat` tells them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileFacts {
    /// Permission bits, with set-user-ID, set-group-ID and sticky.
    pub mode: u32,
    /// The owner's user.
    pub uid: u32,
    /// The owner's group.
    pub gid: u32,
    /// The size in bytes.
    pub size: u64,
    /// When the content was last changed; `None` if that is beyond what the system can tell.
    pub mtime: Option<SystemTime>,
    /// Which file it is.
    pub inode: Inode,
}

/// More than any pidfile has: PostgreSQL's holds a few paths.
const MOST_BYTES: u64 = 16 * 1024;

impl Pidfile {
    /// Takes a snapshot of the file at `path`. Whatever is there, or is not, is a value.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let symlink = fs::read_link(&path).ok();
        let (content, file, locker) =
            look_at(&path, look).unwrap_or_else(|error| (unreadable(&error), None, None));
        Self { path, symlink, content, file, locker }
    }

    /// The pid in it, if it is well-formed.
    pub fn pid(&self) -> Option<Pid> {
        match self.content {
            PidfileContent::Pid { pid, .. } => Some(pid),
            _ => None,
        }
    }

    /// Whether there is no such file.
    pub fn is_missing(&self) -> bool {
        self.content == PidfileContent::Missing
    }

    /// The process that holds the write lock, if the kernel names one.
    pub fn locker_pid(&self) -> Option<Pid> {
        self.locker.and_then(Locker::pid)
    }
}

type Seen = (PidfileContent, Option<FileFacts>, Option<Locker>);

fn look(opened: io::Result<Opened>) -> Seen {
    let Opened { metadata, file } = match opened {
        Ok(opened) => opened,
        Err(error) => return (unreadable(&error), None, None),
    };
    let facts = FileFacts::of(&metadata);
    match file {
        Some(Ok(file)) => read(&file, facts),
        // It is there, so ENOENT is about `/proc`, through which it is opened.
        Some(Err(error)) => (PidfileContent::Unreadable(errno(&error)), Some(facts), None),
        None => {
            let kind = FileKind::of(metadata.file_type());
            (PidfileContent::NotRegular(kind), Some(facts), None)
        }
    }
}

fn read(file: &File, facts: FileFacts) -> Seen {
    let mut bytes = Vec::new();
    let content = match file.take(MOST_BYTES).read_to_end(&mut bytes) {
        Ok(_) => PidfileContent::parse(&bytes),
        Err(error) => unreadable(&error),
    };
    // Once more after reading, so that the size is not older than the content.
    let facts = file.metadata().as_ref().map_or(facts, FileFacts::of);
    (content, Some(facts), posix_write_locker_of(file).ok().flatten())
}

fn unreadable(error: &io::Error) -> PidfileContent {
    match errno(error) {
        Errno::ENOENT => PidfileContent::Missing,
        errno => PidfileContent::Unreadable(errno),
    }
}

/// Of errors without a number, the one that happens is a name with a zero byte.
fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EINVAL, Errno::from_raw)
}

impl PidfileContent {
    /// Judges the bytes of a file: the first line must be a positive pid in decimal digits and
    /// nothing else.
    ///
    /// ```
    /// use daemonproof::observe::PidfileContent;
    /// use nix::unistd::Pid;
    ///
    /// let pid = Pid::from_raw(812);
    /// assert_eq!(PidfileContent::parse(b"812\n"), PidfileContent::Pid { pid, newline: true, rest: vec![] });
    /// assert_eq!(PidfileContent::parse(b" 812\n"), PidfileContent::Malformed(b" 812\n".to_vec()));
    /// ```
    pub fn parse(bytes: &[u8]) -> Self {
        let mut parts = bytes.splitn(2, |&byte| byte == b'\n');
        let first = parts.next().unwrap_or_default();
        let rest = parts.next();
        match number(first).filter(|pid| *pid > 0 && first[0] != b'0') {
            Some(pid) => Self::Pid {
                pid: Pid::from_raw(pid),
                newline: rest.is_some(),
                rest: rest.unwrap_or_default().to_vec(),
            },
            None if bytes.is_empty() => Self::Empty,
            None => Self::Malformed(bytes.to_vec()),
        }
    }
}

impl FileKind {
    fn of(kind: FileType) -> Self {
        if kind.is_dir() {
            Self::Directory
        } else if kind.is_fifo() {
            Self::Fifo
        } else if kind.is_socket() {
            Self::Socket
        } else {
            Self::Device
        }
    }
}

impl FileFacts {
    fn of(metadata: &Metadata) -> Self {
        Self {
            mode: metadata.permissions().mode() & 0o7777,
            uid: metadata.uid(),
            gid: metadata.gid(),
            size: metadata.size(),
            mtime: metadata.modified().ok(),
            inode: Inode::of(metadata),
        }
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Directory => "a directory",
            Self::Fifo => "a fifo",
            Self::Socket => "a socket",
            Self::Device => "a device",
        })
    }
}

impl fmt::Display for PidfileContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("missing"),
            Self::Unreadable(errno) => write!(f, "unreadable ({})", errno.desc()),
            Self::NotRegular(kind) => write!(f, "{kind}"),
            Self::Empty => f.write_str("empty"),
            Self::Pid { pid, newline, rest } => {
                let newline = if *newline { "" } else { " without a line feed" };
                let more = if rest.is_empty() { "" } else { " and more lines" };
                write!(f, "pid {pid}{newline}{more}")
            }
            Self::Malformed(bytes) => {
                let shown = &bytes[..bytes.len().min(40)];
                let more = if shown.len() < bytes.len() { "…" } else { "" };
                write!(f, "malformed \"{}{more}\"", shown.escape_ascii())
            }
        }
    }
}

/// `/run/d.pid: pid 812, mode 0644, owner 0:0, 4 bytes, write-locked by pid 812`.
impl fmt::Display for Pidfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Shown::new(&self.path))?;
        if let Some(target) = &self.symlink {
            write!(f, " -> {}", Shown::new(target))?;
        }
        write!(f, ": {}", self.content)?;
        let Some(FileFacts { mode, uid, gid, size, .. }) = self.file else {
            return Ok(());
        };
        write!(f, ", mode {mode:04o}, owner {uid}:{gid}, {size} byte{}", if size == 1 { "" } else { "s" })?;
        match (&self.locker, &self.content) {
            (Some(locker), _) => write!(f, ", write-locked by {locker}"),
            (None, PidfileContent::Unreadable(_) | PidfileContent::NotRegular(_)) => Ok(()),
            (None, _) => f.write_str(", not write-locked"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::bytes::tests::noise;

    fn pid(pid: i32, newline: bool, rest: &[u8]) -> PidfileContent {
        PidfileContent::Pid { pid: Pid::from_raw(pid), newline, rest: rest.to_vec() }
    }

    #[test]
    fn a_pid_is_the_whole_first_line() {
        assert_eq!(PidfileContent::parse(b"812\n"), pid(812, true, b""));
        assert_eq!(PidfileContent::parse(b"812"), pid(812, false, b""));
        assert_eq!(PidfileContent::parse(b"1\n/data\n\xff\n"), pid(1, true, b"/data\n\xff\n"));
        assert_eq!(PidfileContent::parse(b"2147483647\n\n"), pid(i32::MAX, true, b"\n"));
        assert_eq!(PidfileContent::parse(b""), PidfileContent::Empty);
    }

    /// What people and half-written files have put in pidfiles.
    const MALFORMED: &[&[u8]] = &[
        b"\n",
        b"\n812\n",
        b" 812\n",
        b"812 \n",
        b"\t812\n",
        b"812\t\n",
        b"812\r\n",
        b"\r\n",
        b"+812\n",
        b"-812\n",
        b"-1",
        b"0\n",
        b"0",
        b"00\n",
        b"-0\n",
        b"0812\n",
        b"2147483648\n",
        b"4294967296\n",
        b"99999999999999999999999999\n",
        b"-2147483648\n",
        b"0x32c\n",
        b"0b1\n",
        b"8e2\n",
        b"812.0\n",
        b"8_12\n",
        b"8,12\n",
        b"812 813\n",
        b"812;\n",
        b"pid 812\n",
        b"pid: 812\n",
        b"812\0",
        b"\0",
        b"812\0\n",
        b"\0812\n",
        b"\xef\xbb\xbf812\n",
        b"\xff\xfe8\x001\x00",
        b"\xd9\xa1\xd9\xa2\n",
        b"{\"pid\":812}\n",
        b"\"812\"\n",
        b"#812\n",
        b"x\n812\n",
        b"\x0b812",
        b"\x0c812",
        b"(812)\n",
        b"$$\n",
        b"$(cat)\n",
        b"nan\n",
        b"inf\n",
        b"true\n",
        b" \n",
        b" ",
    ];

    #[test]
    fn everything_else_is_malformed() {
        let each_byte = || (0..=u8::MAX).filter(|byte| !byte.is_ascii_digit() && *byte != b'\n');
        let before = each_byte().map(|byte| vec![byte, b'8', b'1']);
        let within = each_byte().map(|byte| vec![b'8', byte, b'1', b'\n']);
        let behind = each_byte().map(|byte| vec![b'8', b'1', byte]);
        let listed = MALFORMED.iter().map(|bytes| bytes.to_vec());
        for bytes in before.chain(within).chain(behind).chain(listed) {
            assert_eq!(
                PidfileContent::parse(&bytes),
                PidfileContent::Malformed(bytes.clone()),
                "{}",
                bytes.escape_ascii()
            );
        }
    }

    #[test]
    fn any_bytes_are_a_value_and_can_be_shown() {
        for bytes in noise(20_000) {
            let content = PidfileContent::parse(&bytes);
            assert!(!content.to_string().contains(['\n', '\0', '\x1b']));
        }
    }

    #[test]
    fn what_was_found_is_told_in_words() {
        assert_eq!(PidfileContent::parse(b"812\n").to_string(), "pid 812");
        assert_eq!(PidfileContent::parse(b"812").to_string(), "pid 812 without a line feed");
        assert_eq!(PidfileContent::parse(b"812\nx\n").to_string(), "pid 812 and more lines");
        assert_eq!(PidfileContent::parse(b"-1\n").to_string(), "malformed \"-1\\n\"");
        assert_eq!(
            PidfileContent::parse(&[b'x'; 41]).to_string(),
            format!("malformed \"{}…\"", "x".repeat(40))
        );
        assert_eq!(PidfileContent::Unreadable(Errno::EACCES).to_string(), "unreadable (Permission denied)");
        assert_eq!(PidfileContent::NotRegular(FileKind::Fifo).to_string(), "a fifo");
    }
}
