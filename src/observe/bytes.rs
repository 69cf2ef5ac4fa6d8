//! Numbers and words in the text of `/proc`, which is bytes.

use std::str::FromStr;

/// The number that is all of `text`: digits, and a minus sign where the type has one.
pub(super) fn number<T: FromStr>(text: &[u8]) -> Option<T> {
    let text = std::str::from_utf8(text).ok()?;
    if text.starts_with('+') {
        None
    } else {
        text.parse().ok()
    }
}

/// The number in base `radix` (8 or 16) that is all of `text`.
pub(super) fn number_in_base(radix: u32, text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    if text.starts_with('+') {
        None
    } else {
        u64::from_str_radix(text, radix).ok()
    }
}

/// The words of `text`, parted by any amount of white space.
pub(super) fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
}

/// The lines of `text`, without their ends.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
}

/// What follows `KEY:` on the first line that begins so, without surrounding white space.
pub(super) fn field<'a>(text: &'a [u8], key: &str) -> Option<&'a [u8]> {
    fields(text, key).next()
}

/// What follows `KEY:` on each line that begins so, without surrounding white space.
pub(super) fn fields<'a>(text: &'a [u8], key: &str) -> impl Iterator<Item = &'a [u8]> {
    lines(text).filter_map(move |line| {
        Some(
            line.strip_prefix(key.as_bytes())?
                .strip_prefix(b":")?
                .trim_ascii(),
        )
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Byte strings without end or order, the same in every run: what a parser must survive.
    pub(crate) fn noise(seeds: u64) -> impl Iterator<Item = Vec<u8>> {
        (1..=seeds).map(|seed| {
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut next = move || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state
            };
            let length = next() % 96;
            let alphabet = b"0123456789 :-()\n\t\0\xffabXEOF/<>.";
            let pick = |n: u64| {
                if n.is_multiple_of(5) {
                    (n >> 8) as u8
                } else {
                    alphabet[(n >> 8) as usize % alphabet.len()]
                }
            };
            (0..length).map(|_| pick(next())).collect()
        })
    }

    /// `text` with each of its bytes in turn removed, and cut off at each of its bytes.
    pub(crate) fn damaged(text: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
        let without = |at| [&text[..at], &text[at + 1..]].concat();
        (0..text.len()).flat_map(move |at| [without(at), text[..at].to_vec()])
    }

    #[test]
    fn numbers_are_whole_and_unsigned_by_plus() {
        assert_eq!(number::<i32>(b"-1"), Some(-1));
        assert_eq!(number::<u32>(b"42"), Some(42));
        for bad in [
            &b""[..],
            b"+1",
            b" 1",
            b"1 ",
            b"1x",
            b"\xff",
            b"99999999999",
        ] {
            assert_eq!(number::<i32>(bad), None, "{}", bad.escape_ascii());
        }
        assert_eq!(number_in_base(8, b"02100002"), Some(0o2100002));
        assert_eq!(number_in_base(16, b"1fFe"), Some(0x1ffe));
        assert_eq!(number_in_base(16, b"+1"), None);
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = b"Name:\tx\nUidX:\t9\nUid:\t0\t1\nlock:\ta\nlock:\tb\n";
        assert_eq!(field(text, "Uid"), Some(&b"0\t1"[..]));
        assert_eq!(field(text, "Gid"), None);
        assert_eq!(fields(text, "lock").collect::<Vec<_>>(), [b"a", b"b"]);
    }
}
