//! An inspection for a terminal.

use super::inspection::{Inspection, Pidfile, Process, State};
use super::wrap::printable;
use anstyle::{AnsiColor, Style};
use std::fmt::Write;

const BOLD: Style = Style::new().bold();
const LABEL_WIDTH: usize = 11;

/// Sections with a heading, facts with a label.
pub(crate) fn inspection_text(inspection: &Inspection) -> String {
    let mut text = String::new();
    if let Some(pidfile) = &inspection.pidfile {
        pidfile_text(&mut text, pidfile);
    }
    if let Some(process) = &inspection.process {
        process_text(&mut text, "process", process);
        match &inspection.descriptors {
            Some(descriptors) => section(&mut text, "descriptors", descriptors),
            None => section(&mut text, "descriptors", &["not permitted to look".to_owned()]),
        }
    }
    if let Some(monitor) = &inspection.monitor {
        process_text(&mut text, "monitor", monitor);
    }
    if !inspection.tree.is_empty() {
        section(&mut text, "tree", &inspection.tree);
    }
    text
}

fn pidfile_text(text: &mut String, pidfile: &Pidfile) {
    let style = match pidfile.state {
        State::Owned => AnsiColor::Green.on_default().bold(),
        State::NotLocked | State::BeingCreated => AnsiColor::Yellow.on_default().bold(),
        _ => AnsiColor::Red.on_default().bold(),
    };
    let path = printable(&pidfile.path);
    let _ = writeln!(text, "{BOLD}{path}{BOLD:#}: {style}{}{style:#}", printable(&pidfile.explanation));
    let mut facts = vec![("content", pidfile.content.clone())];
    facts.extend(pidfile.symlink_to.clone().map(|target| ("leads to", target)));
    if let (Some(mode), Some(uid), Some(gid)) = (&pidfile.mode, pidfile.uid, pidfile.gid) {
        facts.push(("mode", format!("{mode}, owner {uid}:{gid}")));
        facts.extend(locks(&pidfile.locks));
    }
    if let Some(guard) = &pidfile.guard {
        facts.push(("guard", guard.path.clone()));
        facts.extend(locks(&guard.locks));
    }
    label(text, &facts);
}

fn locks(locks: &[String]) -> Vec<(&'static str, String)> {
    match locks {
        [] => vec![("locks", "none".to_owned())],
        locks => locks.iter().map(|lock| ("lock", lock.clone())).collect(),
    }
}

fn process_text(text: &mut String, heading: &str, process: &Process) {
    let Process { pid, comm, state, parent, group, session, .. } = process;
    let _ = writeln!(text, "\n{BOLD}{heading} {pid}{BOLD:#} ({})", printable(comm));
    let some = |value: &Option<String>, none: &str| value.clone().unwrap_or_else(|| none.to_owned());
    let parent_comm = process.parent_comm.as_ref().map(|comm| format!(" ({comm})"));
    let hidden = "not to be seen";
    let mut facts = vec![
        ("title", process.title.clone()),
        ("state", state.to_string()),
        ("parent", format!("{parent}{}", parent_comm.unwrap_or_default())),
        ("session", format!("{session}, group {group}")),
        ("terminal", some(&process.terminal, "none")),
        ("executable", some(&process.exe, hidden)),
        ("directory", some(&process.cwd, hidden)),
        ("user", format!("{}, group {}", process.uids, process.gids)),
        ("umask", some(&process.umask, "none")),
        ("threads", process.threads.to_string()),
    ];
    facts.extend(process.memory_kib.map(|kib| ("memory", format!("{kib} KiB"))));
    facts.extend(process.age_s.map(|age_s| ("started", format!("{age_s} s ago"))));
    label(text, &facts);
}

fn section(text: &mut String, heading: &str, lines: &[String]) {
    let _ = writeln!(text, "\n{BOLD}{heading}{BOLD:#}");
    for line in lines {
        let _ = writeln!(text, "  {}", printable(line));
    }
}

fn label(text: &mut String, facts: &[(&str, String)]) {
    for (name, value) in facts {
        let _ = writeln!(text, "  {name:LABEL_WIDTH$}{}", printable(value));
    }
}

#[cfg(test)]
mod tests {
    use super::super::inspection::{Guard, Ids};
    use super::*;

    #[test]
    fn every_fact_has_its_place() {
        let ids = Ids { real: 0, effective: 7, saved: 7 };
        let process = Process {
            pid: 812,
            comm: "mydaemon".into(),
            title: "mydaemon\x1b[2J --detach".into(),
            state: 'S',
            parent: 811,
            parent_comm: Some("monitor".into()),
            group: 811,
            session: 811,
            terminal: None,
            exe: Some("/usr/sbin/mydaemon".into()),
            cwd: None,
            uids: ids,
            gids: Ids { real: 0, effective: 0, saved: 0 },
            umask: Some("022".into()),
            threads: 1,
            memory_kib: Some(2048),
            age_s: Some(61),
        };
        let inspection = Inspection {
            pidfile: Some(Pidfile {
                path: "/run/d.pid".into(),
                symlink_to: None,
                state: State::Owned,
                explanation: "owned by pid 812 (mydaemon)".into(),
                content: "pid 812".into(),
                mode: Some("0644".into()),
                uid: Some(0),
                gid: Some(0),
                locks: vec!["POSIX write lock of pid 812 (mydaemon)".into()],
                guard: Some(Guard { path: "/run/.d.pid.lock".into(), locks: Vec::new() }),
            }),
            process: Some(process),
            monitor: None,
            descriptors: Some(vec!["  0 rw   /dev/null".into()]),
            tree: vec!["811 monitor (S)".into(), "  812 mydaemon (S)".into()],
        };
        let text = inspection_text(&inspection);
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string());
        insta::assert_snapshot!(super::super::json::to_json(&inspection).unwrap());
    }
}
