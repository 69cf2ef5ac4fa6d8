//! Names from the system, made safe to print on one line.

use std::ffi::OsStr;
use std::fmt::{self, Write};

/// Shows a name that may be no UTF-8 and may hold line feeds or terminal escapes, as any process
/// may choose.
pub(crate) struct Shown<'a>(pub(crate) &'a OsStr);

impl<'a> Shown<'a> {
    pub(crate) fn new(name: &'a (impl AsRef<OsStr> + ?Sized)) -> Self {
        Self(name.as_ref())
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.as_encoded_bytes().utf8_chunks() {
            for c in chunk.valid().chars() {
                if c.is_control() { write!(f, "{}", c.escape_default())? } else { f.write_char(c)? }
            }
            write!(f, "{}", chunk.invalid().escape_ascii())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn nothing_escapes_to_the_terminal() {
        let name = OsStr::from_bytes(b"a\x1b[2J\n\xffb \xc3\xa9");
        assert_eq!(Shown(name).to_string(), "a\\u{1b}[2J\\n\\xffb \u{e9}");
    }
}
