//! What `ps` shows of a monitor and its daemons.

use std::fs;

use daemonproof::fixture::StartOptions;
use nix::unistd::Pid;
use rstest::rstest;

use crate::support::{Mode, NEVER, REFERENCE, Running, helper, process, sandbox};

fn raw(pid: Pid, file: &str) -> Vec<u8> {
    fs::read(format!("/proc/{pid}/{file}")).unwrap()
}

#[rstest]
fn the_monitor_tells_whom_it_monitors_and_what_happened(
    #[values(Mode::Monitored, Mode::DetachedMonitored)] mode: Mode,
) {
    let running = Running::start(helper(REFERENCE).arg(NEVER), mode);
    let (first, monitor) = (running.daemon, running.monitor());
    assert_eq!(monitor.comm, "monitor");
    // The daemon may be up before its monitor has said so.
    let healthy = format!("reference: monitoring pid {first} (healthy)");
    running.wait_for("the title", || Ok((running.monitor().title() == *healthy).then_some(())));
    let second = running.crash(first);
    let began = format!(
        "reference: monitoring pid {second} (1 crashes: pid {first} died, killed (Segmentation fault)"
    );
    let title = || {
        let title = running.monitor().title().into_string().unwrap();
        Ok(title.starts_with(&began).then_some(title))
    };
    let title = running.wait_for("the new title", title);
    // Where cores are piped to a program no limit stops them.
    assert!([")", ", core dumped)"].contains(&&title[began.len()..]), "{title}");
    assert_eq!(running.monitor().comm, "monitor");
}

#[rstest]
fn a_restarted_daemon_is_shown_as_it_was_called(
    #[values(Mode::Monitored, Mode::DetachedMonitored)] mode: Mode,
) {
    let sandbox = sandbox();
    // Longer than the arguments, so that a title could reach into it.
    let options = StartOptions::new().env("MARK", "x".repeat(500));
    let running = Running::start_in(&sandbox, helper(REFERENCE).arg(NEVER), mode, options);
    let first = ["cmdline", "environ"].map(|file| raw(running.daemon, file));
    let pidfile = format!("--pidfile={}", sandbox.pidfile().display());
    assert!(process(running.daemon).cmdline.contains(&pidfile.into()), "{:?}", process(running.daemon));
    assert!(first[1].ends_with(b"\0") && String::from_utf8_lossy(&first[1]).contains(&"x".repeat(500)));
    let second = running.crash(running.daemon);
    assert_eq!(["cmdline", "environ"].map(|file| raw(second, file)), first);
    assert_eq!(process(second).comm, "reference");
}
