//! What several of the tests need: processes to look at, and judging.

use std::time::Duration;

use daemonproof::prelude::*;
use nix::unistd::Pid;

/// A sandbox that is patient: the machine may be slow.
pub(crate) fn sandbox() -> Sandbox {
    Sandbox::new().unwrap().timeout(Duration::from_secs(60))
}

pub(crate) fn sh(script: &str) -> CommandLine {
    CommandLine::new("sh").args(["-c", script])
}

pub(crate) fn python(script: &str) -> CommandLine {
    CommandLine::new("python3").args(["-c", script])
}

/// A program that has said that it is ready, and does nothing any more.
pub(crate) struct Prepared {
    pub(crate) sandbox: Sandbox,
    pub(crate) subject: Subject,
    /// What it printed before.
    pub(crate) words: Vec<String>,
}

impl Prepared {
    /// Starts `command` and waits until it has printed `ready`.
    pub(crate) fn start(sandbox: Sandbox, command: &CommandLine, options: StartOptions) -> Self {
        let subject = sandbox.start(command, options).unwrap();
        let said = || {
            let text = String::from_utf8(subject.stdout()?).unwrap();
            let before = text.strip_suffix("ready\n");
            Ok::<_, FixtureError>(before.map(|text| text.split_whitespace().map(str::to_owned).collect()))
        };
        let words = subject.wait_until("it to be ready", sandbox.deadline(), said).unwrap();
        Self { sandbox, subject, words }
    }

    pub(crate) fn sh(script: &str) -> Self {
        Self::start(sandbox(), &sh(script), StartOptions::new())
    }

    pub(crate) fn python(script: &str) -> Self {
        Self::start(sandbox(), &python(script), StartOptions::new())
    }

    pub(crate) fn pid(&self) -> Pid {
        self.subject.pid()
    }

    /// The process whose number was printed first.
    pub(crate) fn printed(&self) -> Pid {
        Pid::from_raw(self.words[0].parse().unwrap())
    }

    pub(crate) fn view(&self) -> observe::View {
        observe::View::of(self.pid())
    }
}

/// The pid of a child that has ended and is not reaped, with the parent that will not.
pub(crate) fn zombie_and_parent() -> (Pid, Prepared) {
    let script = "import os, signal\nchild = os.fork()\nif child == 0: os._exit(0)\n\
        print(child, 'ready', flush=True)\nsignal.pause()";
    let parent = Prepared::python(script);
    let zombie = parent.printed();
    parent.subject.wait_gone(zombie, parent.sandbox.deadline()).unwrap();
    (zombie, parent)
}

/// A number that was a process, and is none: its parent has reaped it.
pub(crate) fn gone_pid() -> Pid {
    let sandbox = sandbox();
    let subject = sandbox.start(&sh(":"), StartOptions::new()).unwrap();
    subject.wait_empty(sandbox.deadline()).unwrap();
    subject.pid()
}

#[track_caller]
pub(crate) fn holds<T>(subject: &T, predicate: impl Predicate<T>) {
    if let Some(case) = predicate.find_case(false, subject) {
        panic!("does not hold:\n{}", explain(&case));
    }
    assert!(predicate.eval(subject) && predicate.find_case(true, subject).is_some());
}

/// What is said about `predicate` that does not hold.
#[track_caller]
pub(crate) fn fails<T>(subject: &T, predicate: impl Predicate<T>) -> String {
    if let Some(case) = predicate.find_case(true, subject) {
        panic!("holds:\n{}", explain(&case));
    }
    assert!(!predicate.eval(subject));
    predicate.find_case(false, subject).map(|case| explain(&case)).unwrap()
}

/// Neither `claim` nor its opposite holds.
#[track_caller]
pub(crate) fn is_unknown<T: 'static>(subject: &T, claim: Claim<T>) {
    assert!(!claim.judge(subject).is_known());
    fails(subject, claim.clone());
    fails(subject, claim.not());
}
