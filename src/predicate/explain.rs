//! What a predicate came to, in words.

use predicates::reflection::{Case, PredicateReflection};

use super::printable::{block, line};

/// Renders why a predicate came to what it did, without a line feed at the end.
///
/// First what was expected; then, if that was made of several claims, each that decided it; below each what was found.
///
/// ```
/// use daemonproof::observe::View;
/// use daemonproof::predicate::{cwd, explain, zombie};
/// use nix::unistd::Pid;
/// use predicates::prelude::*;
///
/// let view = View::of(Pid::from_raw(i32::MAX));
/// let predicate = zombie().and(cwd("/"));
/// let case = predicate.find_case(false, &view).expect("nobody has that number");
/// assert_eq!(explain(&case), "\
/// expected: (it is a zombie && its working directory is /)
///  but not: it is a zombie
///    found: process pid 2147483647 is gone");
/// ```
///
/// A case that came out true, as of something that was never to be, begins with `holds:` instead.
pub fn explain(case: &Case<'_>) -> String {
    let mut page = Page::default();
    page.add(if case.result() { "holds" } else { "expected" }, &statement(case));
    if case.children().next().is_none() {
        page.add_products(case);
    } else {
        add_deciding(&mut page, case, case.result(), &mut true);
    }
    page.lines.join("\n")
}

/// Adds the claims below `case` that have no claims below themselves.
fn add_deciding(page: &mut Page, case: &Case<'_>, whole: bool, first: &mut bool) {
    for child in case.children() {
        if child.children().next().is_some() {
            add_deciding(page, child, whole, first);
            continue;
        }
        let label = match (child.result(), whole) {
            (true, true) if *first => "because",
            (true, false) if *first => "but",
            (true, _) => "and",
            (false, false) if *first => "but not",
            (false, _) => "and not",
        };
        *first = false;
        page.add(label, &statement(child));
        page.add_products(child);
    }
}

fn statement(case: &Case<'_>) -> String {
    case.predicate()
        .map_or("a predicate without a name".to_owned(), |predicate| line(&stated(predicate)).into_owned())
}

/// What it states, with its parameters: `text.contains(x) (count: 2)`.
pub(super) fn stated(predicate: &(impl PredicateReflection + ?Sized)) -> String {
    let mut text = predicate.to_string();
    for parameter in predicate.parameters() {
        text += &format!(" ({parameter})");
    }
    text
}

/// Names that are longer are out of line. Also, the formatter panics at a width beyond 16 bits.
const WIDEST: usize = 40;

/// Labelled lines, the labels aligned to the right.
#[derive(Default)]
struct Page {
    lines: Vec<String>,
}

impl Page {
    fn add(&mut self, label: &str, text: &str) {
        let mut lines = text.lines();
        self.lines.push(format!("{:>9} {}", format!("{label}:"), lines.next().unwrap_or_default()));
        self.lines.extend(lines.map(|line| format!("{:10}{line}", "").trim_end().to_owned()));
    }

    fn add_products(&mut self, case: &Case<'_>) {
        // The crate `predicates` calls "var" what it looked at.
        let name = |name: &str| if name == "var" { String::new() } else { name.to_owned() };
        let rows: Vec<(String, String)> =
            case.products().map(|product| (name(product.name()), product.value().to_string())).collect();
        let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
        let indent = if width == 0 { 0 } else { width.min(WIDEST) + 1 };
        let mut found = String::new();
        for (name, value) in &rows {
            let value = block(value);
            let mut lines = value.lines();
            found += &format!("{name:indent$}{}\n", lines.next().unwrap_or_default());
            found.extend(lines.map(|line| format!("{:indent$}{line}\n", "")));
        }
        if !rows.is_empty() {
            self.add("found", found.trim_end());
        }
    }
}
