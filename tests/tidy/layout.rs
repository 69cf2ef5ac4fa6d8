//! What stands at the top level, in `Cargo.toml`, in `harness-bins` and in `ci`.

use toml::Table;

use crate::source::{Problem, Source};

const REQUIRED: &[&str] = &[
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "src",
    "tests",
];

/// Allowed beside `REQUIRED`. The last two are what cargo adds to a published package.
const ALLOWED: &[&str] = &[
    ".cargo",
    ".ci",
    ".config",
    ".editorconfig",
    ".gitignore",
    "benches",
    "ci",
    "clippy.toml",
    "docs",
    "examples",
    "harness-bins",
    "profiles",
    "rustfmt.toml",
    ".cargo_vcs_info.json",
    "Cargo.toml.orig",
];

/// Scripts of `ci` that `.ci/run` need not call, each with the reason.
const CALLED_BY_HAND: &[(&str, &str)] = &[("ci/soak", "it takes as long as it is asked to")];

pub(crate) fn top_level_problems(names: &[String]) -> Vec<Problem> {
    let of = |name: &str, what: &str, fix: &str| Source::new(name, "").problem(1, what, fix);
    let missing = REQUIRED.iter().filter(|name| !names.iter().any(|found| found == *name));
    let unknown =
        names.iter().filter(|name| !REQUIRED.contains(&name.as_str()) && !ALLOWED.contains(&name.as_str()));
    missing
        .map(|name| of(name, "missing", "restore it"))
        .chain(unknown.map(|name| {
            of(name, "not in the layout", "move it, ignore it in .gitignore, or add it to ALLOWED")
        }))
        .collect()
}

/// Each dependency is explained, in backticks, in `ARCHITECTURE.md`.
pub(crate) fn dependency_problems(
    manifest: &Source,
    architecture: &Source,
) -> Result<Vec<Problem>, toml::de::Error> {
    let table: Table = manifest.text.parse()?;
    Ok(["dependencies", "dev-dependencies", "build-dependencies"]
        .iter()
        .filter_map(|kind| table.get(*kind)?.as_table())
        .flat_map(Table::keys)
        .filter(|name| !architecture.text.contains(&format!("`{name}`")))
        .map(|name| {
            let what = format!("dependency `{name}` is not explained");
            manifest.problem(
                line_of(manifest, name),
                what,
                "say in ARCHITECTURE.md what it is for, or drop it",
            )
        })
        .collect())
}

/// Each file of `harness-bins` is built, and some test runs what is built.
pub(crate) fn harness_bin_problems(
    manifest: &Source,
    sources: &[Source],
) -> Result<Vec<Problem>, toml::de::Error> {
    let table: Table = manifest.text.parse()?;
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| source.path.starts_with("harness-bins/") && source.is_rust())
    {
        let Some(name) = bin_name(&table, &source.path) else {
            found.push(source.problem(1, "not built", "add a [[bin]] with this path to Cargo.toml"));
            continue;
        };
        if !sources.iter().any(|test| runs(test, name)) {
            found.push(source.problem(
                1,
                format!("no test runs `{name}`"),
                "write one, or remove the executable",
            ));
        }
    }
    Ok(found)
}

fn bin_name<'a>(manifest: &'a Table, path: &str) -> Option<&'a str> {
    let bins = manifest.get("bin")?.as_array()?;
    let bin = bins.iter().find(|bin| bin.get("path").and_then(|found| found.as_str()) == Some(path))?;
    bin.get("name")?.as_str()
}

fn runs(test: &Source, name: &str) -> bool {
    let is_test = test.path.starts_with("tests/") && !test.path.starts_with("tests/tidy") && test.is_rust();
    is_test
        && [format!("CARGO_BIN_EXE_{name}\""), format!("\"{name}\"")]
            .iter()
            .any(|use_| test.text.contains(use_))
}

