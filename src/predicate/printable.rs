//! Text from observed programs, made safe for a terminal.

use std::borrow::Cow;

/// `text` without control characters but the line feed.
pub(super) fn block(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c.is_control() && c != '\n')
}

/// `text` without control characters.
pub(super) fn line(text: &str) -> Cow<'_, str> {
    escaped(text, char::is_control)
}

fn escaped(text: &str, is_unsafe: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) { safe.extend(c.escape_default()) } else { safe.push(c) }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_escapes_to_the_terminal() {
        assert_eq!(block("a\x1b[2J\r\nb \u{e9}"), "a\\u{1b}[2J\\r\nb \u{e9}");
        assert_eq!(line("a\nb"), "a\\nb");
        assert!(matches!(line("plain"), Cow::Borrowed("plain")));
    }
}
