//! Predicates over text, made part of claims about something that has text.

use predicates::Predicate;
use predicates::reflection::Case;

use super::Finding;
use super::explain::stated;

/// More lines than these, from the end, are not shown.
const MOST_LINES: usize = 40;

/// What `predicate` states of the text called `name`: `stdout.contains(ready)`.
pub(super) fn about(name: &str, predicate: &(impl Predicate<str> + ?Sized)) -> String {
    renamed(&stated(predicate), name)
}

/// Judges `text` by `predicate`.
pub(super) fn look_at(name: &'static str, text: &str, predicate: &(impl Predicate<str> + ?Sized)) -> Finding {
    let case = predicate.find_case(false, text);
    let finding = Finding::new(case.is_none());
    case.iter().fold(finding, |finding, case| with_parts(finding, case, name)).with(name, shown(text))
}

/// The parts of a predicate that made it what it is, each with what it came to; and what else they found.
fn with_parts(finding: Finding, case: &Case<'_>, name: &str) -> Finding {
    let finding = case
        .products()
        .filter(|product| product.name() != "var")
        .fold(finding, |finding, product| finding.with(product.name().to_owned(), product.value()));
    case.children().fold(finding, |finding, child| {
        let is_part = child.children().next().is_none();
        let part = child.predicate().filter(|_| is_part).map(|predicate| renamed(&stated(predicate), name));
        let finding = part
            .into_iter()
            .fold(finding, |finding, part| finding.with(if child.result() { "true" } else { "false" }, part));
        with_parts(finding, child, name)
    })
}

/// The crate `predicates` calls what it looks at `var`. What stands in quotes is the user's own.
fn renamed(text: &str, name: &str) -> String {
    let mut renamed = String::with_capacity(text.len());
    let (mut rest, mut quoted) = (text, false);
    while let Some(c) = rest.chars().next() {
        let begins_word = !quoted && !renamed.ends_with(char::is_alphanumeric);
        match rest.strip_prefix("var").filter(|after| begins_word && after.starts_with(['.', ' '])) {
            Some(after) => {
                renamed.push_str(name);
                rest = after;
            }
            None => {
                quoted ^= c == '"' && !renamed.ends_with('\\');
                renamed.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    renamed
}

/// The end of `text`, which matters more than its beginning.
fn shown(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    match lines.len().checked_sub(MOST_LINES) {
        _ if text.is_empty() => "nothing".to_owned(),
        None | Some(0) => text.trim_end_matches('\n').to_owned(),
        Some(left_out) => {
            format!("({left_out} lines before these)\n{}", lines[left_out..].join("\n"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thing_gets_its_name() {
        assert_eq!(
            renamed("(var.contains(\"var.x\") && var == \"\")", "stdout"),
            "(stdout.contains(\"var.x\") && stdout == \"\")"
        );
        assert_eq!(renamed("myvar.x variable \u{e9}", "stdout"), "myvar.x variable \u{e9}");
    }

    #[test]
    fn of_a_long_text_the_end_is_shown() {
        assert_eq!(shown("a\nb\n"), "a\nb");
        assert_eq!(shown(""), "nothing");
        let long: String = (0..50).map(|n| format!("{n}\n")).collect();
        assert!(shown(&long).starts_with("(10 lines before these)\n10\n11\n"));
        assert!(shown(&long).ends_with("\n49"));
    }
}
