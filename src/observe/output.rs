//! What a program printed.

use std::fmt;

/// The captured output of a program, as text; what is no UTF-8 has been replaced.
///
/// ```
/// use daemonproof::observe::Output;
///
/// let output = Output::from_bytes(b"listening\n", b"");
/// assert_eq!(output.stdout, "listening\n");
/// assert_eq!(output.to_string(), "stdout:\nlistening\nstderr: nothing");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// What went to its standard output.
    pub stdout: String,
    /// What went to its standard error.
    pub stderr: String,
}

impl Output {
    /// Takes what was captured, replacing what is no UTF-8 by U+FFFD.
    pub fn from_bytes(stdout: &[u8], stderr: &[u8]) -> Self {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Self { stdout: text(stdout), stderr: text(stderr) }
    }
}

/// Both, each under its name.
impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, text)) in [("stdout", &self.stdout), ("stderr", &self.stderr)].iter().enumerate() {
            let line = if index == 0 { "" } else { "\n" };
            match text.trim_end() {
                "" => write!(f, "{line}{name}: nothing")?,
                text => write!(f, "{line}{name}:\n{text}")?,
            }
        }
        Ok(())
    }
}
