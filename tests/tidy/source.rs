//! The files of the repository, and what is said about a line that breaks a rule.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::lexer::{self, Kind, Token};

/// The folder of `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// One text file.
pub(crate) struct Source {
    /// Relative to the root, with `/` between its parts.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    pub(crate) fn tokens(&self) -> Vec<Token<'_>> {
        lexer::tokens(&self.text)
    }

    /// The tokens without the comments.
    pub(crate) fn code(&self) -> Vec<Token<'_>> {
        self.tokens().into_iter().filter(|token| token.kind != Kind::Comment).collect()
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    pub(crate) fn problem(&self, line: usize, what: impl Into<String>, fix: impl Into<String>) -> Problem {
        Problem { path: self.path.clone(), line, what: what.into(), fix: fix.into() }
    }
}

/// One broken rule.
pub(crate) struct Problem {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) what: String,
    pub(crate) fix: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path, self.line, self.what, self.fix)
    }
}

/// Names directly in the root, but for what `.gitignore` ignores there.
pub(crate) fn top_level() -> io::Result<Vec<String>> {
    let ignored = fs::read_to_string(root().join(".gitignore")).unwrap_or_default();
    let mut names = names_in(&root())?;
    names.retain(|name| name != ".git" && !ignored.lines().any(|line| line.trim_matches('/') == name));
    Ok(names)
}

/// Every text file of the repository, in the order of their paths.
pub(crate) fn files() -> io::Result<Vec<Source>> {
    let mut found = Vec::new();
    for name in top_level()? {
        collect(&name, &mut found)?;
    }
    Ok(found)
}

fn collect(path: &str, found: &mut Vec<Source>) -> io::Result<()> {
    let full = root().join(path);
    if full.is_dir() {
        for name in names_in(&full)? {
            collect(&format!("{path}/{name}"), found)?;
        }
    } else if let Ok(text) = String::from_utf8(fs::read(&full)?) {
        found.push(Source { path: path.to_owned(), text });
    }
    Ok(())
}

fn names_in(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::{Source, files, top_level};

    #[test]
    fn the_rules_see_the_tree_and_nothing_else() -> std::io::Result<()> {
        let files = files()?;
        for path in ["Cargo.toml", "src/lib.rs", "tests/tidy.rs", "tests/tidy/source.rs"] {
            assert!(files.iter().any(|file| file.path == path), "{path} is not looked at");
        }
        assert!(!top_level()?.iter().any(|name| name == "target" || name == ".git"));
        Ok(())
    }

    #[test]
    fn a_problem_reads_as_place_fault_and_cure() {
        let problem =
            Source::new("src/a.rs", "").problem(7, "`unsafe` outside src/sys", "call a safe function");
        assert_eq!(problem.to_string(), "src/a.rs:7: `unsafe` outside src/sys: call a safe function");
    }
}
