//! Text that fits a terminal and does nothing to it.

use std::fmt::Write;

/// Splits `text` at white space into lines of at most `width` characters. A longer word has a line of its own;
/// line feeds in the text stay.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    text.lines().flat_map(|line| wrap_line(line, width)).collect()
}

fn wrap_line(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut length = 0;
    for word in text.split_whitespace() {
        let added = word.chars().count();
        if length > 0 && length + 1 + added > width {
            lines.push(String::new());
            length = 0;
        }
        if let Some(line) = lines.last_mut() {
            let space = if length > 0 { " " } else { "" };
            line.extend([space, word]);
            length += space.len() + added;
        }
    }
    lines
}

/// The text with its control characters written out: what a daemon wrote may hold terminal escapes.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push(c),
            '\t' => shown.push(' '),
            c if c.is_control() => drop(write!(shown, "{}", c.escape_default())),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("one /a/very/long/path x", 5), ["one", "/a/very/long/path", "x"]);
        assert_eq!(wrap("a\n  b", 5), ["a", "b"]);
        assert_eq!(wrap("", 5), [""; 0]);
        assert_eq!(wrap("é é é", 3), ["é é", "é"]);
        assert_eq!(wrap("a b", 0), ["a", "b"]);
    }

    #[test]
    fn nothing_escapes_to_the_terminal() {
        assert_eq!(printable("a\x1b[2J\r\n\tb\u{9b}"), "a\\u{1b}[2J\\r\n b\\u{9b}");
    }
}