/// Each job stops at its first error, runs from any directory, and is part of `.ci/run`.
///
/// A published package has neither, and then nothing is asked.
pub(crate) fn job_problems(sources: &[Source]) -> Vec<Problem> {
    let run = sources.iter().find(|source| source.path == ".ci/run");
    let mut found = Vec::new();
    for job in sources.iter().filter(|source| source.path.starts_with("ci/")) {
        for wanted in ["#!/usr/bin/env bash\n", "\nset -euo pipefail\n", "\ncd \"$(dirname \"$0\")/..\"\n"] {
            if !job.text.contains(wanted) {
                found.push(job.problem(1, format!("without `{}`", wanted.trim()), "add the line"));
            }
        }
        let by_hand = CALLED_BY_HAND.iter().any(|(path, _)| *path == job.path);
        if !by_hand && !run.is_some_and(|run| run.text.split_whitespace().any(|word| word == job.path)) {
            found.push(job.problem(1, "not called by .ci/run", "call it there"));
        }
    }
    found
}

fn line_of(source: &Source, key: &str) -> usize {
    source.text.lines().position(|line| line.starts_with(&format!("{key} "))).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::{REQUIRED, dependency_problems, harness_bin_problems, job_problems, top_level_problems};
    use crate::source::{Problem, Source};

    fn texts(problems: Vec<Problem>) -> Vec<String> {
        problems.into_iter().map(|problem| format!("{}: {}", problem.path, problem.what)).collect()
    }

    #[test]
    fn a_stray_or_missing_name_is_found() {
        let mut names: Vec<_> = REQUIRED.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(texts(top_level_problems(&names)), [""; 0]);
        names.push("notes.txt".to_owned());
        names.retain(|name| name != "README.md");
        assert_eq!(texts(top_level_problems(&names)), ["README.md: missing", "notes.txt: not in the layout"]);
    }

    #[test]
    fn an_unexplained_dependency_is_found() -> Result<(), toml::de::Error> {
        let manifest =
            Source::new("Cargo.toml", "[dependencies]\na = \"1\"\n[dev-dependencies]\nb = \"1\"\n");
        let architecture = Source::new("ARCHITECTURE.md", "- `a`: the a.\n- b: not in backticks.");
        let found = dependency_problems(&manifest, &architecture)?;
        assert_eq!(found.iter().map(|problem| problem.line).collect::<Vec<_>>(), [4]);
        assert_eq!(texts(found), ["Cargo.toml: dependency `b` is not explained"]);
        Ok(())
    }

    #[test]
    fn an_unused_harness_bin_is_found() -> Result<(), toml::de::Error> {
        let bin = |name: &str| format!("[[bin]]\nname = \"{name}\"\npath = \"harness-bins/{name}.rs\"\n");
        let manifest = Source::new("Cargo.toml", &["a", "b", "c"].map(bin).concat());
        let sources = [
            Source::new("harness-bins/a.rs", ""),
            Source::new("harness-bins/b.rs", ""),
            Source::new("harness-bins/c.rs", ""),
            Source::new("harness-bins/d.rs", ""),
            Source::new("tests/t.rs", "env!(\"CARGO_BIN_EXE_a\"); run(\"b\"); \"CARGO_BIN_EXE_cc\""),
        ];
        let expected = ["harness-bins/c.rs: no test runs `c`", "harness-bins/d.rs: not built"];
        assert_eq!(texts(harness_bin_problems(&manifest, &sources)?), expected);
        Ok(())
    }

    #[test]
    fn a_careless_or_forgotten_job_is_found() {
        let good = "#!/usr/bin/env bash\n# A.\nset -euo pipefail\ncd \"$(dirname \"$0\")/..\"\n";
        let sources = [
            Source::new(".ci/run", "job ci/a\njob ci/b"),
            Source::new("ci/a", good),
            Source::new("ci/b", &good.replace("pipefail", "")),
            Source::new("ci/c", good),
        ];
        let expected = ["ci/b: without `set -euo pipefail`", "ci/c: not called by .ci/run"];
        assert_eq!(texts(job_problems(&sources)), expected);
    }
}
