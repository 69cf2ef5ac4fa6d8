//! Holds the tree to the layout and to the rules of `ARCHITECTURE.md`.
//!
//! Each rule is a function from a file to what is wrong with it; its data stand at the top of its module, and beside
//! it a test that shows it a bad file. To change a rule, change the data and say why in the commit.

#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/layout.rs"]
mod layout;
#[path = "tidy/lexer.rs"]
mod lexer;
#[path = "tidy/shape.rs"]
mod shape;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/unsafety.rs"]
mod unsafety;
#[path = "tidy/words.rs"]
mod words;

use std::error::Error;
use std::io;

use source::{Problem, Source};

type Outcome = Result<(), Box<dyn Error>>;

/// Fails with one line for each problem.
fn none(problems: impl IntoIterator<Item = Problem>) -> Outcome {
    let lines: Vec<_> = problems.into_iter().map(|problem| problem.to_string()).collect();
    assert!(lines.is_empty(), "{} broken:\n{}\n", lines.len(), lines.join("\n"));
    Ok(())
}

fn rust_files() -> io::Result<Vec<Source>> {
    let mut files = source::files()?;
    files.retain(Source::is_rust);
    Ok(files)
}

fn file(path: &str) -> io::Result<Source> {
    Ok(Source::new(path, &std::fs::read_to_string(source::root().join(path))?))
}

#[test]
fn imports_go_one_way() -> Outcome {
    none(rust_files()?.iter().flat_map(imports::problems))
}

#[test]
fn unsafe_is_explained_and_in_sys() -> Outcome {
    none(rust_files()?.iter().flat_map(unsafety::problems))
}

#[test]
fn no_test_is_ignored() -> Outcome {
    none(rust_files()?.iter().flat_map(words::ignore_problems))
}

#[test]
fn nothing_sleeps() -> Outcome {
    let files = rust_files()?;
    none(files.iter().flat_map(words::sleep_problems).chain(words::sleeper_problems(&files)))
}

#[test]
fn the_library_does_not_print() -> Outcome {
    none(rust_files()?.iter().flat_map(words::print_problems))
}

#[test]
fn every_file_says_what_it_is_for() -> Outcome {
    none(rust_files()?.iter().flat_map(shape::header_problems))
}

#[test]
fn functions_fit_on_a_screen() -> Outcome {
    none(rust_files()?.iter().flat_map(shape::function_problems))
}

#[test]
fn module_files_hold_no_logic() -> Outcome {
    none(rust_files()?.iter().flat_map(shape::logic_problems))
}

#[test]
fn no_file_names_a_path_of_one_machine() -> Outcome {
    none(source::files()?.iter().flat_map(words::path_problems))
}

#[test]
fn the_top_level_is_the_layout() -> Outcome {
    none(layout::top_level_problems(&source::top_level()?))
}

#[test]
fn every_dependency_is_explained() -> Outcome {
    none(layout::dependency_problems(&file("Cargo.toml")?, &file("ARCHITECTURE.md")?)?)
}

#[test]
fn every_harness_bin_is_built_and_run_by_a_test() -> Outcome {
    none(layout::harness_bin_problems(&file("Cargo.toml")?, &source::files()?)?)
}

#[test]
fn every_job_is_careful_and_called() -> Outcome {
    none(layout::job_problems(&source::files()?))
}
