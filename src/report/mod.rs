//! Reports as plain values, and how they are written: as text, HTML and JSON.
//!
//! **Architecture Invariant:** nothing of the crate is imported here, so that a report can be made from anything.
//! Nothing is printed either: each renderer returns a string.

mod html;
mod inspection;
mod inspection_text;
mod json;
mod judged;
pub(crate) mod race;
mod race_fold;
mod race_html;
mod race_html_state;
mod race_json;
mod race_lanes;
mod race_text;
mod shell;
mod text;
mod wrap;

pub(crate) use html::{judged_html, text_html};
pub(crate) use inspection::{Guard, Ids, Inspection, Pidfile, Process, State};
pub(crate) use inspection_text::inspection_text;
pub(crate) use json::{judged_json, to_json};
pub(crate) use judged::{Judged, Outcome, Row, Verdict};
pub(crate) use race_html::race_html;
pub(crate) use race_json::race_json;
pub(crate) use race_text::race_text;
pub(crate) use shell::quoted;
pub(crate) use text::{Look, judged_text};
pub(crate) use wrap::wrap;
