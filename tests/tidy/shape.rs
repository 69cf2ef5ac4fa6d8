//! The shape of a file: its header, the length of its functions, `mod.rs` without logic.

use crate::lexer::{Kind, Token, closing, follows};
use crate::source::{Problem, Source};

/// A function that is longer does not fit on a screen.
const LONGEST_FUNCTION_LINES: usize = 70;

/// Every file begins by saying what it is for.
pub(crate) fn header_problems(source: &Source) -> Vec<Problem> {
    if source.text.starts_with("//! ") {
        return Vec::new();
    }
    vec![source.problem(1, "no header", "begin with a `//!` line that says what the file is for")]
}

pub(crate) fn function_problems(source: &Source) -> Vec<Problem> {
    let code = source.code();
    (0..code.len())
        .filter(|at| code[*at].is("fn") && code.get(at + 1).is_some_and(|name| name.kind == Kind::Word))
        .filter_map(|at| {
            let lines = length_lines(&code, at)?;
            (lines > LONGEST_FUNCTION_LINES).then(|| {
                let what = format!("`{}` has {lines} lines", code[at + 1].text);
                source.problem(code[at].line, what, format!("split it: at most {LONGEST_FUNCTION_LINES}"))
            })
        })
        .collect()
}

/// Lines from `fn` to the end of its body; `None` for a declaration.
fn length_lines(code: &[Token], at: usize) -> Option<usize> {
    let mut next = at;
    while !code.get(next)?.is("{") {
        if code[next].is(";") {
            return None;
        }
        next = if code[next].is_any(&["(", "["]) { closing(code, next) + 1 } else { next + 1 };
    }
    let last = code.get(closing(code, next))?;
    Some(last.last_line + 1 - code[at].line)
}

/// `mod.rs` and `lib.rs` hold attributes, `mod` and `use`; `lib.rs` may write a module of `use`s in place.
pub(crate) fn logic_problems(source: &Source) -> Vec<Problem> {
    let in_place = source.path == "src/lib.rs";
    if !in_place && !source.path.ends_with("/mod.rs") {
        return Vec::new();
    }
    match first_logic(&source.code(), in_place) {
        None => Vec::new(),
        Some(line) => {
            vec![source.problem(line, "logic in a file of modules", "move it into a module of its own")]
        }
    }
}

fn first_logic(code: &[Token], in_place: bool) -> Option<usize> {
    let mut at = 0;
    while at < code.len() {
        at = match after_item(code, at) {
            Some(next) => next,
            None if in_place && code[at].is("}") => at + 1,
            None if in_place && code[at].is("mod") && follows(code, at + 2, &["{"]) => at + 3,
            None => return Some(code[at].line),
        };
    }
    None
}

/// What follows the attribute, visibility, `mod x;` or `use …;` at `at`; `None` if it is none of these.
fn after_item(code: &[Token], at: usize) -> Option<usize> {
    if follows(code, at, &["#", "["]) {
        return Some(closing(code, at + 1) + 1);
    }
    if follows(code, at, &["#", "!", "["]) {
        return Some(closing(code, at + 2) + 1);
    }
    if follows(code, at, &["pub", "("]) {
        return Some(closing(code, at + 1) + 1);
    }
    if code[at].is("pub") {
        return Some(at + 1);
    }
    if code[at].is("mod") && follows(code, at + 2, &[";"]) {
        return Some(at + 3);
    }
    let is_use = code[at].is("use");
    is_use.then(|| (at..code.len()).find(|next| code[*next].is(";")).map_or(code.len(), |end| end + 1))
}

#[cfg(test)]
mod tests {
    use super::{function_problems, header_problems, logic_problems};
    use crate::source::Source;

    #[test]
    fn a_file_without_a_header_is_found() {
        assert_eq!(header_problems(&Source::new("src/a.rs", "// A\nuse b;")).len(), 1);
        assert_eq!(header_problems(&Source::new("src/a.rs", "//! A.\nuse b;")).len(), 0);
    }

    fn long(statement_lines: usize, statement: &str) -> Source {
        let head = "fn f(a: [u8; 2]) -> Option<'static, u8>\nwhere\n    A: B,\n{\n";
        Source::new("src/a.rs", &format!("{head}{}}}\n", statement.repeat(statement_lines)))
    }

    #[test]
    fn a_long_function_is_found() {
        assert_eq!(function_problems(&long(65, "    let c = '}';\n")).len(), 0);
        let found = function_problems(&long(66, "    let c = \"}\"; // }\n"));
        let text: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(text, ["src/a.rs:1: `f` has 71 lines: split it: at most 70"]);
    }

    #[test]
    fn a_declaration_has_no_length() {
        let text = format!("trait T {{ fn f(&self) -> [u8; 2]; {} }}", "\n".repeat(100));
        assert_eq!(function_problems(&Source::new("src/a.rs", &text)).len(), 0);
    }

    #[test]
    fn logic_among_modules_is_found() {
        for text in
            ["fn f() {}", "const A: u8 = 1;", "mod a;\nstruct B;", "mod a { fn f() {} }", "macro_rules! m {}"]
        {
            assert_eq!(logic_problems(&Source::new("src/a/mod.rs", text)).len(), 1, "{text}");
            assert_eq!(logic_problems(&Source::new("src/a/b.rs", text)).len(), 0, "{text}");
            assert_eq!(logic_problems(&Source::new("src/lib.rs", text)).len(), 1, "{text}");
        }
    }

    #[test]
    fn modules_alone_pass() {
        let text =
            "//! A.\n#![allow(a)]\n#[cfg(feature = \"b\")]\npub mod b;\npub(crate) use b::{C, d::*};\n";
        assert_eq!(logic_problems(&Source::new("src/a/mod.rs", text)).len(), 0);
        let prelude = format!("{text}pub mod prelude {{ pub use crate::a::B; }}");
        assert_eq!(logic_problems(&Source::new("src/lib.rs", &prelude)).len(), 0);
        assert_eq!(logic_problems(&Source::new("src/a/mod.rs", &prelude)).len(), 1);
    }
}
