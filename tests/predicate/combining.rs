//! Claims among themselves, and beside the names of others.

use daemonproof::observe::View;
// All that a test may import at once: no name that is used is ambiguous.
use daemonproof::predicate::*;
use daemonproof::prelude::*;
use nix::unistd::Pid;
use predicates::prelude::*;

use crate::support::{Prepared, fails, gone_pid, holds, is_unknown};

#[test]
fn claims_combine_with_any_predicate() {
    let me = View::of(Pid::this());
    holds(&me, alive().and(zombie().not()).and(child_of(Pid::parent())));
    holds(&me, zombie().or(alive()));
    holds(&me, alive().and(predicate::function(|view: &View| view.pid() == Pid::this())));
    holds(&me, alive().boxed());
    holds(&me, !zombie());
    holds(&me, alive().name("lives"));
    fails(&me, alive().and(zombie()));
    fails(&me, zombie().or(ended()));
}

#[test]
fn the_opposite_of_the_opposite_is_the_claim() {
    let claim = alive().not().not();
    holds(&View::of(Pid::this()), claim);
    fails(&View::of(gone_pid()), alive().not().not());
    let text = alive().not().to_string();
    assert_eq!(text, "it is not so that it is alive");
}

#[test]
fn a_claim_may_be_sent_and_cloned() {
    fn needs<T: Send + Sync + Clone + std::fmt::Debug + 'static>(value: T) -> T {
        value
    }
    let claim = needs(not_session_leader());
    let shell = Prepared::sh("echo ready; exec sleep 1000");
    let pid = shell.pid();
    std::thread::spawn(move || holds(&View::of(pid), claim)).join().unwrap();
    assert_eq!(format!("{:?}", zombie()), "Claim(\"it is a zombie\")");
}

#[test]
fn a_claim_of_ones_own_is_as_good() {
    let mine = Claim::new("its program is this one", |view: &View| match view.process() {
        Ok(observe::Observed::Present(process)) => match (process.exe.known(), std::env::current_exe()) {
            (Some(exe), Ok(this)) => Finding::new(*exe == this).with("program", exe.display()),
            _ => Finding::unknown(),
        },
        _ => Finding::unknown(),
    });
    holds(&View::of(Pid::this()), mine.clone().and(alive()));
    let shell = Prepared::sh("echo ready; sleep 1000 & wait");
    fails(&shell.view(), mine.clone());
    holds(&shell.view(), mine.clone().not());
    is_unknown(&View::of(gone_pid()), mine);
}

#[test]
fn nothing_in_a_text_escapes_to_the_terminal() {
    let said = fails(&View::of(Pid::this()), comm("\x1b[2J\n").or(zombie()));
    assert!(!said.contains('\x1b') && said.contains("\\u{1b}[2J\\n"), "{said}");
}
