//! What a failed predicate says, as a whole. The values are made, so that they are the same everywhere.

use std::fmt::Write;
use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Duration;

use daemonproof::observe::{
    Cause, Descriptor, Descriptors, Device, Fact, FileView, Gap, HeldLock, History, Inode, Life, Limit, Lock,
    LockMode, LockState, Locker, Node, Observed, Output, Pidfile, PidfileContent, Process, Role, Roles,
    SignalSet, State, Target, Tree, View, lock_state,
};
use daemonproof::prelude::*;
use nix::sys::signal::Signal::{SIGHUP, SIGPIPE, SIGSEGV, SIGTERM};
use nix::unistd::{Gid, Pid, Uid};
use predicates::BoxPredicate;
use predicates::prelude::{PredicateBoxExt, PredicateNameExt};
use predicates_tree::CaseTreeExt;

use crate::support::{Prepared, fails};

fn pid(number: i32) -> Pid {
    Pid::from_raw(number)
}

/// What is said about each of `predicates`, none of which holds.
fn said<T>(subject: &T, predicates: Vec<BoxPredicate<T>>) -> String {
    let mut text = String::new();
    for predicate in predicates {
        write!(text, "{}\n\n", fails(subject, predicate)).unwrap();
    }
    text
}

macro_rules! assert_said {
    ($subject:expr, $($predicate:expr),+ $(,)?) => {
        let text = said($subject, vec![$($predicate.boxed()),+]);
        insta::assert_snapshot!(text)
    };
}

/// A daemon gone wrong in all that can be told of a process.
fn process() -> Process {
    let mut process = Process::of(Pid::this()).unwrap().present().unwrap();
    (process.pid, process.ppid, process.pgid, process.sid) = (pid(812), pid(700), pid(812), pid(650));
    process.tty = Some(Device { major: 136, minor: 3 });
    process.state = State::Sleeping;
    process.comm = "mydaemon".into();
    process.cmdline = ["mydaemon", "--detach"].map(Into::into).to_vec();
    process.cwd = Fact::Known("/srv/build".into());
    process.threads = 3;
    let ids = &mut process.uids;
    (ids.real, ids.effective, ids.saved, ids.filesystem) =
        (Uid::from_raw(33), Uid::from_raw(33), Uid::from_raw(0), Uid::from_raw(33));
    let ids = &mut process.gids;
    (ids.real, ids.effective, ids.saved, ids.filesystem) =
        (Gid::from_raw(33), Gid::from_raw(33), Gid::from_raw(33), Gid::from_raw(33));
    process.groups = vec![Gid::from_raw(4), Gid::from_raw(0)];
    process.umask = Some(0);
    process.signals.blocked = SignalSet::from_bits(0x4001);
    process.signals.ignored = SignalSet::from_bits(0x1000);
    process.signals.caught = SignalSet::from_bits(0x2);
    process.capabilities.effective = 0;
    process.capabilities.permitted = 1 << 10 | 1 << 12;
    process.core_limit = Limit { soft: None, hard: None };
    process
}

fn inode(number: u64) -> Inode {
    Inode { device: Device { major: 254, minor: 1 }, number }
}

/// It holds what a careless daemon does.
fn descriptors() -> Descriptors {
    let null = Descriptors::of(Prepared::sh("echo ready; sleep 1000 & wait").pid());
    let sample = null.unwrap().present().unwrap().get(0).cloned().unwrap();
    let descriptor = |fd, target, close_on_exec| {
        let mut descriptor: Descriptor = sample.clone();
        (descriptor.fd, descriptor.target, descriptor.close_on_exec) = (fd, target, close_on_exec);
        descriptor.inode = Some(inode(fd.unsigned_abs().into()));
        descriptor
    };
    let file = |path: &str| Target::File { path: path.into(), deleted: false };
    let list = [
        descriptor(0, Target::Null, false),
        descriptor(1, Target::Pipe(4711), false),
        descriptor(3, file("/run/mydaemon.pid"), true),
        descriptor(4, file("/etc/secret"), false),
        descriptor(5, Target::Pipe(4712), true),
        descriptor(6, Target::Socket(4713), true),
        descriptor(7, Target::File { path: "/var/log/d.log".into(), deleted: true }, true),
    ];
    Descriptors::from_parts(pid(812), list)
}

