//! Predicates over text, made part of claims about something that has text.

use predicates::Predicate;
use predicates::reflection::Case;

use super::Finding;

/// More lines than these, from the end, are not shown.
const MOST_LINES: usize = 40;

/// What `predicate` states of the text called `name`: `stdout.contains("ready")`.
pub(super) fn about(name: &str, predicate: &(impl Predicate<str> + ?Sized)) -> String {
    renamed(&predicate.to_string(), name)
}

/// Judges `text` by `predicate`.
pub(super) fn look_at(name: &'static str, text: &str, predicate: &(impl Predicate<str> + ?Sized)) -> Finding {
    let Some(case) = predicate.find_case(false, text) else {
        return Finding::new(predicate.eval(text)).with(name, shown(text));
    };
    let mut parts = Vec::new();
    deciding(&case, &mut parts);
    let finding = Finding::new(false);
    let finding = parts.iter().fold(finding, |finding, (holds, part)| {
        finding.with(if *holds { "true" } else { "false" }, renamed(part, name))
    });
    finding.with(name, shown(text))
}

/// The parts of a predicate that made it what it is, each with what it came to; none if it has no parts.
fn deciding(case: &Case<'_>, parts: &mut Vec<(bool, String)>) {
    for child in case.children() {
        if child.children().next().is_some() {
            deciding(child, parts);
        } else if let Some(predicate) = child.predicate() {
            parts.push((child.result(), predicate.to_string()));
        }
    }
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
