//! Claims about trees.

use daemonproof::observe::{Role, Roles, Tree};
use daemonproof::prelude::*;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Prepared, fails, gone_pid, holds, is_unknown, sandbox, zombie_and_parent};

fn roles_below(ready: &Prepared, daemon: Pid) -> Roles {
    let tree = Tree::below(ready.subject.reaper()).unwrap().present().unwrap();
    Roles::new(&tree, Some(daemon), ready.pid())
}

#[test]
fn a_monitored_daemon_has_two_processes() {
    let daemon = sandbox()
        .daemon(env!("CARGO_BIN_EXE_reference"))
        .detach("--detach")
        .monitor("--monitor")
        .pidfile("--pidfile={pidfile}")
        .start();
    let tree = daemon.tree().look();
    holds(&tree, roles([Role::Daemon, Role::Monitor]).and(no_zombies()).and(one_session()));
    fails(&tree, roles([Role::Daemon]));
    fails(&tree, roles([Role::Daemon, Role::Daemon, Role::Monitor]));
    fails(&tree, one_process());
    fails(&tree, no_processes());
}

#[test]
fn one_process_is_all() {
    let shell = Prepared::sh("echo ready; exec sleep 1000");
    let tree = roles_below(&shell, shell.pid());
    holds(&tree, one_process().and(one_session()).and(no_zombies()).and(roles([Role::Daemon])));
}

#[test]
fn another_session_is_told() {
    let shell = Prepared::sh("setsid sh -c 'echo ready; exec sleep 1000' & wait");
    fails(&roles_below(&shell, shell.pid()), one_session());
}

#[test]
fn a_zombie_is_told() {
    let (_, parent) = zombie_and_parent();
    let tree = roles_below(&parent, parent.pid());
    holds(&tree, roles([Role::Daemon, Role::Zombie]));
    fails(&tree, no_zombies());
    fails(&tree, one_process());
}

/// A process that is stopped until this is dropped.
struct Stopped(Pid);

impl Drop for Stopped {
    fn drop(&mut self) {
        kill(self.0, Signal::SIGCONT).ok();
    }
}

#[test]
fn a_zombie_that_the_reaper_has_yet_to_reap_is_not_the_daemons() {
    let shell = Prepared::sh("echo ready; exec sleep 1000");
    let reaper = Stopped(shell.subject.reaper());
    kill(reaper.0, Signal::SIGSTOP).unwrap();
    kill(shell.pid(), Signal::SIGKILL).unwrap();
    shell.subject.wait_gone(shell.pid(), shell.sandbox.deadline()).unwrap();
    let tree = Tree::below(reaper.0).unwrap().present().unwrap();
    assert_eq!(tree.pids().collect::<Vec<_>>(), [shell.pid()]);
    holds(&roles_below(&shell, shell.pid()), no_processes().and(no_zombies()));
}

#[test]
fn nobody_is_in_no_session() {
    let shell = Prepared::sh("echo ready; exec sleep 1000");
    let tree = Tree::below(shell.pid()).unwrap().present().unwrap();
    let nobody = Roles::new(&tree, None, gone_pid());
    holds(&nobody, no_processes().and(no_zombies()).and(roles([])));
    fails(&nobody, one_process());
    is_unknown(&nobody, one_session());
}
