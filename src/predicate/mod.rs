//! Predicates over what [`observe`](crate::observe) sees, for assertions that explain themselves.
//!
//! Each is a [`Claim`] about one kind of snapshot and a [`Predicate`](predicates::Predicate), so that those of the crate
//! `predicates` combine with it: `and`, `or`. A failed one says what was found instead; [`explain`] renders that.
//!
//! | about | in a | claims |
//! |---|---|---|
//! | life | [`View`] | [`alive`], [`ended`], [`gone`], [`zombie`] |
//! | session, family | [`View`] | [`session_leader`], [`not_session_leader`], [`no_terminal`], [`child_of`], [`not_child_of`] |
//! | process | [`View`] | [`cwd`], [`umask`], [`comm`], [`title`], [`single_threaded`], [`core_limit`] |
//! | user | [`View`] | [`uid`], [`gid`], [`groups`], [`capabilities`], [`no_capabilities`] |
//! | signals | [`View`] | [`blocks`], [`blocks_nothing`], [`ignores`], [`catches`], [`default_action`] |
//! | standard streams | [`View`] | [`stdio_is_null`], [`stdin_is`], [`stdout_is`], [`stderr_is`] |
//! | descriptors | [`View`] | [`no_leaks_against`], [`no_other_fds_than`], [`at_most_fds`], [`close_on_exec`], [`no_fd_of`], [`no_fd_of_inode`], [`no_pipe`], [`no_socket`] |
//! | pidfile | [`FileView`] | [`missing`], [`exists`], [`names`], [`names_running`], [`owned`], [`stale`], [`well_formed`], [`only_a_pid`], [`ends_with_newline`] |
//! | file | [`FileView`] | [`mode`], [`owner`], [`owner_group`], [`regular`] |
//! | locks | [`FileView`] | [`locked`], [`locked_by`], [`locked_with`], [`locked_exclusively`], [`unlocked`], [`nobody_waits`] |
//! | tree | [`Roles`] | [`roles`], [`one_process`], [`no_processes`], [`no_zombies`], [`one_session`] |
//! | restarts | [`History`] | [`restarts`], [`restarts_at_least`], [`restarts_at_most`], [`intervals_at_least`], [`intervals_at_most`], [`restart_cause`], [`lock_survives`] |
//! | output | [`Output`] | [`stdout`], [`stderr`] |
//!
//! A claim about something that is not there, such as the session of a process that is gone, does not hold, and nor does
//! its [`not`](Claim::not): a daemon that died must not pass for one that behaves.
//!
//! ```
//! use daemonproof::observe::View;
//! use daemonproof::predicate::*;
//! use nix::unistd::Pid;
//! use predicates::prelude::*;
//!
//! let detached = session_leader().and(no_terminal()).and(cwd("/nonexistent"));
//! let case = detached.find_case(false, &View::of(Pid::this())).expect("that is nobody's directory");
//! println!("{}", explain(&case));
//! ```
//!
//! [`View`]: crate::observe::View
//! [`FileView`]: crate::observe::FileView
//! [`Roles`]: crate::observe::Roles
//! [`History`]: crate::observe::History
//! [`Output`]: crate::observe::Output

mod claim;
mod credentials;
mod descriptors;
mod explain;
mod history;
mod lock;
mod named;
mod output;
mod pidfile;
mod printable;
mod process;
mod signals;
mod subject;
mod text;
mod tree;

pub use claim::{Claim, Finding};
pub use credentials::{capabilities, gid, groups, no_capabilities, uid};
pub use descriptors::{
    at_most_fds, close_on_exec, no_fd_of, no_fd_of_inode, no_leaks_against, no_other_fds_than, no_pipe,
    no_socket, stderr_is, stdin_is, stdio_is_null, stdout_is,
};
pub use explain::explain;
pub use history::{
    intervals_at_least, intervals_at_most, lock_survives, restart_cause, restarts, restarts_at_least,
    restarts_at_most,
};
pub use lock::{locked, locked_by, locked_exclusively, locked_with, nobody_waits, unlocked};
pub use named::NamedProcess;
pub use output::{stderr, stdout};
pub use pidfile::{
    ends_with_newline, exists, missing, mode, names, names_running, only_a_pid, owned, owner, owner_group,
    regular, stale, well_formed,
};
pub use process::{
    alive, child_of, comm, cwd, ended, gone, no_terminal, not_child_of, not_session_leader, session_leader,
    single_threaded, title, umask, zombie,
};
pub use signals::{blocks, blocks_nothing, catches, core_limit, default_action, ignores};
pub use tree::{no_processes, no_zombies, one_process, one_session, roles};
