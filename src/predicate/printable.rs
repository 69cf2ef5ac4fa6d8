//! Text from observed programs, made safe for a terminal.

use std::borrow::Cow;

use crate::observe::Shown;

/// `text` without control characters but the line feed.
pub(super) fn block(text: &str) -> Cow<'_, str> {
    match text.contains(|c: char| c.is_control() && c != '\n') {
        false => Cow::Borrowed(text),
        true => Cow::Owned(text.split('\n').map(line).collect::<Vec<_>>().join("\n")),
    }
}

/// `text` without control characters.
pub(super) fn line(text: &str) -> Cow<'_, str> {
    match text.contains(char::is_control) {
        false => Cow::Borrowed(text),
        true => Cow::Owned(Shown::new(text).to_string()),
    }
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
