//! What the operations of the toy touch.

use daemonproof::explore::{Footprint, Place};

/// Something that was created, named by who created it and at which of its creations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Born {
    pub(crate) task: u8,
    pub(crate) nth: u8,
}

/// The creator of what is there from the beginning.
pub(crate) const NOBODY: u8 = u8::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockKind {
    Posix,
    Flock,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum End {
    Read,
    Write,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spot {
    Name(u8),
    Content(Born),
    Lock {
        file: Born,
        kind: LockKind,
        first: u8,
        last: u8,
    },
    /// How many descriptors lead to an open file description that processes share.
    Description(Born),
    Data(Born),
    End(Born, End),
    Process(u8),
    Signals(u8),
    Children(u8),
}

pub(crate) type Touched = Footprint<Spot>;

impl Place for Spot {
    fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Lock { file, kind, first, last },
                Self::Lock { file: their_file, kind: their_kind, first: their_first, last: their_last },
            ) => file == their_file && kind == their_kind && first <= their_last && their_first <= last,
            _ => self == other,
        }
    }
}
