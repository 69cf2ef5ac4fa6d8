//! The standard descriptors: open at the start, let go at the end.

use super::error::Error;
use crate::sys::fds::{inherited, redirect};
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout};
use std::env;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

const NULL: &str = "/dev/null";

/// One of the three standard descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StandardFd {
    /// 0.
    Input,
    /// 1.
    Output,
    /// 2.
    Error,
}

const ALL: [StandardFd; 3] = [StandardFd::Input, StandardFd::Output, StandardFd::Error];

/// Where the standard descriptors of a detached process lead in the end.
#[derive(Debug, Clone, Default)]
pub(super) struct StdioOptions {
    saved: [bool; 3],
    stdout: Option<PathBuf>,
    stderr: Option<PathBuf>,
}

impl StdioOptions {
    pub(super) fn save(&mut self, fd: StandardFd) {
        self.saved[fd as usize] = true;
    }

    pub(super) fn set_stdout(&mut self, path: PathBuf) {
        self.stdout = Some(path);
    }

    pub(super) fn set_stderr(&mut self, path: PathBuf) {
        self.stderr = Some(path);
    }

    /// Opens what the descriptors will lead to, so that errors are reported while somebody listens.
    pub(super) fn prepare(&self) -> Result<Stdio, Error> {
        Ok(Stdio {
            saved: self.saved,
            null: open_null()?,
            stdout: self.stdout.as_deref().map(open_log).transpose()?,
            stderr: self.stderr.as_deref().map(open_log).transpose()?,
        })
    }
}

/// The opened targets of the standard descriptors.
#[derive(Debug)]
pub(super) struct Stdio {
    saved: [bool; 3],
    null: OwnedFd,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
}

impl Stdio {
    /// Points the standard descriptors at their targets; descriptors that are saved stay as they are.
    pub(super) fn redirect(&self) -> Result<(), Error> {
        for standard in ALL {
            let target = match standard {
                StandardFd::Output => self.stdout.as_ref(),
                StandardFd::Error => self.stderr.as_ref(),
                StandardFd::Input => None,
            };
            match target {
                Some(file) => duplicate(file, standard)?,
                None if self.saved[standard as usize] => {}
                None => duplicate(&self.null, standard)?,
            }
        }
        Ok(())
    }
}

/// Opens `/dev/null` for each standard descriptor that is closed. Otherwise the next file that the process
/// opens (its pidfile, say) would become its standard error, and a stray message would end up in it.
pub(super) fn ensure_open() -> Result<(), Error> {
    loop {
        let null = open_null()?;
        if null.as_raw_fd() > 2 {
            return Ok(());
        }
        let standard = ALL[null.as_raw_fd() as usize];
        // Duplicating a descriptor onto itself would keep its close-on-exec flag: reopen without it.
        drop(null);
        let plain = open(NULL, OFlag::O_RDWR, Mode::empty()).map_err(Error::file("open", Path::new(NULL)))?;
        debug_assert_eq!(plain.as_raw_fd(), standard as i32);
        std::mem::forget(plain);
    }
}

/// Leads every descriptor that the program inherited, beyond the standard ones, to `/dev/null`: a pipe or a
/// terminal would otherwise stay open for as long as the daemon lives. Sockets that a service manager passed
/// (sd_listen_fds(3)) are kept.
pub(super) fn release_inherited() -> Result<(), Error> {
    let null = open_null()?;
    let passed: i32 = env::var("LISTEN_FDS").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let passed = 3..3_i32.saturating_add(passed);
    // Without /proc nobody can say which they are.
    for fd in inherited().unwrap_or_default() {
        if !passed.contains(&fd) {
            redirect(fd, &null).map_err(Error::system("let go of an inherited descriptor"))?;
        }
    }
    Ok(())
}

fn duplicate(target: &OwnedFd, standard: StandardFd) -> Result<(), Error> {
    match standard {
        StandardFd::Input => dup2_stdin(target),
        StandardFd::Output => dup2_stdout(target),
        StandardFd::Error => dup2_stderr(target),
    }
    .map_err(Error::system("redirect a standard descriptor"))
}

fn open_null() -> Result<OwnedFd, Error> {
    open(NULL, OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty()).map_err(Error::file("open", Path::new(NULL)))
}

fn open_log(path: &Path) -> Result<OwnedFd, Error> {
    let flags = OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CREAT | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
    open(path, flags, Mode::from_bits_truncate(0o644)).map_err(Error::file("open", path))
}
