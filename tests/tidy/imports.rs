//! Imports go one way: which part of `src` may name which other.

use crate::lexer::{Token, closing, follows};
use crate::source::{Problem, Source};

/// Each part, and all that it may import. A part that is not here may not exist.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("sys", &[]),
    ("report", &[]),
    // Documentation only.
    ("guide", &[]),
    ("daemon", &["sys"]),
    ("helper", &["daemon", "sys"]),
    ("observe", &["sys"]),
    ("predicate", &["observe"]),
    ("trace", &["sys"]),
    ("fixture", &["helper", "observe", "predicate", "sys", "trace"]),
    ("explore", &["fixture", "observe", "report", "sys", "trace"]),
    ("sweep", &["explore", "fixture", "trace"]),
    ("check", &["explore", "fixture", "observe", "predicate", "sweep"]),
    (
        "cli",
        &[
            "check",
            "daemon",
            "explore",
            "fixture",
            "helper",
            "observe",
            "predicate",
            "report",
            "sweep",
            "sys",
            "trace",
        ],
    ),
    ("main", &["cli"]),
    ("harness-bins", &["helper"]),
];

/// What `source` names and may not.
pub(crate) fn problems(source: &Source) -> Vec<Problem> {
    let Some(part) = part_of(&source.path) else {
        return Vec::new();
    };
    let Some(allowed) = allowed(part) else {
        let what = format!("`{part}` is no part of the layout");
        return vec![source.problem(
            1,
            what,
            "move it into a part, or add it to MAY_IMPORT in tests/tidy/imports.rs",
        )];
    };
    references(&source.code(), depth_of(&source.path))
        .into_iter()
        .filter(|(_, target)| *target != part && !allowed.contains(target))
        .map(|(line, target)| {
            let what = format!("`{part}` imports `{target}`");
            source.problem(
                line,
                what,
                format!("`{part}` may import only {allowed:?}: move the code, or pass a value in"),
            )
        })
        .collect()
}

fn allowed(part: &str) -> Option<&'static [&'static str]> {
    MAY_IMPORT.iter().find(|(name, _)| *name == part).map(|(_, allowed)| *allowed)
}

/// The part that a file belongs to; `lib.rs` and what is not built into the crate belong to none.
fn part_of(path: &str) -> Option<&str> {
    if path.starts_with("harness-bins/") {
        return Some("harness-bins");
    }
    let part = path.strip_prefix("src/")?.split('/').next()?;
    (part != "lib.rs").then(|| part.trim_end_matches(".rs"))
}

/// How many modules deep in the crate the file's own module is.
fn depth_of(path: &str) -> usize {
    let inside = path.strip_prefix("src/").unwrap_or_default();
    let parts = inside.split('/').count();
    if inside.ends_with("/mod.rs") { parts - 1 } else { parts }
}

/// The names directly under the crate's root that `code` uses, with their lines.
fn references<'a>(code: &[Token<'a>], depth: usize) -> Vec<(usize, &'a str)> {
    let mut found = Vec::new();
    let mut inline_ends = Vec::new();
    for at in 0..code.len() {
        inline_ends.retain(|end| *end > at);
        if code[at].is("mod") && code.get(at + 2).is_some_and(|token| token.is("{")) {
            inline_ends.push(closing(code, at + 2));
        }
        if let Some(under_root) = path_under_root(code, at, depth + inline_ends.len()) {
            found.extend(heads(code, under_root));
        }
    }
    found
}

/// If a path that leads to the crate's root begins at `at`: where it goes on from there.
fn path_under_root(code: &[Token], at: usize, depth: usize) -> Option<usize> {
    if at > 0 && code[at - 1].is(":") {
        return None;
    }
    if code[at].is_any(&["crate", "daemonproof"]) && follows(code, at + 1, &[":", ":"]) {
        return Some(at + 3);
    }
    let supers = (0..).take_while(|step| follows(code, at + 3 * step, &["super", ":", ":"])).count();
    (supers > 0 && supers >= depth).then_some(at + 3 * supers)
}

/// The first name of the path, or of each path in the braces, that begins at `at`.
fn heads<'a>(code: &[Token<'a>], at: usize) -> Vec<(usize, &'a str)> {
    let Some(first) = code.get(at) else {
        return Vec::new();
    };
    if !first.is("{") {
        return vec![(first.line, first.text)];
    }
    let end = closing(code, at);
    let mut found = Vec::new();
    let mut next = at + 1;
    while next < end {
        found.push((code[next].line, code[next].text));
        while next < end && !code[next].is(",") {
            next = if code[next].is("{") { closing(code, next) } else { next + 1 };
        }
        next += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{MAY_IMPORT, problems};
    use crate::source::Source;

    fn targets(path: &str, text: &str) -> Vec<String> {
        problems(&Source::new(path, text)).into_iter().map(|problem| problem.what).collect()
    }

    #[test]
    fn the_table_has_no_circle() {
        // Each part imports only parts that stand before it: no path leads back.
        for (index, (part, allowed)) in MAY_IMPORT.iter().enumerate() {
            for target in *allowed {
                let earlier = MAY_IMPORT[..index].iter().any(|(name, _)| name == target);
                assert!(earlier, "`{part}` may import `{target}`, which does not stand before it");
            }
        }
    }

    #[test]
    fn nothing_but_main_imports_cli() {
        let importers: Vec<_> = MAY_IMPORT
            .iter()
            .filter(|(_, allowed)| allowed.contains(&"cli"))
            .map(|(part, _)| *part)
            .collect();
        assert_eq!(importers, ["main"]);
    }

    #[test]
    fn a_wrong_direction_is_found_however_it_is_written() {
        for text in [
            "use crate::fixture::Sandbox;",
            "use crate::{fixture, sys};",
            "use crate::{sys::{a, b}, fixture::c};",
            "fn f() { crate::fixture::run() }",
            "use super::super::fixture;",
            "mod tests { use super::super::super::fixture; }",
            "macro_rules! m { () => { $crate::fixture::run() } }",
            "use daemonproof::fixture;",
        ] {
            assert_eq!(targets("src/daemon/pidfile.rs", text), ["`daemon` imports `fixture`"], "{text}");
        }
    }

    #[test]
    fn the_root_itself_is_no_import() {
        assert_eq!(targets("src/daemon/pidfile.rs", "use crate::*;"), ["`daemon` imports `*`"]);
        assert_eq!(targets("src/check/mod.rs", "pub use super::cli;"), ["`check` imports `cli`"]);
    }

    #[test]
    fn the_right_direction_passes() {
        for text in [
            "use crate::sys::flock; use crate::daemon::error;",
            "use super::error; mod tests { use super::*; use super::super::startup; }",
            "pub(crate) fn f() {} pub(in crate::daemon) fn g() {}",
            "// use crate::cli;\nconst A: &str = \"use crate::cli;\";",
            "use std::io; use nix::sys::signal;",
        ] {
            assert_eq!(targets("src/daemon/pidfile.rs", text), [""; 0], "{text}");
        }
        assert_eq!(targets("src/lib.rs", "pub use crate::cli;"), [""; 0]);
        assert_eq!(targets("src/main.rs", "fn main() { daemonproof::cli::main() }"), [""; 0]);
    }

    #[test]
    fn an_unknown_part_is_named() {
        assert_eq!(targets("src/util/mod.rs", ""), ["`util` is no part of the layout"]);
    }
}
