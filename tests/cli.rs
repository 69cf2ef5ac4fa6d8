//! The command line, as its users meet it.

// What the tests share may panic as they may.
#![allow(clippy::expect_used, clippy::unwrap_used)]

#[path = "cli/check.rs"]
mod check;
#[path = "cli/inspect.rs"]
mod inspect;
#[path = "cli/interrupt.rs"]
mod interrupt;
#[path = "cli/show.rs"]
mod show;
#[path = "cli/support.rs"]
mod support;
#[path = "cli/sweep.rs"]
mod sweep;
#[path = "cli/usage.rs"]
mod usage;
