//! Words that must not be written, or only in certain places.

use crate::lexer::{Kind, Token, closing, follows};
use crate::source::{Problem, Source};

/// Files that may sleep, each with the reason. Everything else waits for an event.
const SLEEPERS: &[(&str, &str)] = &[
    ("tests/check/clock.rs", "it is the server that takes its time for an answer"),
    ("tests/virtual_time/on_tokio.rs", "it is the program whose sleep must cost no time"),
];

const SLEEPS: &[&str] = &["sleep", "sleep_ms", "usleep", "nanosleep", "clock_nanosleep", "park_timeout"];

/// Where the crate speaks to its user; a library does not print. `keep.rs` says where a failed test's files are, which
/// nobody sees but through the macro that the test runner captures.
const PRINTERS: &[&str] = &["src/cli/", "src/helper/", "src/main.rs", "src/fixture/keep.rs"];

const PRINTS: &[&str] = &["print", "println", "eprint", "eprintln", "dbg"];

/// Paths that exist on one machine only. Written in two parts, or this file would break its own rule.
const MACHINE_PATHS: &[&str] = &[concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/wo", "rk/")];

pub(crate) fn sleep_problems(source: &Source) -> Vec<Problem> {
    if SLEEPERS.iter().any(|(path, _)| *path == source.path) {
        return Vec::new();
    }
    let code = source.code();
    (0..code.len())
        .filter(|at| sleeps(&code, *at))
        .map(|at| {
            let fix = "wait for an event with a deadline, or add the file and the reason to SLEEPERS";
            source.problem(code[at].line, format!("`{}`", code[at].text), fix)
        })
        .collect()
}

/// A file that no longer sleeps may not stay on the list.
pub(crate) fn sleeper_problems(sources: &[Source]) -> Vec<Problem> {
    stale_sleepers(SLEEPERS, sources)
}

fn stale_sleepers(sleepers: &[(&str, &str)], sources: &[Source]) -> Vec<Problem> {
    let sleeping = |source: &Source| {
        let code = source.code();
        (0..code.len()).any(|at| sleeps(&code, at))
    };
    sleepers
        .iter()
        .filter(|(path, reason)| reason.is_empty() || !sources.iter().any(|s| s.path == *path && sleeping(s)))
        .map(|(path, _)| {
            Source::new(path, "").problem(1, "listed in SLEEPERS without need or reason", "remove the entry")
        })
        .collect()
}

/// A call, or the name in a path that leads to `thread`; a definition or a method of that name is another thing.
fn sleeps(code: &[Token], at: usize) -> bool {
    if !code[at].is_any(SLEEPS) {
        return false;
    }
    let before = at.checked_sub(1).map(|index| code[index]);
    let called = follows(code, at + 1, &["("]) && !before.is_some_and(|token| token.is_any(&["fn", "."]));
    called || names_thread(&code[..at])
}

/// Whether the path that leads up to here, through braces if need be, has `thread` in it.
fn names_thread(before: &[Token]) -> bool {
    before
        .iter()
        .rev()
        .take_while(|token| token.kind == Kind::Word || token.is_any(&[":", "{", ","]))
        .any(|token| token.is("thread"))
}

pub(crate) fn print_problems(source: &Source) -> Vec<Problem> {
    let speaks = PRINTERS.iter().any(|place| source.path.starts_with(place));
    if speaks || !source.path.starts_with("src/") {
        return Vec::new();
    }
    let code = source.code();
    (0..code.len())
        .filter(|at| code[*at].is_any(PRINTS) && follows(&code, at + 1, &["!"]))
        .map(|at| {
            let what = format!("`{}!` in a library", code[at].text);
            source.problem(code[at].line, what, "return the value, or log it")
        })
        .collect()
}

/// A test that is not run proves nothing: neither `#[ignore]` nor an example that is not compiled.
pub(crate) fn ignore_problems(source: &Source) -> Vec<Problem> {
    let tokens = source.tokens();
    (0..tokens.len())
        .filter(|at| ignores(&tokens, *at))
        .map(|at| source.problem(tokens[at].line, "an ignored test", "make it pass, or remove it"))
        .collect()
}

fn ignores(tokens: &[Token], at: usize) -> bool {
    let token = tokens[at];
    if token.kind == Kind::Comment {
        let block = token.text.trim_start_matches(['/', '!', ' ']);
        return block
            .strip_prefix("```")
            .is_some_and(|info| info.split(',').any(|word| word.trim() == "ignore"));
    }
    token.is("#") && attribute(tokens, at).iter().any(|word| word.is("ignore"))
}

fn attribute<'t, 'a>(tokens: &'t [Token<'a>], at: usize) -> &'t [Token<'a>] {
    if !follows(tokens, at + 1, &["["]) {
        return &[];
    }
    &tokens[at..closing(tokens, at + 1)]
}

