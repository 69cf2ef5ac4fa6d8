//! Commands as a shell would take them.

/// The words, with those quoted that need it.
pub(crate) fn quoted(words: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let words = words.into_iter().map(|word| {
        let word = word.as_ref();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,{}@%+".contains(c);
        match !word.is_empty() && word.chars().all(is_plain) {
            true => word.to_owned(),
            false => format!("'{}'", word.replace('\'', r"'\''")),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_could_take_it() {
        let words = ["sh", "-c", "echo 'a'", "", "--pidfile={pidfile}"];
        assert_eq!(quoted(words), r"sh -c 'echo '\''a'\''' '' --pidfile={pidfile}");
    }
}
