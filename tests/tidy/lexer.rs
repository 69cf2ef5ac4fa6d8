//! Splits Rust source into tokens, well enough to tell code from comments and literals.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An identifier, a keyword or a number.
    Word,
    /// One character of punctuation.
    Mark,
    /// A string or a character, with its quotes.
    Literal,
    /// A comment, with its slashes.
    Comment,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    /// The line on which it begins, from 1.
    pub(crate) line: usize,
    /// The line on which it ends.
    pub(crate) last_line: usize,
}

impl Token<'_> {
    pub(crate) fn is(&self, text: &str) -> bool {
        matches!(self.kind, Kind::Word | Kind::Mark) && self.text == text
    }

    pub(crate) fn is_any(&self, texts: &[&str]) -> bool {
        texts.iter().any(|text| self.is(text))
    }
}

/// Every token of `text`, comments included.
pub(crate) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (text, 1);
    loop {
        let trimmed = rest.trim_start();
        line += lines_in(&rest[..rest.len() - trimmed.len()]);
        if trimmed.is_empty() {
            return tokens;
        }
        let (kind, length) = measure(trimmed);
        let (token, tail) = trimmed.split_at(length);
        let last_line = line + lines_in(token);
        tokens.push(Token { kind, text: token, line, last_line });
        (rest, line) = (tail, last_line);
    }
}

/// Whether `wanted` follows in `tokens` from `at` on, one entry a token.
pub(crate) fn follows(tokens: &[Token], at: usize, wanted: &[&str]) -> bool {
    tokens
        .get(at..at + wanted.len())
        .is_some_and(|found| found.iter().zip(wanted).all(|(token, text)| token.is(text)))
}

/// The index of the bracket that closes the one at `open`, or the end of a file that is cut short.
pub(crate) fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        if token.is_any(&["(", "[", "{"]) {
            depth += 1;
        } else if token.is_any(&[")", "]", "}"]) {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return index;
            }
        }
    }
    tokens.len()
}

fn lines_in(text: &str) -> usize {
    text.matches('\n').count()
}

/// The kind and the length in bytes of the token at the start of `text`, which is not empty.
fn measure(text: &str) -> (Kind, usize) {
    if text.starts_with("//") {
        return (Kind::Comment, text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return (Kind::Comment, block_comment(text));
    }
    if let Some(length) = literal(text) {
        return (Kind::Literal, length);
    }
    let word = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    match word {
        0 => (Kind::Mark, text.chars().next().map_or(1, char::len_utf8)),
        length => (Kind::Word, length),
    }
}

/// Block comments nest.
fn block_comment(text: &str) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(found) = text[at..].find(['/', '*']).map(|offset| at + offset) {
        let pair = text.get(found..found + 2);
        at = found + if matches!(pair, Some("/*" | "*/")) { 2 } else { 1 };
        match pair {
            Some("/*") => depth += 1,
            Some("*/") if depth == 1 => return at,
            Some("*/") => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of the string or character at the start of `text`, if there is one.
fn literal(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| text.starts_with(prefix))?;
    let tail = &text[prefix.len()..];
    let length = if prefix.ends_with('r') {
        raw_string(tail)
    } else if tail.starts_with('"') {
        Some(escaped(tail, '"'))
    } else {
        character(tail)
    };
    length.map(|length| prefix.len() + length)
}

fn raw_string(text: &str) -> Option<usize> {
    let hashes = text.len() - text.trim_start_matches('#').len();
    let body = text[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(body.find(&end).map_or(text.len(), |found| hashes + 1 + found + end.len()))
}

/// A quote that opens no character opens a lifetime or a label.
fn character(text: &str) -> Option<usize> {
    let body = text.strip_prefix('\'')?;
    let first = body.chars().next()?;
    let closed = first == '\\' || body[first.len_utf8()..].starts_with('\'');
    closed.then(|| escaped(text, '\''))
}

/// The length of a literal between `quote`s in which a backslash escapes the next character.
fn escaped(text: &str, quote: char) -> usize {
    let mut characters = text.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        if c == '\\' {
            characters.next();
        } else if c == quote {
            return at + c.len_utf8();
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::{Kind, closing, follows, tokens};

    fn kinds(text: &str) -> Vec<(Kind, &str)> {
        tokens(text).into_iter().map(|token| (token.kind, token.text)).collect()
    }

    #[test]
    fn literals_hide_what_they_hold() {
        for literal in [
            r#""a \" unsafe""#,
            "r\"unsafe\\\"",
            "r##\"unsafe \"# {\"##",
            "b\"{\"",
            "c\"{\"",
            "br#\"\"}\"#",
            "'{'",
            "'\\''",
            "'\\u{7d}'",
            "b'\\\\'",
            "'é'",
        ] {
            let text = format!("{literal} x");
            assert_eq!(kinds(&text), [(Kind::Literal, literal), (Kind::Word, "x")]);
        }
    }

    #[test]
    fn lifetimes_are_no_characters() {
        let found = kinds("&'a str");
        let expected = [(Kind::Mark, "&"), (Kind::Mark, "'"), (Kind::Word, "a"), (Kind::Word, "str")];
        assert_eq!(found, expected);
    }

    #[test]
    fn comments_nest_and_end() {
        let found = kinds("/* a /* b */ } */ x // {\ny");
        let expected = [
            (Kind::Comment, "/* a /* b */ } */"),
            (Kind::Word, "x"),
            (Kind::Comment, "// {"),
            (Kind::Word, "y"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn lines_are_counted_through_literals() {
        let found = tokens("a\n\"b\n\nc\"\nd");
        let lines: Vec<_> = found.iter().map(|token| (token.line, token.last_line)).collect();
        assert_eq!(lines, [(1, 1), (2, 4), (5, 5)]);
    }

    #[test]
    fn brackets_are_matched() {
        let found = tokens("f({ \"}\" })");
        assert_eq!(closing(&found, 1), found.len() - 1);
        assert!(follows(&found, 0, &["f", "(", "{"]));
        assert!(!follows(&found, found.len() - 1, &[")", ")"]));
    }
}