/// What holds on this machine need not hold on the reader's.
pub(crate) fn path_problems(source: &Source) -> Vec<Problem> {
    let mut found = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        for path in MACHINE_PATHS.iter().filter(|path| line.contains(**path)) {
            let what = format!("names {path}");
            found.push(source.problem(index + 1, what, "use a relative path, or one from the environment"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{
        MACHINE_PATHS, ignore_problems, path_problems, print_problems, sleep_problems, stale_sleepers,
    };
    use crate::source::Source;

    fn source(text: &str) -> Source {
        Source::new("src/daemon/a.rs", text)
    }

    #[test]
    fn sleeping_is_found_however_it_is_written() {
        for text in [
            "std::thread::sleep(a);",
            "use std::thread::{self, sleep};",
            "use std::thread::sleep as rest;",
            "sleep(a);",
            "nix::unistd::sleep(1);",
            "libc::nanosleep(a, b);",
            "thread::park_timeout(a);",
        ] {
            assert_eq!(sleep_problems(&source(text)).len(), 1, "{text}");
        }
    }

    #[test]
    fn what_is_only_called_sleep_passes() {
        for text in
            ["Command::new(\"sleep\")", "// thread::sleep", "fn sleep(a: u8) {}", "enum A { sleep, B }"]
        {
            assert_eq!(sleep_problems(&source(text)).len(), 0, "{text}");
        }
    }

    #[test]
    fn a_needless_sleeper_is_found() {
        let sources = [Source::new("a.rs", "sleep(1)"), Source::new("b.rs", "")];
        assert_eq!(stale_sleepers(&[("a.rs", "it is slow on purpose")], &sources).len(), 0);
        assert_eq!(stale_sleepers(&[("a.rs", "")], &sources).len(), 1);
        assert_eq!(stale_sleepers(&[("b.rs", "it was slow"), ("c.rs", "it is gone")], &sources).len(), 2);
    }

    #[test]
    fn printing_is_found_in_the_library_only() {
        let text = "fn f() { println!(\"a\"); std::dbg!(1); }";
        assert_eq!(print_problems(&source(text)).len(), 2);
        for path in ["src/cli/a.rs", "src/helper/a.rs", "src/main.rs", "harness-bins/a.rs", "tests/a.rs"] {
            assert_eq!(print_problems(&Source::new(path, text)).len(), 0, "{path}");
        }
        assert_eq!(
            print_problems(&source("// println!()\nlet a = \"print!\"; print(a); writeln!(b);")).len(),
            0
        );
    }

    #[test]
    fn an_ignored_test_is_found() {
        for text in [
            "#[test]\n#[ignore]\nfn f() {}",
            "#[ignore = \"slow\"]",
            "#[cfg_attr(a, ignore)]",
            "/// ```ignore\n/// ```",
            "//! ```rust,ignore",
        ] {
            assert_eq!(ignore_problems(&source(text)).len(), 1, "{text}");
        }
        assert_eq!(ignore_problems(&source("/// ```no_run\n#[test]\nfn ignore() {}\n// #[ignore]")).len(), 0);
    }

    #[test]
    fn a_machine_path_is_found() {
        for path in MACHINE_PATHS {
            assert_eq!(path_problems(&source(&format!("a\n{path}b"))).len(), 1, "{path}");
        }
        assert_eq!(path_problems(&source("/run/a.pid /tmp/b work/c")).len(), 0);
    }
}
