//! Which checks are meant.

use super::exit::Failure;
use crate::check::{Check, catalogue};

/// How alike two words must be for one to be a slip of the other; `clap` asks for as much.
const ALIKE: f64 = 0.7;
const MOST_SUGGESTIONS: usize = 4;

/// The checks that `only` names, or all, without those that `skip` names.
pub(super) fn select(only: &[String], skip: &[String]) -> Result<Vec<&'static Check>, Failure> {
    only.iter().chain(skip).try_for_each(|word| named(word).map(drop))?;
    let is_in = |words: &[String], check: &Check| words.iter().any(|word| is_named(word, check));
    let chosen: Vec<_> = catalogue()
        .filter(|check| only.is_empty() || is_in(only, check))
        .filter(|check| !is_in(skip, check))
        .collect();
    match chosen.is_empty() {
        true => Err(Failure::Usage("--only and --skip leave no check".to_owned())),
        false => Ok(chosen),
    }
}

/// The check of this id, or all of the family of this name.
pub(super) fn named(word: &str) -> Result<Vec<&'static Check>, Failure> {
    let checks: Vec<_> = catalogue().filter(|check| is_named(word, check)).collect();
    match checks.is_empty() {
        true => Err(Failure::Usage(unknown(word))),
        false => Ok(checks),
    }
}

fn is_named(word: &str, check: &Check) -> bool {
    check.id == word || check.family() == word
}

fn unknown(word: &str) -> String {
    let mut names: Vec<_> = catalogue().flat_map(|check| [check.family(), check.id]).collect();
    names.sort_unstable();
    names.dedup();
    let near = near(word, &names).join(", ");
    match near.is_empty() {
        true => format!("no check or family {word:?}; --list names them all"),
        false => format!("no check or family {word:?}; similar are {near}"),
    }
}

/// Those of `names` that `word` may mean, the likeliest first.
fn near<'a>(word: &str, names: &[&'a str]) -> Vec<&'a str> {
    let mut scored: Vec<_> = names.iter().map(|name| (likeness(word, name), *name)).collect();
    scored.retain(|(score, _)| *score > ALIKE);
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.into_iter().map(|(_, name)| name).take(MOST_SUGGESTIONS).collect()
}

/// Of the whole name, or of its part after the dot, which is what people remember.
fn likeness(word: &str, name: &str) -> f64 {
    let promise = name.split_once('.').map_or(name, |(_, promise)| promise);
    let part = strsim::jaro(word, promise).min(0.99);
    let within = if word.len() > 2 && name.contains(word) { 0.9 } else { 0.0 };
    strsim::jaro(word, name).max(part).max(within)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised() {
        let names = ["detach", "detach.new-session", "pidfile", "pidfile.locked-by-daemon"];
        assert_eq!(near("pidfile.locked-by-deamon", &names)[0], "pidfile.locked-by-daemon");
        assert_eq!(near("new-session", &names)[0], "detach.new-session");
        assert_eq!(near("session", &names)[0], "detach.new-session");
        assert_eq!(near("pidfil", &names)[0], "pidfile");
        assert_eq!(near("xyzzy", &names), [""; 0]);
    }

    #[test]
    fn a_family_is_all_of_it() {
        let family = named("pidfile").unwrap();
        assert!(family.len() > 1 && family.iter().all(|check| check.family() == "pidfile"));
        let one = family[0].id.to_owned();
        let left = select(&["pidfile".to_owned()], std::slice::from_ref(&one)).unwrap();
        assert_eq!(left.len() + 1, family.len());
        assert_eq!(select(&[], &[]).unwrap().len(), catalogue().count());
        assert!(select(std::slice::from_ref(&one), std::slice::from_ref(&one)).is_err());
        assert!(select(&[], &["pidfle".to_owned()]).is_err());
    }
}