fn view() -> View {
    View::from_parts(pid(812), Observed::Present(process()), Observed::Present(descriptors()))
}

#[test]
fn about_life() {
    let mut zombie_process = process();
    zombie_process.state = State::Zombie;
    let threaded_view = View::from_parts(pid(812), Observed::Present(zombie_process.clone()), Observed::Gone);
    zombie_process.threads = 1;
    let none = || Observed::Present(Descriptors::from_parts(pid(812), []));
    let zombie_view = View::from_parts(pid(812), Observed::Present(zombie_process), none());
    let gone_view = View::from_parts(pid(812), Observed::Gone, Observed::Gone);
    let text = said(&view(), vec![ended().boxed(), gone().boxed(), zombie().boxed(), alive().not().boxed()])
        + &said(&threaded_view, vec![ended().boxed(), zombie().boxed()])
        + &said(&zombie_view, vec![alive().boxed(), gone().boxed(), no_pipe().boxed()])
        + &said(&gone_view, vec![alive().boxed(), zombie().boxed(), session_leader().not().boxed()]);
    insta::assert_snapshot!(text);
}

#[test]
fn about_a_process() {
    assert_said!(
        &view(),
        session_leader(),
        not_session_leader().not(),
        no_terminal(),
        child_of(pid(1)),
        not_child_of(pid(700)),
        cwd("/"),
        umask(0o022),
        comm("d"),
        title(predicate::str::contains("healthy")),
        single_threaded(),
        uid(Uid::from_raw(33)),
        gid(Gid::from_raw(1000)),
        groups([]),
        no_capabilities(),
        capabilities(1 << 10),
        blocks(SIGPIPE),
        blocks_nothing(),
        ignores(SIGHUP),
        catches(SIGTERM),
        default_action(SIGPIPE),
        core_limit(0),
    );
}

#[test]
fn about_what_is_hidden() {
    let mut hidden = process();
    (hidden.cwd, hidden.umask) = (Fact::Denied, None);
    let view = View::from_parts(pid(812), Observed::Present(hidden), Observed::Gone);
    let mut deep = process();
    deep.cwd = Fact::TooLong;
    let deep = View::from_parts(pid(812), Observed::Present(deep), Observed::Gone);
    let text = said(&view, vec![cwd("/").boxed(), umask(0).boxed(), no_pipe().boxed()])
        + &said(&deep, vec![cwd("/").boxed(), cwd("/").not().boxed()]);
    insta::assert_snapshot!(text);
}

#[test]
fn about_descriptors() {
    let baseline = Descriptors::from_parts(pid(700), descriptors().iter().take(4).cloned());
    assert_said!(
        &view(),
        stdio_is_null(),
        stdin_is("/dev/tty"),
        stdout_is("/var/log/d.log"),
        stderr_is("/dev/null"),
        no_leaks_against(&baseline),
        no_other_fds_than([0, 1, 2, 3, 7]),
        close_on_exec(),
        at_most_fds(3),
        no_fd_of("/var/log/d.log"),
        no_fd_of_inode(inode(4)),
        no_pipe(),
        no_socket(),
        no_socket().not().not(),
    );
}

/// A pidfile with this content, and one of its locks by pid 812.
fn pidfile(content: &[u8]) -> (Pidfile, Lock) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("d.pid");
    fs::write(&path, content).unwrap();
    let file = File::open(&path).unwrap();
    file.lock().unwrap();
    let mut lock = lock_state(&path).unwrap().held[0];
    (lock.kind, lock.locker) = (LockKind::Posix, Locker::Process(pid(812)));
    let mut pidfile = Pidfile::at(&path);
    pidfile.path = "/run/d.pid".into();
    let facts = pidfile.file.as_mut().unwrap();
    (facts.mode, facts.uid, facts.gid) = (0o666, 33, 33);
    (pidfile, lock)
}

