//! Opening a file to look at it, without effect on anyone.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use nix::fcntl::OFlag;
use nix::sys::stat::fstat;

use crate::sys::fds::own_inodes;
use crate::sys::getlk::may_be_locked_here;
use crate::sys::private_fds::with_private_fds;

/// A file, opened for reading if it is regular: opening a fifo may wake its writer, opening a
/// device may do anything.
pub(super) struct Opened {
    pub(super) metadata: Metadata,
    /// `None` if it is not regular.
    pub(super) file: Option<io::Result<File>>,
}

/// Calls `look` with the file at `path`, or with the error of following that.
///
/// Closing a file drops the POSIX locks that the process holds on it through any descriptor. So a file of which this
/// process has another descriptor, and perhaps a lock, is opened in a table of its own. Others are not, because that copies
/// all descriptors for a moment, and so delays what closing them should do.
///
/// # Errors
///
/// Such a table was needed but could not be had.
pub(super) fn look_at<T: Send>(path: &Path, look: fn(io::Result<Opened>) -> T) -> io::Result<T> {
    let apart = || with_private_fds((path, look), |(path, look)| look(open_path(path).and_then(open)));
    let named = match open_path(path) {
        Ok(named) if is_set_aside(&named) => return apart(),
        named => named,
    };
    match named.and_then(open) {
        Ok(Opened { file: Some(Ok(file)), .. })
            if may_be_locked_here(file.as_fd()) && has_other_descriptors_of(&file) =>
        {
            set_aside(file);
            apart()
        }
        opened => Ok(look(opened)),
    }
}

/// What was opened before it was known that it must not be closed; one of each file. That is asked afterwards because it takes
/// a descriptor to ask, and asking what all others lead to takes longer than all the rest.
static SET_ASIDE: Mutex<Vec<File>> = Mutex::new(Vec::new());

fn set_aside(file: File) {
    SET_ASIDE.lock().unwrap_or_else(PoisonError::into_inner).push(file);
}

fn is_set_aside(named: &File) -> bool {
    let files = SET_ASIDE.lock().unwrap_or_else(PoisonError::into_inner);
    let inode = |file: &File| fstat(file).map(|file| (file.st_dev, file.st_ino));
    !files.is_empty() && inode(named).is_ok_and(|named| files.iter().any(|file| inode(file) == Ok(named)))
}

/// Gets hold of a file without opening it. Closing such a descriptor drops no lock.
pub(super) fn open_path(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(OFlag::O_PATH.bits()).open(path)
}

fn open(named: File) -> io::Result<Opened> {
    let metadata = named.metadata()?;
    let file = metadata.is_file().then(|| reopen(&named));
    Ok(Opened { metadata, file })
}

/// Opens for reading exactly the file that `named` got hold of, whatever its name leads to now.
fn reopen(named: &File) -> io::Result<File> {
    // `/proc/self` is another table when the thread has its own.
    let path = format!("/proc/thread-self/fd/{}", named.as_raw_fd());
    // Without O_NONBLOCK a lease on the file could make it wait.
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)
}

/// Whether this process has a descriptor of the file besides this one, and so perhaps locks on it.
/// If that cannot be told, it has.
fn has_other_descriptors_of(file: &File) -> bool {
    let others = own_inodes().map(|found| found.filter(|(fd, _)| *fd != file.as_raw_fd()));
    match (others, fstat(file)) {
        (Ok(mut others), Ok(own)) => others.any(|(_, inode)| inode == (own.st_dev, own.st_ino)),
        _ => true,
    }
}
