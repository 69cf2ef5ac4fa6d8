//! Claims about what a process is.

use daemonproof::observe::View;
use daemonproof::prelude::*;
use nix::fcntl::OFlag;
use nix::unistd::Pid;
use rstest::rstest;

use crate::support::{Prepared, fails, gone_pid, holds, is_unknown, sandbox, sh, zombie_and_parent};

#[rstest]
#[case::life(alive(), ended())]
#[case::presence(gone().not(), gone())]
#[case::zombie(zombie().not(), zombie())]
#[case::session(not_session_leader(), session_leader())]
#[case::terminal(no_terminal(), no_terminal().not())]
#[case::directory(cwd("/"), cwd("/usr"))]
#[case::umask(umask(0o027), umask(0o022))]
#[case::comm(comm("sh"), comm("s"))]
#[case::title(title(predicate::str::starts_with("sh -c cd /;")), title(predicate::str::is_empty()))]
#[case::threads(single_threaded(), single_threaded().not())]
fn a_process_is_as_its_script_made_it(#[case] is: Claim<View>, #[case] is_not: Claim<View>) {
    let shell = Prepared::sh("cd /; umask 027; echo ready; sleep 1000 & wait");
    holds(&shell.view(), is);
    fails(&shell.view(), is_not);
}

#[test]
fn a_child_leads_no_session_and_has_its_parent() {
    let shell = Prepared::sh("sleep 1000 & echo $!; echo ready; wait");
    let (child, parent) = (View::of(shell.printed()), shell.pid());
    holds(&child, not_session_leader().and(child_of(parent)).and(not_child_of(Pid::this())));
    fails(&child, session_leader());
    fails(&child, child_of(Pid::this()));
    fails(&child, not_child_of(parent));
}

#[test]
fn a_second_fork_gives_up_the_lead() {
    let sandbox = sandbox();
    let start = |arguments: &[&str]| {
        let command = sandbox.daemon(env!("CARGO_BIN_EXE_reference")).args(arguments.iter().copied());
        let command = command.detach("--detach").pidfile("--pidfile={pidfile}");
        if arguments.is_empty() { command } else { command.monitored() }.start()
    };
    let alone = start(&[]);
    alone.assert(session_leader().and(no_terminal()).and(cwd("/")));
    alone.assert(not_child_of(alone.subject().pid()).and(child_of(alone.subject().reaper())));
    alone.stop();
    let monitored = start(&["--monitor"]);
    let monitor = monitored.monitor_pid().unwrap();
    monitored.assert(not_session_leader().and(child_of(monitor)));
    monitored.monitor().assert(session_leader().and(comm("monitor")));
    monitored.monitor().assert(title(predicate::str::contains("(healthy)")));
    monitored.try_assert(session_leader()).unwrap_err();
}

#[test]
fn a_daemon_that_stays_where_it_was_is_found_out() {
    let sandbox = sandbox();
    let command = sandbox.daemon(env!("CARGO_BIN_EXE_defective")).args(["--defect", "keeps-directory"]);
    let daemon = command.detach("--detach").pidfile("--pidfile={pidfile}").start();
    daemon.try_assert(cwd("/")).unwrap_err();
}

#[test]
fn a_terminal_is_found() {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = nix::pty::posix_openpt(flags).unwrap();
    nix::pty::grantpt(&master).unwrap();
    nix::pty::unlockpt(&master).unwrap();
    let name = nix::pty::ptsname_r(&master).unwrap();
    let terminal = nix::fcntl::open(name.as_str(), flags, nix::sys::stat::Mode::empty()).unwrap();
    let options = StartOptions::new().terminal(terminal);
    let shell = Prepared::start(sandbox(), &sh("echo ready; sleep 1000 & wait"), options);
    fails(&shell.view(), no_terminal());
}

#[test]
fn a_thread_is_counted() {
    let script = "import signal, threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n\
        print('ready', flush=True)\nsignal.pause()";
    fails(&Prepared::python(script).view(), single_threaded());
}

#[test]
fn a_process_lives_as_long_as_one_of_its_threads() {
    let script = format!(
        "import ctypes, threading\nthreading.Thread(target=threading.Event().wait).start()\n\
         print('ready', flush=True)\nctypes.CDLL(None).syscall({}, 0)",
        nix::libc::SYS_exit
    );
    let process = Prepared::python(&script);
    let first_ended = || {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", process.pid())).unwrap();
        Ok::<_, FixtureError>(text.contains(") Z ").then_some(()))
    };
    process.subject.wait_until("its first thread to end", process.sandbox.deadline(), first_ended).unwrap();
    holds(&process.view(), alive().and(zombie().not()).and(ended().not()));
}

#[test]
fn a_long_name_is_cut_as_the_kernel_does() {
    let script = "import signal\nopen('/proc/self/comm', 'w').write('abcdefghijklmnopqrst')\n\
        print('ready', flush=True)\nsignal.pause()";
    let renamed = Prepared::python(script);
    let view = renamed.view();
    holds(&view, comm("abcdefghijklmnopqrst").and(comm("abcdefghijklmno")));
    fails(&view, comm("abcdefghijklmn"));
}

#[test]
fn a_zombie_has_ended_and_is_not_gone() {
    let (zombie_pid, _parent) = zombie_and_parent();
    let view = View::of(zombie_pid);
    holds(&view, zombie().and(ended()));
    fails(&view, alive());
    fails(&view, gone());
    fails(&view, cwd("/"));
    is_unknown(&view, umask(0o022));
}

#[test]
fn what_is_gone_fulfils_nothing_else() {
    let view = View::of(gone_pid());
    holds(&view, gone().and(ended()).and(alive().not()));
    let claims = [
        zombie(),
        session_leader(),
        not_session_leader(),
        no_terminal(),
        child_of(Pid::this()),
        not_child_of(Pid::this()),
        cwd("/"),
        umask(0o022),
        comm("sh"),
        title(predicate::always()),
        single_threaded(),
        no_capabilities(),
        blocks_nothing(),
        core_limit(0),
        stdio_is_null(),
        at_most_fds(1000),
        close_on_exec(),
    ];
    for claim in claims {
        is_unknown(&view, claim);
    }
}