fn file_view(content: &[u8], named: Observed<Process>, locks: impl FnOnce(Lock, &mut LockState)) -> FileView {
    let (pidfile, lock) = pidfile(content);
    let mut state = LockState::default();
    locks(lock, &mut state);
    let held = state.held.iter().map(|&lock| HeldLock { pid: pid(812), fd: 5, lock }).collect();
    FileView::from_parts(pidfile, state, named, held)
}

#[test]
fn about_a_pidfile() {
    let view = file_view(b"812\nmore", Observed::Present(process()), |_, _| {});
    assert_said!(
        &view,
        missing(),
        exists().not(),
        names(pid(900)),
        well_formed().not(),
        only_a_pid(),
        ends_with_newline(),
        mode(0o644),
        owner(Uid::from_raw(0)),
        owner_group(Gid::from_raw(0)),
        names_running().not(),
        owned(),
        stale(),
    );
}

#[test]
fn about_what_is_no_pidfile() {
    let malformed = file_view(b"pid=812\n", Observed::Gone, |lock, state| state.held.push(lock));
    let absent = FileView::at("/nonexistent/d.pid");
    let (mut linked, _) = pidfile(b"812\n");
    linked.symlink = Some(PathBuf::from("/etc/passwd"));
    let linked = FileView::from_parts(linked, LockState::default(), Observed::Gone, Vec::new());
    let (mut unreadable, _) = pidfile(b"");
    unreadable.content = PidfileContent::Unreadable(nix::errno::Errno::EACCES);
    let unreadable = FileView::from_parts(unreadable, LockState::default(), Observed::Gone, Vec::new());
    let text = said(&malformed, vec![well_formed().boxed(), names_running().boxed(), stale().boxed()])
        + &said(&absent, vec![exists().boxed(), names(pid(812)).boxed(), mode(0o644).boxed()])
        + &said(&absent, vec![owned().boxed(), unlocked().boxed()])
        + &said(&linked, vec![regular().boxed(), owned().boxed(), names_running().boxed()])
        + &said(&unreadable, vec![names(pid(812)).boxed(), stale().boxed(), owned().boxed()]);
    insta::assert_snapshot!(text);
}

#[test]
fn about_locks() {
    let contended = file_view(b"812\n", Observed::Present(process()), |lock, state| {
        let (mut second, mut waiting) = (lock, lock);
        (second.kind, second.mode, second.locker) = (LockKind::Ofd, LockMode::Read, Locker::FileDescription);
        (waiting.kind, waiting.locker) = (LockKind::Flock, Locker::Process(pid(900)));
        (state.held, state.awaited) = (vec![lock, second], vec![waiting]);
    });
    let free = file_view(b"812\n", Observed::Present(process()), |_, _| {});
    let text =
        said(
            &contended,
            vec![
                locked_by(pid(900)).boxed(),
                locked_by(pid(812)).not().boxed(),
                locked_with(LockKind::Flock).boxed(),
                unlocked().boxed(),
                nobody_waits().boxed(),
                stale().boxed(),
            ],
        ) + &said(&free, vec![locked().boxed(), locked_exclusively().boxed(), locked_by(pid(812)).boxed()]);
    insta::assert_snapshot!(text);
}

/// A monitor, its daemon in another session, and a zombie.
fn tree() -> Roles {
    let shell = Prepared::sh("echo ready; exec sleep 1000");
    let tree = Tree::below(shell.subject.reaper()).unwrap().present().unwrap();
    let sample = tree.find(|node| node.pid == shell.pid()).unwrap();
    let node = |number, parent, session, comm: &str, state| {
        let mut node: Node = sample.clone();
        (node.pid, node.ppid, node.sid) = (pid(number), pid(parent), pid(session));
        (node.comm, node.state) = (comm.into(), state);
        node.title = if state == State::Zombie { "".into() } else { format!("{comm} --detach").into() };
        node
    };
    Roles::from_parts([
        (Role::Monitor, node(812, 700, 812, "monitor", State::Sleeping)),
        (Role::Zombie, node(813, 812, 812, "mydaemon", State::Zombie)),
        (Role::Daemon, node(814, 812, 814, "mydaemon", State::Running)),
    ])
}

