//! Facts about processes and files, as plain values read from `/proc` and by `fcntl`.
//!
//! A snapshot is immutable: it says what was so when it was taken, so a failed assertion can print
//! exactly what was judged. Nothing here waits, signals, locks, writes or deletes.
//!
//! * [`Process`]: parents, terminal, user, signals, limits;
//! * [`Descriptors`]: what a process holds open, and the locks on it;
//! * [`posix_write_locker`], [`locks_on`], [`lock_state`]: who locks a file;
//! * [`Pidfile`]: the file, its content and its locker;
//! * [`Tree`]: the processes below a process; [`Roles`]: which part each plays;
//! * [`History`]: the restarts of a daemon;
//! * [`Output`]: what a program printed;
//! * [`View`] and [`FileView`]: one look at a process or file, read as far as it is asked about.
//!
//! A process may end between two reads. That is a value, [`Observed::Gone`]. Another user's process
//! hides some facts; those are [`Fact::Denied`], or an [`ObserveError`] when the whole question is
//! refused.
//!
//! ```
//! use daemonproof::observe::{Descriptors, Process};
//! use nix::unistd::Pid;
//!
//! let me = Process::of(Pid::this())?.present().expect("this process is alive");
//! assert_eq!(me.ppid, Pid::parent());
//! assert!(!me.is_zombie());
//!
//! let fds = Descriptors::of(Pid::this())?.present().expect("this process is alive");
//! println!("{me}\n{fds}");
//! # Ok::<(), daemonproof::observe::ObserveError>(())
//! ```
//!
//! **Architecture Invariant:** every parser works on bytes and answers `None` or an error for what
//! it does not understand. Names in `/proc` are chosen by the observed program, which may be
//! hostile.

mod bytes;
mod error;
mod fds;
mod file_view;
mod history;
mod inode;
mod locks;
mod look;
mod observed;
mod output;
mod pidfile;
mod proc_dir;
mod process;
mod roles;
mod shown;
mod signals;
mod stat;
mod status;
mod tree;
mod view;
mod walk;

pub(crate) use shown::Shown;

pub use error::ObserveError;
pub use fds::{Access, Descriptor, Descriptors, Target};
pub use file_view::FileView;
pub use history::{Cause, Gap, History, Life};
pub use inode::{Device, Inode};
pub use locks::{
    HeldLock, Lock, LockKind, LockMode, LockRange, LockState, Locker, lock_state, locks_on,
    posix_write_locker, posix_write_locker_of,
};
pub use observed::{Fact, Observed};
pub use output::Output;
pub use pidfile::{FileFacts, FileKind, Pidfile, PidfileContent};
pub(crate) use proc_dir::read_short;
pub use process::{Capabilities, Ids, Limit, Process, Signals};
pub use roles::{Role, Roles};
pub use signals::SignalSet;
pub use stat::State;
pub(crate) use stat::{Stat, from_ticks};
pub use tree::{Node, Tree};
pub use view::View;
