//! A small operating system in memory, and programs for it: what a search can be judged by.

pub(crate) mod exit;
pub(crate) mod files;
pub(crate) mod locks;
pub(crate) mod machine;
pub(crate) mod pipes;
pub(crate) mod place;
pub(crate) mod processes;
pub(crate) mod program;
pub(crate) mod state;
pub(crate) mod step;
