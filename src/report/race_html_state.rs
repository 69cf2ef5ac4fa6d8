//! What stands beside a step in the browser: the call in full, and the state after it with what it changed marked.

use super::html::escape;
use super::race::{Drawing, FileState, State};
use std::collections::HashMap;
use std::fmt::Write;

/// A daemon that opens thousands should not fill thousands of lists.
const MOST_FILES: usize = 20;

/// The state after step `index`.
pub(super) fn view(drawing: &Drawing, index: usize) -> String {
    let step = &drawing.steps[index];
    let (before, after) = (drawing.before(index), &step.state);
    let mut text = format!("<div class=\"view\"><div class=\"{}\">", class(drawing, &step.task));
    let (number, task) = (index + 1, escape(step.task.trim_start_matches('!')));
    let who = if step.is_signal() { format!("a signal to {task}") } else { task };
    let _ = write!(text, "<h3>Step {number}: {who}</h3>");
    let result = if step.result.is_empty() { String::new() } else { format!(" = {}", step.result) };
    let call = format!("{}{result}", step.operation);
    let _ = write!(text, "<code class=\"call\">{}</code>", escape(&call));
    text += "<h4>alive after it</h4>";
    text += &tasks(drawing, &before.running, &after.running);
    if !step.others.is_empty() {
        text += "<div class=\"others\"><h4>could have gone instead</h4>";
        step.others.iter().for_each(|task| text += &chip(drawing, task, ""));
        text += "</div>";
    }
    text += "</div><div><h4>names, contents and locks after it</h4>";
    text += &files(&drawing.pidfile, before, after);
    text + "</div></div>"
}

/// The colour of the task's contender.
fn class(drawing: &Drawing, task: &str) -> String {
    let task = task.trim_start_matches('!');
    let lane = drawing.lanes.iter().find(|lane| lane.task == task);
    format!("l{}", lane.map_or(0, |lane| lane.contender % 8))
}

fn chip(drawing: &Drawing, task: &str, more: &str) -> String {
    let shown = match task.strip_prefix('!') {
        Some(task) => format!("signal to {task}"),
        None => task.to_owned(),
    };
    format!("<span class=\"task {}{more}\">{}</span>", class(drawing, task), escape(&shown))
}

fn tasks(drawing: &Drawing, before: &[String], after: &[String]) -> String {
    let mut text = String::new();
    for task in after {
        text += &chip(drawing, task, if before.contains(task) { "" } else { " new" });
    }
    for task in before.iter().filter(|task| !after.contains(task)) {
        text += &chip(drawing, task, " gone");
    }
    if text.is_empty() { "<span class=\"dim\">nobody</span>".to_owned() } else { text }
}

fn files(pidfile: &str, before: &State, after: &State) -> String {
    let (old, new) = (before.files(), after.files());
    let was: HashMap<_, _> = old.iter().map(|file| (file.file, file)).collect();
    let is: HashMap<_, _> = new.iter().map(|file| (file.file, file)).collect();
    let is_told = |file: &FileState<'_>| is.get(file.file).is_some_and(|file| file.matters());
    let mut rows = String::new();
    if !pidfile.is_empty() && !after.has_name(pidfile) {
        let class = if before.has_name(pidfile) { "nobody new" } else { "nobody" };
        let name = escape(pidfile);
        let _ = write!(
            rows,
            "<tr><td><code>{name}</code></td><td><span class=\"{class}\">missing</span></td></tr>"
        );
    }
    let gone = old.iter().filter(|file| file.matters() && !is_told(file)).map(|file| (Some(file), None));
    let there =
        new.iter().filter(|file| file.matters()).map(|file| (was.get(file.file).copied(), Some(file)));
    let mut all: Vec<_> = there.chain(gone).collect();
    if all.len() > MOST_FILES {
        // What is the same as before is what can be left out.
        all.sort_by_key(|(old, new)| old == new);
    }
    for (old, new) in all.iter().take(MOST_FILES) {
        rows += &file_row(*old, *new);
    }
    if all.len() > MOST_FILES {
        let _ = write!(rows, "<tr><td colspan=\"2\">and {} more</td></tr>", all.len() - MOST_FILES);
    }
    match rows.is_empty() {
        true => "<span class=\"dim\">no file</span>".to_owned(),
        false => format!("<table class=\"files\">{rows}</table>"),
    }
}

