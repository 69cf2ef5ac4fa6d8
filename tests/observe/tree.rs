use daemonproof::observe::{State, Tree};
use nix::unistd::Pid;

use crate::support::Idle;

fn below(pid: Pid) -> Tree {
    Tree::below(pid)
        .unwrap()
        .present()
        .expect("the process is there")
}

/// A shell that has started another, in a session of its own, that has started `cat`.
/// Each waits for the end of the same standard input.
fn family() -> Idle {
    let inner = "cat <&3 & echo ready >&2; read x <&3; wait";
    Idle::spawn(&mut Idle::shell(&format!(
        "exec 3<&0; setsid sh -c '{inner}' & wait"
    )))
}

#[test]
fn descendants_are_found_whatever_their_session() {
    let root = family();
    let tree = below(root.pid());
    assert_eq!(tree.root().map(|node| node.pid), Some(root.pid()));
    assert!(tree.pids().all(|pid| pid != root.pid()));
    let middle = tree
        .find(|node| node.ppid == root.pid())
        .expect("there is a child");
    assert_eq!(tree.root().unwrap().children, [middle.pid]);
    assert!(
        tree.find(|node| node.ppid == middle.pid).is_some(),
        "{tree}"
    );
    assert_eq!(middle.sid, middle.pid);
    assert_ne!(Some(middle.sid), tree.root().map(|node| node.sid));
    assert!(below(Pid::this()).pids().any(|pid| pid == middle.pid));
}

#[test]
fn a_session_is_its_members() {
    let root = family();
    let tree = below(root.pid());
    let leader = tree
        .find(|node| node.sid == node.pid)
        .expect("there is a session")
        .pid;
    let session = Tree::of_session(leader).unwrap();
    assert!(session.root().is_none());
    assert!(session.pids().any(|pid| pid == leader) && session.pids().all(|pid| pid != root.pid()));
    assert!(session.nodes().all(|node| node.sid == leader));
    assert!(
        Tree::of_session(Pid::from_raw(i32::MAX))
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_zombie_is_shown_as_one_and_the_gone_are_gone() {
    let mut child = Idle::start();
    child.become_zombie();
    let tree = below(Pid::this());
    let seen = tree
        .find(|node| node.pid == child.pid())
        .expect("a zombie is a child still");
    assert_eq!((seen.state, seen.title.is_empty()), (State::Zombie, true));
    assert_eq!(seen.to_string(), format!("{} sh (Z)", child.pid()));
    assert!(below(child.pid()).is_empty());
    assert!(Tree::below(child.end()).unwrap().is_gone());
}

#[test]
fn processes_that_come_and_go_do_no_harm() {
    std::thread::scope(|scope| {
        let spawning = scope.spawn(|| {
            for _ in 0..100 {
                drop(Idle::start());
            }
        });
        while !spawning.is_finished() {
            let tree = below(Pid::this());
            assert!(tree.pids().all(|pid| pid != Pid::this()));
        }
    });
}

#[test]
fn a_tree_is_drawn_with_a_line_for_each() {
    let root = family();
    let tree = below(root.pid());
    let drawn = tree.to_string();
    assert_eq!(drawn.lines().count(), 1 + tree.nodes().count());
    assert!(
        drawn.starts_with(&format!("{} sh: sh -c exec 3<&0; ", root.pid())),
        "{drawn}"
    );
    let middle = tree.find(|node| node.ppid == root.pid()).unwrap().pid;
    assert!(
        drawn.contains(&format!("\n  {middle} sh: sh -c cat <&3 & ")),
        "{drawn}"
    );
}
