//! The pidfile as Open vSwitch creates it: `make_pidfile` and `read_pidfile__` of `lib/daemon-unix.c`.

use super::behaviour::{LibraryArgs, die_by, pidfile_path};
use super::names::{Helper, Outcome};
use crate::sys::lock::range;
use clap::Parser;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::libc::{F_UNLCK, F_WRLCK};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::stat::{Mode, fstat, stat};
use nix::unistd::{ftruncate, getpid, read, unlink, write};
use std::error::Error;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// A daemon that creates its pidfile in the steps of Open vSwitch's protocol, exactly, holes included.
///
/// All contenders open and lock FILE.tmp, delete a stale FILE, and rename FILE.tmp to FILE; whoever exits
/// deletes FILE by name. Nobody checks that the name still leads to the locked file.
#[derive(Debug, Parser)]
#[command(name = "published-protocol")]
pub(super) struct Args {
    #[command(flatten)]
    library: LibraryArgs,
}

impl Helper for Args {
    fn run(self) -> Outcome {
        let pidfile = pidfile_path(self.library.daemon.pidfile.as_ref(), "published-protocol");
        let overwrite = self.library.daemon.overwrite_pidfile;
        // Open vSwitch only notes these signals and acts on them once it has started.
        let fatal: SigSet =
            [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGALRM].into_iter().collect();
        let startup = self.library.start_before_pidfile("published-protocol")?;
        fatal.thread_block()?;
        let locked = pidfile.as_deref().map(|path| make_pidfile(path, overwrite)).transpose()?;
        startup.complete()?;
        let signal = fatal.wait()?;
        if let Some(path) = &pidfile {
            let _ = unlink(path);
        }
        drop(locked);
        die_by(signal)
    }
}

/// Returns the descriptor that holds the lock.
fn make_pidfile(pidfile: &Path, overwrite: bool) -> Result<OwnedFd, Box<dyn Error>> {
    let temporary =
        with_ending(pidfile, &if overwrite { format!(".tmp{}", getpid()) } else { ".tmp".into() });
    let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_APPEND;
    let file = open(&temporary, flags, Mode::from_bits_truncate(0o666))
        .map_err(|errno| failed(&temporary, "create failed", errno))?;
    lock(&file).map_err(|errno| failed(&temporary, "fcntl(F_SETLK) failed", errno))?;
    if !overwrite && let Err(refusal) = check_already_running(pidfile) {
        // From here on the temporary file would be deleted by the exit handler.
        let _ = unlink(&temporary);
        return Err(refusal);
    }
    let step = |what: &'static str| {
        let temporary = temporary.clone();
        move |errno| failed(&temporary, what, errno)
    };
    fstat(&file).map_err(step("fstat failed"))?;
    ftruncate(&file, 0).map_err(step("truncate failed"))?;
    write(&file, format!("{}\n", getpid()).as_bytes()).map_err(step("write failed"))?;
    fs::rename(&temporary, pidfile).map_err(|error| {
        format!("failed to rename {} to {}: {error}", temporary.display(), pidfile.display())
    })?;
    Ok(file)
}

fn check_already_running(pidfile: &Path) -> Result<(), Box<dyn Error>> {
    let refused = |errno| failed(pidfile, "pidfile check failed", errno);
    let file = match open(pidfile, OFlag::O_RDWR, Mode::empty()) {
        Err(Errno::ENOENT) => return Ok(()),
        other => other.map_err(refused)?,
    };
    let mut query = range(F_WRLCK, 0, 0);
    fcntl(&file, FcntlArg::F_GETLK(&mut query)).map_err(refused)?;
    if i32::from(query.l_type) == F_UNLCK {
        return delete_stale(pidfile, &file).map_err(refused);
    }
    let mut content = [0; 128];
    let length = read(&file, &mut content).map_err(refused)?;
    let text = String::from_utf8_lossy(&content[..length]);
    match text.trim_end().parse() == Ok(query.l_pid) {
        true => {
            Err(format!("{}: already running as pid {}, aborting", pidfile.display(), query.l_pid).into())
        }
        false => Err(refused(Errno::ESRCH)),
    }
}

/// The dance around the stale pidfile, which is right: only who has it locked may delete it.
fn delete_stale(pidfile: &Path, file: &OwnedFd) -> Result<(), Errno> {
    lock(file)?;
    let (named, opened) = (stat(pidfile)?, fstat(file)?);
    if (named.st_dev, named.st_ino) != (opened.st_dev, opened.st_ino) {
        return Err(Errno::EALREADY);
    }
    unlink(pidfile)
}

fn lock(file: &OwnedFd) -> Result<(), Errno> {
    fcntl(file, FcntlArg::F_SETLK(&range(F_WRLCK, 0, 0))).map(drop)
}

fn failed(path: &Path, what: &str, errno: Errno) -> Box<dyn Error> {
    format!("{}: {what} ({}), aborting", path.display(), errno.desc()).into()
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
