//! `check --list` and `check --explain`.

use crate::check::Check;
use crate::report::{Look, wrap};
use anstyle::Style;
use std::fmt::Write;

const BOLD: Style = Style::new().bold();
const LABEL_WIDTH: usize = 8;

/// Ids and promises, by family.
pub(super) fn list_text(checks: &[&Check], look: Look) -> String {
    let mut text = String::new();
    for family in checks.chunk_by(|a, b| a.family() == b.family()) {
        let name = family.first().map_or("", |check| check.family());
        let id_width = family.iter().map(|check| check.id.len()).max().unwrap_or(0);
        let _ = writeln!(text, "{BOLD}{name}{BOLD:#}");
        for check in family {
            let head = format!("  {:id_width$}  ", check.id);
            hang(&mut text, &head, head.len(), check.promise, look);
        }
    }
    text
}

/// All that is known about each.
pub(super) fn explain_text(checks: &[&Check], look: Look) -> String {
    let mut text = String::new();
    for (index, check) in checks.iter().enumerate() {
        let gap = if index == 0 { "" } else { "\n" };
        let _ = writeln!(text, "{gap}{BOLD}{}{BOLD:#}", check.id);
        let facts = [
            ("promise", check.promise),
            ("why", check.why),
            ("source", check.source),
            ("judged", check.judged),
        ];
        for (name, fact) in facts {
            let head = format!("  {name:LABEL_WIDTH$} ");
            hang(&mut text, &head, head.len(), fact, look);
        }
    }
    text
}

/// Writes `head` and beside it `body`.
fn hang(text: &mut String, head: &str, indent: usize, body: &str, look: Look) {
    let width = look.width.saturating_sub(indent).max(20);
    for (index, line) in wrap(body, width).iter().enumerate() {
        let head = if index == 0 { head } else { "" };
        let _ = writeln!(text, "{head:indent$}{line}");
    }
}
