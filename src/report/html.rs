//! Reports for a browser: one file without scripts, and without anything that differs between equal runs.

use super::judged::{Judged, Outcome, Row};
use super::wrap::printable;
use std::fmt::Write;

const STYLE: &str = "\
:root { color-scheme: light dark; --text: #1c1e21; --back: #fff; --dim: #656d76; --line: #d8dee4;
  --good: #116329; --bad: #b3261e; --open: #7d4e00; --shade: #f6f8fa; }
@media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --back: #0d1117; --dim: #9198a1; --line: #30363d;
  --good: #57ab5a; --bad: #ff7b72; --open: #d9a441; --shade: #161b22; } }
body { margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: var(--text); background: var(--back);
  font: 16px/1.5 system-ui, sans-serif; }
code, pre { font: 0.875em/1.5 ui-monospace, monospace; }
h1 { font-size: 1.25rem; overflow-wrap: anywhere; }
h2 { font-size: 1rem; margin: 0; }
table { border-collapse: collapse; width: 100%; }
th, td { border-top: 1px solid var(--line); padding: 0.375rem 0.5rem; text-align: left; vertical-align: top; }
th { border-top: 0; padding-top: 1.5rem; }
td:first-child { width: 1.5rem; font-weight: bold; }
td:nth-child(2) { white-space: nowrap; }
pre { margin: 0.25rem 0; padding: 0.5rem; background: var(--shade); white-space: pre-wrap; overflow-wrap: anywhere; }
summary { cursor: pointer; }
.kept { color: var(--good); } .broken { color: var(--bad); } .open { color: var(--open); } .dim { color: var(--dim); }
";

/// The table by family, with what was seen where a promise is broken.
pub(crate) fn judged_html(judged: &Judged) -> String {
    let verdict = judged.verdict.name();
    let class = match verdict {
        "holds" => "kept",
        "violated" => "broken",
        _ => "open",
    };
    let mut body = format!("<h1><code>{}</code></h1>\n", escape(&judged.command));
    for (name, argument) in &judged.modes {
        let argument = match argument.is_empty() {
            true => "by itself".into(),
            false => format!("<code>{}</code>", escape(argument)),
        };
        let _ = writeln!(body, "<div class=\"dim\">{name}: {argument}</div>");
    }
    let summary = judged.summary();
    let _ = writeln!(body, "<p><strong class=\"{class}\">{verdict}</strong>: {summary}</p>");
    if let Some(reason) = judged.reason() {
        let _ = writeln!(body, "<pre>{}</pre>", escape(&reason));
    }
    body += "<table>\n";
    for family in judged.families() {
        table(&mut body, family);
    }
    body += "</table>\n";
    page(&format!("{verdict}: {}", judged.command), &body)
}

/// Any text, as it is.
pub(crate) fn text_html(title: &str, text: &str) -> String {
    page(title, &format!("<pre>{}</pre>\n", escape(text)))
}

fn table(body: &mut String, rows: &[Row]) {
    if let Some(first) = rows.first() {
        let family = escape(first.family());
        let _ = writeln!(body, "<tr><th colspan=\"3\" scope=\"rowgroup\"><h2>{family}</h2></th></tr>");
    }
    for row in rows {
        let (class, mark, meaning) = match row.outcome {
            Outcome::Kept => ("kept", "✓", "kept"),
            Outcome::Broken => ("broken", "✗", "broken"),
            Outcome::Skipped => ("dim", "–", "skipped"),
            Outcome::NotJudged => ("open", "?", "not judged"),
        };
        let promise = promise(row);
        let id = escape(&row.id);
        let _ = writeln!(
            body,
            "<tr><td class=\"{class}\" title=\"{meaning}\">{mark}</td><td><code>{id}</code></td><td>{promise}</td></tr>"
        );
    }
}

fn promise(row: &Row) -> String {
    let promise = escape(&row.promise);
    if row.detail.is_empty() {
        return promise;
    }
    let open = if row.outcome == Outcome::Broken { " open" } else { "" };
    let detail = escape(&row.detail);
    format!("<details{open}><summary>{promise}</summary><pre>{detail}</pre></details>")
}

fn page(title: &str, body: &str) -> String {
    page_with(title, STYLE, body)
}

/// A page of its own style.
pub(super) fn page_with(title: &str, style: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )
}

pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::judged::tests::example;
    use super::*;

    #[test]
    fn one_page() {
        let html = judged_html(&example()).replace(STYLE, "…\n");
        insta::assert_snapshot!(html);
    }

    #[test]
    fn no_text_is_markup() {
        let hostile = "</pre><script>alert(1)</script>&'\"";
        let mut judged = example();
        judged.command = hostile.into();
        judged.modes = vec![("detach", hostile.into())];
        judged.obstacle = Some(hostile.into());
        for row in &mut judged.rows {
            row.id = format!("{hostile}.x");
            row.promise = hostile.into();
            row.detail = hostile.into();
        }
        for html in [judged_html(&judged), text_html(hostile, hostile)] {
            assert!(!html.contains("<script>") && !html.contains("</pre><s"), "{html}");
        }
    }

    #[test]
    fn every_element_is_closed() {
        let html = judged_html(&example());
        for name in ["html", "head", "body", "table", "tr", "td", "details", "summary", "pre", "code", "div"]
        {
            let count = |text: String| html.matches(&text).count();
            let opened = count(format!("<{name}>")) + count(format!("<{name} "));
            assert_eq!(opened, count(format!("</{name}>")), "{name}");
        }
    }
}