#[test]
fn about_a_tree() {
    let nobody = Roles::from_parts([]);
    let text =
        said(
            &tree(),
            vec![
                roles([Role::Daemon, Role::Monitor]).boxed(),
                no_zombies().boxed(),
                one_process().boxed(),
                no_processes().boxed(),
                one_session().boxed(),
            ],
        ) + &said(&nobody, vec![one_process().boxed(), one_session().boxed(), roles([Role::Daemon]).boxed()]);
    insta::assert_snapshot!(text);
}

#[test]
fn about_restarts() {
    let life = |number, ms: u64, ended, gap| {
        let mut life = Life::new(pid(number), Duration::from_millis(5_000 + ms));
        (life.ended, life.gap) = (ended, gap);
        life
    };
    let history = History {
        lives: vec![
            life(812, 0, Some(Cause::Signal(SIGSEGV)), None),
            life(815, 40, Some(Cause::Status(1)), Some(Gap { looks: 3, unlocked: 1 })),
            life(819, 10_040, None, Some(Gap::default())),
        ],
    };
    let once = History { lives: vec![life(812, 0, None, None)] };
    let ten = Duration::from_secs(10);
    let text =
        said(
            &history,
            vec![
                restarts(1).boxed(),
                restarts_at_least(3).boxed(),
                restarts_at_most(1).boxed(),
                intervals_at_least(ten).boxed(),
                intervals_at_most(Duration::from_millis(1500)).boxed(),
                restart_cause(Cause::Signal(SIGSEGV)).boxed(),
                lock_survives(2).boxed(),
            ],
        ) + &said(&once, vec![intervals_at_least(ten).boxed(), restart_cause(Cause::Status(3)).boxed()])
            + &said(&History::default(), vec![restarts(0).boxed()]);
    insta::assert_snapshot!(text);
}

#[test]
fn about_output() {
    let long: String = (1..=100).map(|n| format!("request {n}\n")).collect();
    let output = Output { stdout: long, stderr: "warning: \x1b[31mred\x1b[0m\n".to_owned() };
    use predicates::str::{contains, is_empty};
    assert_said!(
        &output,
        stdout(contains("request 1\n").and(contains("ready"))),
        stderr(is_empty()),
        stderr(contains("warning").not()),
        stderr(predicate::eq("")),
        stdout(contains("request").count(3).name("three requests")),
    );
}

#[test]
fn about_several_claims() {
    assert_said!(
        &view(),
        alive().and(session_leader()).and(cwd("/")),
        alive().and(zombie().or(session_leader())),
        cwd("/").or(umask(0o022)),
        PredicateBooleanExt::not(alive().and(child_of(pid(700)))),
        alive().and(session_leader()).name("it is a well-behaved daemon"),
    );
}

#[test]
fn about_what_was_never_to_be() {
    let view = view();
    let held = |predicate: BoxPredicate<View>| explain(&predicate.find_case(true, &view).unwrap());
    let text = [
        held(alive().boxed()),
        held(alive().and(child_of(pid(700))).boxed()),
        held(zombie().or(alive()).boxed()),
        held(PredicateBooleanExt::not(zombie().or(ended())).boxed()),
    ]
    .join("\n\n");
    insta::assert_snapshot!(text);
}

#[test]
fn the_tree_of_the_crate_predicates_tells_the_same() {
    let predicate = alive().and(session_leader());
    let (view, file) = (view(), file_view(b"812\n", Observed::Present(process()), |_, _| {}));
    let owned = owned();
    let [first, second] = [predicate.find_case(false, &view), owned.find_case(false, &file)];
    let text = format!("{}\n{}", first.unwrap().tree(), second.unwrap().tree());
    insta::assert_snapshot!(text);
}
