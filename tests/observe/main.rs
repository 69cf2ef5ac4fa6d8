//! `observe` against real processes, descriptors and locks.
//!
//! Mirrors `src/observe`. Every child is a shell or `cat` that waits for the end of its standard input,
//! so it ends with the test process however that ends.

#[cfg(test)]
mod denied;
#[cfg(test)]
mod fds;
#[cfg(test)]
mod locks;
#[cfg(test)]
mod malformed;
#[cfg(test)]
mod paths;
#[cfg(test)]
mod pidfile;
#[cfg(test)]
mod process;
#[cfg(test)]
mod racing;
#[cfg(test)]
mod skipped;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tree;