/// One file; what is new in it is marked, and what is gone is struck through.
fn file_row(old: Option<&FileState<'_>>, new: Option<&FileState<'_>>) -> String {
    let names = |state: Option<&FileState<'_>>| -> Vec<String> {
        state.map(|state| state.names.iter().map(|name| (*name).to_owned()).collect()).unwrap_or_default()
    };
    let content = |state: Option<&FileState<'_>>| -> Vec<String> {
        state.map(FileState::shown_content).into_iter().filter(|content| !content.is_empty()).collect()
    };
    let locks = |state: Option<&FileState<'_>>| -> Vec<String> {
        let locks = state.map(|state| state.locks.as_slice()).unwrap_or_default();
        locks.iter().map(|(kind, task)| format!("locked by {task} ({kind})")).collect()
    };
    let mut called = difference(&names(old), &names(new), "code");
    if new.is_some_and(|new| new.names.is_empty()) {
        called += "<span class=\"nobody\">no name</span>";
    }
    let file = escape(new.or(old).map_or("", |state| state.file));
    let content = difference(&content(old), &content(new), "code");
    let locks = difference(&locks(old), &locks(new), "small");
    format!("<tr><td>{called}<small>file {file}</small></td><td>{content}{locks}</td></tr>")
}

fn difference(old: &[String], new: &[String], element: &str) -> String {
    let mut text = String::new();
    let mut add = |class: &str, item: &String| {
        let _ = write!(text, "<{element}><span{class}>{}</span></{element}> ", escape(item));
    };
    for item in new {
        add(if old.contains(item) { "" } else { " class=\"new\"" }, item);
    }
    old.iter().filter(|item| !new.contains(item)).for_each(|item| add(" class=\"gone\"", item));
    text
}

#[cfg(test)]
mod tests {
    use super::super::race::tests::drawing;
    use super::*;

    #[test]
    fn what_a_step_changes_is_marked() {
        let drawing = drawing();
        let created = view(&drawing, 0);
        assert!(created.contains("<span class=\"new\">d.pid</span>"), "{created}");
        assert!(created.contains("<code class=\"call\">open d.pid() = 3</code>"), "{created}");
        let locked = view(&drawing, 2);
        assert!(locked.contains("<span class=\"new\">locked by A (POSIX write)</span>"), "{locked}");
        let unlinked = view(&drawing, 6);
        assert!(unlinked.contains("<span class=\"gone\">d.pid</span>"), "{unlinked}");
        assert!(unlinked.contains("<span class=\"nobody\">no name</span>"), "{unlinked}");
        let ended = view(&drawing, 7);
        assert!(ended.contains("<span class=\"task l0 gone\">A</span>"), "{ended}");
        assert!(ended.contains("<span class=\"gone\">locked by A (POSIX write)</span>"), "{ended}");
    }

    #[test]
    fn what_stays_is_not_marked() {
        let drawing = drawing();
        assert!(!view(&drawing, 3).contains("class=\"new\""), "{}", view(&drawing, 3));
        let locked = view(&drawing, 8);
        assert!(locked.contains("<span>&quot;1001\\n&quot;</span>"), "its content is old: {locked}");
        assert!(locked.contains("<span class=\"nobody\">missing</span>"), "{locked}");
        assert!(view(&drawing, 6).contains("<span class=\"nobody new\">missing</span>"));
    }

    #[test]
    fn a_signal_is_not_the_task_s_own() {
        assert!(view(&drawing(), 5).contains("<h3>Step 6: a signal to A</h3>"));
    }

    #[test]
    fn of_many_files_those_that_changed_are_told() {
        let names = |count: usize| (0..count).map(|n| (format!("n{n}"), format!("f{n}"))).collect();
        let before = State { names: names(1000), ..State::default() };
        let after = State { names: names(1001), ..State::default() };
        let files = files("n1", &before, &after);
        assert_eq!(files.matches("<tr>").count(), MOST_FILES + 1);
        assert!(
            files.contains("<span class=\"new\">n1000</span>") && files.contains("and 981 more"),
            "{files}"
        );
    }

    #[test]
    fn a_world_without_files_says_so() {
        let files = files("", &State::default(), &State::default());
        assert_eq!(files, "<span class=\"dim\">no file</span>");
    }
}
