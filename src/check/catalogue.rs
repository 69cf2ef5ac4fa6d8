//! What is promised.

use super::checks;
use super::lab::Lab;
use super::outcome::Judgement;
use std::fmt;

/// One named promise, and how it is judged.
pub struct Check {
    /// `family.promise`.
    pub id: &'static str,
    /// The promise, as a sentence about the daemon.
    pub promise: &'static str,
    /// What goes wrong where it is broken.
    pub why: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// What is done and looked at.
    pub judged: &'static str,
    pub(super) judge: fn(&Lab<'_>) -> Judgement,
}

impl Check {
    /// The family: the part of the id before the dot.
    ///
    /// ```
    /// let check = daemonproof::check::find("pidfile.locked-by-daemon").unwrap();
    /// assert_eq!(check.family(), "pidfile");
    /// ```
    pub fn family(&self) -> &'static str {
        self.id
            .split_once('.')
            .map_or(self.id, |(family, _)| family)
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Check").field(&self.id).finish()
    }
}

/// Every check, family by family.
pub fn catalogue() -> impl Iterator<Item = &'static Check> {
    checks::FAMILIES.iter().copied().flatten()
}

/// The check with this id.
pub fn find(id: &str) -> Option<&'static Check> {
    catalogue().find(|check| check.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_are_unique_and_everything_is_explained() {
        let ids: BTreeSet<_> = catalogue().map(|check| check.id).collect();
        assert_eq!(ids.len(), catalogue().count());
        assert!(ids.len() >= 30, "{}", ids.len());
        for check in catalogue() {
            assert!(check.id.contains('.'), "{check:?}");
            for text in [check.promise, check.why, check.source, check.judged] {
                assert!(
                    !text.is_empty() && text.trim() == text,
                    "{check:?}: {text:?}"
                );
            }
        }
    }
}
