//! The command line, as its users meet it.

#[path = "cli/check.rs"]
mod check;
#[path = "cli/inspect.rs"]
mod inspect;
#[path = "cli/interrupt.rs"]
mod interrupt;
#[path = "cli/support.rs"]
mod support;
#[path = "cli/usage.rs"]
mod usage;
