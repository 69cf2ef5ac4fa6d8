//! `unsafe` stands in `src/sys/` only, and says each time why it is sound.

use crate::lexer::{Kind, Token, follows};
use crate::source::{Problem, Source};

const HOME: &str = "src/sys/";

pub(crate) fn problems(source: &Source) -> Vec<Problem> {
    let tokens = source.tokens();
    let uses = (0..tokens.len()).filter(|at| tokens[*at].is("unsafe"));
    if source.path.starts_with(HOME) {
        uses.filter(|at| !is_pointer_type(&tokens, *at) && !is_explained(&tokens[..*at]))
            .map(|at| {
                source.problem(
                    tokens[at].line,
                    "`unsafe` without a reason",
                    "put `// SAFETY: …` directly before it",
                )
            })
            .collect()
    } else {
        uses.map(|at| {
            source.problem(tokens[at].line, "`unsafe` outside src/sys", "call a safe function of src/sys")
        })
        .collect()
    }
}

/// `unsafe extern "C" fn(i32)` and `unsafe fn()` are types: they do nothing unsafe.
fn is_pointer_type(tokens: &[Token], at: usize) -> bool {
    let mut next = at + 1;
    if follows(tokens, next, &["extern"]) {
        next += if tokens.get(next + 1).is_some_and(|token| token.kind == Kind::Literal) { 2 } else { 1 };
    }
    follows(tokens, next, &["fn", "("])
}

/// Whether a comment since the statement began gives the reason.
fn is_explained(before: &[Token]) -> bool {
    before
        .iter()
        .rev()
        .take_while(|token| !token.is_any(&[";", "{", "}"]))
        .any(|token| token.kind == Kind::Comment && token.text.contains("SAFETY:"))
}

#[cfg(test)]
mod tests {
    use super::problems;
    use crate::source::Source;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        problems(&Source::new(path, text)).iter().map(|problem| problem.line).collect()
    }

    #[test]
    fn unsafe_is_kept_in_sys() {
        let text = "// SAFETY: none.\nfn f() { unsafe { g() } }";
        assert_eq!(lines("src/daemon/stdio.rs", text), [2]);
        assert_eq!(lines("tests/daemon.rs", text), [2]);
        assert_eq!(lines("src/daemon/stdio.rs", "// unsafe\nconst A: &str = \"unsafe\";"), [0; 0]);
    }

    #[test]
    fn each_unsafe_says_why() {
        assert_eq!(lines("src/sys/a.rs", "fn f() {\n    unsafe { g() }\n}"), [2]);
        assert_eq!(lines("src/sys/a.rs", "// SAFETY: once.\nunsafe { g() };\nunsafe { h() };"), [3]);
        assert_eq!(lines("src/sys/a.rs", "unsafe impl Send for A {}\nunsafe fn f() {}"), [1, 2]);
    }

    #[test]
    fn a_reason_before_the_statement_counts() {
        for text in [
            "// SAFETY: it owns the descriptor.\nlet a = unsafe { g() };",
            "// SAFETY: two\n// lines.\n#[allow(unsafe_code)]\nlet a =\n    unsafe { g() };",
            "// SAFETY: no data.\nunsafe impl Send for A {}",
            "type Handler = unsafe extern \"C\" fn(i32);",
        ] {
            assert_eq!(lines("src/sys/a.rs", text), [0; 0], "{text}");
        }
    }
}
