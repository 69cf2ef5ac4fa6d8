//! The `daemonproof` command: the only part that prints and decides an exit status.
//!
//! [`main`] is all there is to call. What is told goes through plain values of `report`, which are printed here.

mod args;
mod check;
mod command;
mod exit;
mod explain;
mod guard;
mod inspect;
mod interrupt;
mod locks;
mod output;
mod process;
mod profiles;
mod program;
mod progress;
mod race;
mod race_args;
mod race_progress;
mod replay;
mod select;
mod show;
mod sweep;
mod sweep_args;

pub use command::main;
