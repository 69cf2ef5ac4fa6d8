//! Why a predicate holds or not, for people.

use predicates::reflection::Case;
use predicates_tree::CaseTreeExt;

/// The case as a tree: the predicate, its parts, and what each of them found.
pub fn explain(case: &Case<'_>) -> String {
    case.tree().to_string()
}
