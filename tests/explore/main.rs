//! Tests of the explorer.

#![allow(clippy::unwrap_used, reason = "the models and the generator are tests too, if not marked as such")]

mod generator;
mod protocol;
mod reduced;
mod soundness;
mod strategies;
mod toy;
mod unreduced;
mod workers;
