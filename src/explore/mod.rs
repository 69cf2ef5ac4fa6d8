//! The search through the orders in which several tasks can make their steps.
//!
//! A [`System`] is what is searched: tasks that make one step at a time, each with a [`Footprint`] of what it touched. A
//! [`Strategy`] decides who goes next: [`Exhaustive`] runs every order that could make a difference, [`Pct`] and
//! [`Random`] try some, [`Replay`] runs one that is given. [`execute`] runs one execution and hands back its [`Trace`].

mod exhaustive;
mod footprint;
mod minimise;
mod order;
mod pct;
mod random;
mod replay;
pub mod request;
mod reversal;
pub mod schedule;
mod search;
mod strategy;
mod system;
mod tree;

pub use exhaustive::{Exhaustive, Reduction};
pub use footprint::{Access, Footprint, Place};
pub use minimise::{Flip, fewest_switches, flips};
pub use order::Order;
pub use pct::Pct;
pub use random::Random;
pub use replay::Replay;
pub use search::{Failure, execute};
pub use strategy::{Divergence, Event, Strategy, Trace};
pub use system::{Choices, System, TaskId};
