//! The clock in the hand of a test: when time passes and when not, and what ends with it.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use daemonproof::fixture::Pidfd;
use daemonproof::prelude::*;

use crate::peers::{Missing, python};
use crate::support::{assert_about, compile};

const SECOND: Duration = Duration::from_secs(1);

fn shell(sandbox: &Sandbox, script: &str) -> DaemonCommand {
    sandbox.daemon("sh").args(["-c", script]).virtual_time()
}

#[test]
fn time_passes_only_as_far_as_it_is_let() {
    let sandbox = Sandbox::new().unwrap();
    let daemon = shell(&sandbox, "sleep 10; exit 7").start();
    assert!(daemon.clock().passed() < SECOND);
    daemon.clock().advance(9 * SECOND).unwrap();
    assert_about(daemon.clock().passed(), 9);
    daemon.assert(alive()).assert(always_for(SECOND / 2, alive()));
    assert_about(daemon.clock().passed() - SECOND / 2, 9);
    let before = daemon.clock().now();
    daemon.clock().advance(100 * SECOND).unwrap();
    assert_about(daemon.clock().now().duration_since(before).unwrap(), 100);
    assert_eq!(daemon.subject().wait_exit(sandbox.deadline()).unwrap().code(), Some(7));
}

/// Else the daemon would be gone before anybody looks.
#[test]
fn no_time_passes_once_what_is_waited_for_is_there() {
    let sandbox = Sandbox::new().unwrap();
    for _ in 0..10 {
        let daemon = shell(&sandbox, "sleep 5; echo $$ >{pidfile}; sleep 1; exit 3").has_pidfile().start();
        assert_about(daemon.clock().passed(), 5);
        daemon.assert(alive());
        std::fs::remove_file(sandbox.pidfile()).unwrap();
    }
}

#[test]
fn what_becomes_due_does_so_in_order() {
    let sandbox = Sandbox::new().unwrap();
    let script = "for n in 30 10 20; do (sleep $n; echo $n) & done; wait; sleep 3600";
    let daemon = shell(&sandbox, script).start();
    daemon.clock().advance(60 * SECOND).unwrap();
    daemon.output().assert(stdout(predicate::eq("10\n20\n30\n")));
}

#[test]
fn who_waits_for_nothing_lets_time_pass_at_once() {
    let sandbox = Sandbox::new().unwrap();
    let daemon = shell(&sandbox, "mkfifo {rundir}/f; exec cat {rundir}/f").start();
    daemon.clock().advance(3600 * SECOND).unwrap();
    daemon.assert(never(3600 * SECOND, gone()));
    assert_about(daemon.clock().passed(), 7200);
}

#[test]
fn a_wait_within_a_time_means_the_daemons() {
    let sandbox = Sandbox::new().unwrap();
    let daemon = shell(&sandbox, "sleep 100; echo up; sleep 100").start();
    let up = || stdout(predicate::eq("up\n"));
    let early = daemon.output().try_assert(eventually(up()).within(99 * SECOND)).unwrap_err().to_string();
    assert!(early.contains("not within"), "{early}");
    daemon.output().assert(eventually(up()).within(2 * SECOND));
    let ends = daemon.try_assert(always_for(101 * SECOND, alive())).unwrap_err().to_string();
    assert!(ends.contains("no longer after") && ends.contains("s have passed for it"), "{ends}");
}

#[test]
fn a_wait_for_the_pidfile_lets_time_pass_too() {
    let sandbox = Sandbox::new().unwrap();
    let daemon = shell(&sandbox, "sleep 3600; echo $$ >{pidfile}; exec sleep 9999").start();
    daemon.pidfile().assert(eventually(names(&daemon)).within(7200 * SECOND));
}

#[test]
fn a_signal_ends_a_sleep() {
    let sandbox = Sandbox::new().unwrap();
    let script = "trap 'echo told; exit 4' TERM; echo up; sleep 1000 & wait $!";
    let daemon = shell(&sandbox, script).ready(Ready::line("up")).start();
    daemon.subject().signal(daemon.subject().pid(), Signal::SIGTERM).unwrap();
    assert_eq!(daemon.subject().wait_exit(sandbox.deadline()).unwrap().code(), Some(4));
    assert!(daemon.clock().passed() < SECOND, "{:?}", daemon.clock().passed());
    let sleeper = sandbox.daemon("sleep").arg("1000").virtual_time().start();
    let finished = sleeper.stop();
    assert_eq!(finished.cause(), Cause::Signal(Signal::SIGTERM));
    assert!(sleeper.clock().passed() < SECOND, "{:?}", sleeper.clock().passed());
}

