//! What an operation touched, and which two operations may not change places.

use std::fmt::Debug;

/// Something that operations share: a name, the content of a file, a lock.
///
/// A place is named so that it is the same in each execution: a file by who created it, not by its number.
pub trait Place: Clone + Debug + Eq {
    /// Whether touching the one is touching the other. Two ranges of one file overlap, for instance.
    fn overlaps(&self, other: &Self) -> bool {
        self == other
    }

    /// What it is, for people.
    fn told(&self) -> String {
        format!("{self:?}")
    }
}

/// How an operation touched a place.
///
/// Two accesses of the same kind commute, unless they write. Two of different kinds do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Saw what is there, be it nothing, and left it.
    Read,
    /// Joined those that have it, as a shared lock does.
    Share,
    /// Changed it, or took it for itself.
    Write,
    /// Gave up its own part of it. Two that give up their parts do not see each other.
    Release,
}

impl Access {
    fn told(self) -> &'static str {
        match self {
            Access::Read => "looked at",
            Access::Share => "shared",
            Access::Write => "changed",
            Access::Release => "gave up",
        }
    }

    /// Whether the order of the two matters.
    #[must_use]
    pub fn conflicts(self, other: Self) -> bool {
        self != other || self == Self::Write
    }
}

/// The places that an operation touched, each with how.
///
/// The search relies on this: two operations of different tasks, executed one after the other, whose footprints do not
/// conflict, can be executed the other way round, have the same footprints then, and lead to the same state. What an
/// operation only looked at, in order to fail for instance, is therefore part of its footprint.
///
/// ```
/// use daemonproof::explore::{Footprint, Place};
///
/// #[derive(Clone, Debug, PartialEq, Eq)]
/// struct Name(&'static str);
/// impl Place for Name {}
///
/// let missed = Footprint::new().read(Name("d.pid"));
/// let created = Footprint::new().write(Name("d.pid"));
/// assert!(missed.conflicts(&created));
/// assert!(!missed.conflicts(&missed));
/// assert!(!created.conflicts(&Footprint::new().write(Name("d.log"))));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footprint<P> {
    places: Vec<(P, Access)>,
    everything: bool,
}

impl<P> Default for Footprint<P> {
    fn default() -> Self {
        Self { places: Vec::new(), everything: false }
    }
}

impl<P: Place> Footprint<P> {
    /// Nothing touched.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An operation of which it is not known what it touches: it conflicts with each that touches anything.
    #[must_use]
    pub fn everything() -> Self {
        Self { places: Vec::new(), everything: true }
    }

    /// With `place` read.
    #[must_use]
    pub fn read(self, place: P) -> Self {
        self.with(place, Access::Read)
    }

    /// With `place` shared.
    #[must_use]
    pub fn share(self, place: P) -> Self {
        self.with(place, Access::Share)
    }

    /// With `place` written.
    #[must_use]
    pub fn write(self, place: P) -> Self {
        self.with(place, Access::Write)
    }

    /// With its own part of `place` given up.
    #[must_use]
    pub fn release(self, place: P) -> Self {
        self.with(place, Access::Release)
    }

    fn with(mut self, place: P, access: Access) -> Self {
        self.add(place, access);
        self
    }

    /// Adds one access. One that is there already is not added again.
    pub fn add(&mut self, place: P, access: Access) {
        if !self.places.iter().any(|(there, how)| *how == access && *there == place) {
            self.places.push((place, access));
        }
    }

    /// Whether the order of two operations with these footprints matters.
    #[must_use]
    pub fn conflicts(&self, other: &Self) -> bool {
        if self.is_empty() || other.is_empty() {
            return false;
        }
        self.everything
            || other.everything
            || self.places.iter().any(|(place, access)| {
                other.places.iter().any(|(there, how)| access.conflicts(*how) && place.overlaps(there))
            })
    }

    /// Whether nothing was touched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty() && !self.everything
    }

    /// In words, what it did that `other` did not.
    pub(super) fn beyond(&self, other: &Self) -> String {
        let only = self.places.iter().filter(|place| !other.places.contains(place));
        let told: Vec<String> =
            only.map(|(place, access)| format!("{} {}", access.told(), place.told())).collect();
        match told.is_empty() {
            true if self.everything && !other.everything => "may have touched anything".to_owned(),
            true => "did nothing else".to_owned(),
            false => told.join(", "),
        }
    }

    /// The places touched, in the order in which they were added. None are named by [`Footprint::everything`].
    pub fn iter(&self) -> impl Iterator<Item = &(P, Access)> {
        self.places.iter()
    }
}
