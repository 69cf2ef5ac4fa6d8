//! Predicates over what [`observe`](crate::observe) sees, for assertions that explain themselves.
//!
//! Each is a [`Claim`] about one kind of snapshot and a [`Predicate`](predicates::Predicate), so that those of the crate
//! `predicates` combine with it: `and`, `or`, `not`. A failed claim says what was found instead, as a product in the
//! tree of cases.
//!
//! ```
//! use daemonproof::observe::View;
//! use daemonproof::predicate::{explain, session_leader, zombie};
//! use nix::unistd::Pid;
//! use predicates::prelude::*;
//!
//! let view = View::of(Pid::this());
//! assert!(!zombie().eval(&view));
//! let claim = session_leader().and(zombie());
//! let case = claim.find_case(false, &view).expect("no zombie looks at itself");
//! println!("{}", explain(&case));
//! ```

mod claim;
mod explain;
mod named;
mod pidfile;
mod process;

pub use claim::{Claim, Finding};
pub use explain::explain;
pub use named::NamedProcess;
pub use pidfile::{locked_by, missing, mode, names};
pub use process::{alive, comm, cwd, session_leader, stdio_is_null, zombie};
