//! The search through the orders in which several tasks can make their steps.
//!
//! A [`System`] is what is searched: tasks that make one step at a time, each with a [`Footprint`] of what it touched. A
//! [`Strategy`] decides who goes next: [`Exhaustive`] runs every order that could make a difference, [`Pct`] and
//! [`Random`] try some, [`Replay`] runs one that is given. [`execute`] runs one execution and hands back its [`Trace`].

mod decode;
pub(crate) mod drawing;
mod driver;
mod effect;
mod error;
mod exhaustive;
mod explain;
mod family;
mod files;
mod footprint;
mod judge;
mod kernel;
mod lab;
mod minimise;
mod operate;
mod operation;
mod order;
mod pct;
mod place;
mod race;
mod random;
mod replay;
pub mod request;
mod reversal;
mod scene;
pub mod schedule;
mod search;
mod strategy;
pub mod sweep;
mod system;
mod tree;
mod waiting;
mod words;

pub use error::ExploreError;
pub use exhaustive::{Exhaustive, Reduction};
pub use footprint::{Access, Footprint, Place};
pub use judge::FinalState;
pub use minimise::{Flip, fewest_switches, flips};
pub use order::Order;
pub use pct::Pct;
pub use race::{Exploration, Invariant, Race, RaceVerdict, explore};
pub use random::Random;
pub use replay::Replay;
pub use schedule::ScenarioKind as Scenario;
pub use search::{Failure, execute};
pub use strategy::{Divergence, Event, Strategy, Trace};
pub use system::{Choices, System, TaskId};