#[test]
fn time_flows_while_the_test_waits_elsewhere() {
    let sandbox = Sandbox::new().unwrap();
    let fifos = ["ask", "answer"].map(|name| sandbox.rundir().join(name));
    for fifo in &fifos {
        nix::unistd::mkfifo(fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    }
    let script = "read question <{rundir}/ask; sleep 100; echo $question: yes >{rundir}/answer; sleep 5000";
    let daemon = shell(&sandbox, script).start();
    let flow = daemon.clock().flow();
    writeln!(std::fs::File::create(&fifos[0]).unwrap(), "done").unwrap();
    let mut answer = String::new();
    BufReader::new(std::fs::File::open(&fifos[1]).unwrap()).read_line(&mut answer).unwrap();
    drop(flow);
    assert_eq!(answer, "done: yes\n");
    assert!(daemon.clock().passed() >= 100 * SECOND);
}

/// It waits with a timeout of five seconds for a server that does not live by its clock.
#[test]
fn a_server_elsewhere_has_all_the_time_that_the_test_needs() {
    let Some(python) = Missing::skip(python()) else { return };
    let sandbox = Sandbox::new().unwrap();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let script = "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5)\n\
                  s.send(b'question\\n'); print(s.recv(100).decode())";
    let daemon = sandbox.daemon(python).args(["-c", script]).arg(port.to_string()).virtual_time().start();
    let (mut client, _) = server.accept().unwrap();
    let mut question = String::new();
    BufReader::new(&client).read_line(&mut question).unwrap();
    client.write_all(b"answer").unwrap();
    daemon.subject().wait_exit(sandbox.deadline()).unwrap();
    daemon.output().assert(stdout(predicate::eq("answer\n")));
    assert!(daemon.clock().passed() < SECOND, "{:?}", daemon.clock().passed());
}

#[test]
fn only_who_waits_for_the_wall_clock_notices_that_it_is_set() {
    let sandbox = Sandbox::new().unwrap();
    let Some(wall) = Missing::skip(compile(&sandbox, "wall.c", &[])) else { return };
    let daemon = sandbox.daemon(&wall).virtual_time().start();
    daemon.clock().advance(10 * SECOND).unwrap();
    daemon.clock().step_realtime(-7200);
    daemon.clock().advance(3600 * SECOND).unwrap();
    daemon.output().assert(stdout(predicate::eq("a minute after 60 s\n")));
    daemon.clock().step_realtime(7200);
    daemon.clock().advance(Duration::ZERO).unwrap();
    let text = String::from_utf8(daemon.subject().stdout().unwrap()).unwrap();
    let mut said: Vec<_> = text.lines().collect();
    said.sort_unstable();
    let after =
        ["a minute after 60 s", "condition after 3610 s", "descriptor after 3610 s", "sleep after 3610 s"];
    assert_eq!(said, after);
}

#[test]
fn the_clock_goes_on_after_a_restart() {
    let sandbox = Sandbox::new().unwrap();
    let mut daemon = sandbox.daemon("sleep").arg("1000").virtual_time().start();
    daemon.clock().advance(100 * SECOND).unwrap();
    daemon.restart();
    assert_about(daemon.clock().passed(), 100);
    daemon.clock().advance(100 * SECOND).unwrap();
    daemon.assert(alive());
    assert_about(daemon.clock().passed(), 200);
}

#[test]
fn a_program_that_cannot_be_executed_is_an_error_as_ever() {
    let sandbox = Sandbox::new().unwrap();
    let error = sandbox.daemon("/nonexistent").virtual_time().try_start().unwrap_err();
    assert!(matches!(error, FixtureError::Spawn { .. }), "{error}");
    let daemon = sandbox.daemon("sleep").arg("1000").start();
    let error = daemon.try_clock().unwrap_err().to_string();
    assert_eq!(error, "sleep was not started with `virtual_time()`, so it has no clock of its own");
}

/// Set in a process of this executable that is to be a test process for another test.
const PART: &str = "DAEMONPROOF_TEST_PART";

fn part(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "clocks::a_part_of_another_test", "--nocapture"]).env(PART, name);
    command
}

/// Nothing, unless another test has started it.
#[test]
fn a_part_of_another_test() {
    let Ok(part) = std::env::var(PART) else { return };
    let sandbox = Sandbox::new().unwrap();
    match sandbox.daemon("sleep").arg("1000").virtual_time().try_start() {
        Err(error) => println!("refused: {error}"),
        Ok(daemon) => {
            println!("pid {}", daemon.pid());
            if part == "victim" {
                std::io::stdin().read_line(&mut String::new()).unwrap();
            }
        }
    }
}

#[test]
fn the_daemon_dies_with_a_test_process_that_is_killed() {
    // It cannot remove its sandbox, so that is in one that somebody removes.
    let sandbox = Sandbox::new().unwrap();
    let mut victim = part("victim");
    victim.env("TMPDIR", sandbox.outdir()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut victim = victim.spawn().unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let pid = lines.map_while(Result::ok).find_map(|line| line.split_once("pid ")?.1.parse().ok()).unwrap();
    let pid = Pid::from_raw(pid);
    let mut processes = children(victim.id());
    assert!(processes.len() >= 2, "a reaper and a bell, not {processes:?}");
    processes.push(pid);
    let processes: Vec<_> = processes.into_iter().filter_map(|pid| Pidfd::open(pid).unwrap()).collect();
    assert!(!processes.last().unwrap().has_ended());
    victim.kill().unwrap();
    assert_eq!(victim.wait().unwrap().signal(), Some(libc::SIGKILL));
    let gone = || Ok::<_, FixtureError>(processes.iter().all(Pidfd::has_ended).then_some(()));
    Waiter::new("all of it to die", Deadline::after(30 * SECOND)).until(gone).unwrap();
}

/// Those of all its threads.
fn children(process: u32) -> Vec<Pid> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let lists =
        threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("children")).unwrap());
    let numbers = lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    numbers.map(|number| Pid::from_raw(number.parse().unwrap())).collect()
}

/// Who is traced cannot be traced twice: a test process under virtual time itself is the simplest case of a tracer that is
/// refused.
#[test]
fn who_may_not_trace_is_told_why() {
    let sandbox = Sandbox::new().unwrap();
    let inner =
        sandbox.daemon(std::env::current_exe().unwrap()).env(PART, "traced").env("TMPDIR", "{rundir}");
    let inner = inner.args(["--exact", "clocks::a_part_of_another_test", "--nocapture"]).virtual_time();
    let finished = inner.run();
    let said = String::from_utf8(finished.assert().success().get_output().stdout.clone()).unwrap();
    let refusal = "refused: failed to keep the virtual time of sleep: not permitted to trace: ";
    assert!(said.contains(refusal) && said.contains("cannot be traced twice"), "{said}");
}
