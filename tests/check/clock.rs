//! Daemons by a clock of their own, and those for which that would not do.

use std::fs::File;
use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use daemonproof::check::{Report, Verdict};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use rstest::rstest;

use super::support::{judge_by, judge_families, shell, shown};

fn holds(report: &Report) {
    assert_eq!(report.verdict(), Verdict::Holds, "\n{}", shown(report));
}

/// A minute for each start and each stop, of which there are several.
#[test]
fn what_takes_a_daemon_minutes_is_judged_in_none() {
    const LONG: Duration = Duration::from_secs(60);
    let script =
        "trap 'kill $!; sleep 60; rm {pidfile}; exit' TERM; sleep 60; echo $$ >{pidfile}; sleep 9999 & wait";
    let began = Instant::now();
    holds(&judge_families(&["stop", "stale"], &shell(script).timeout(LONG * 2)));
    assert!(began.elapsed() < LONG, "{:?}", began.elapsed());
}

/// A server that is not in the daemon's tree, and takes its time for each answer.
struct Server {
    directory: tempfile::TempDir,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let open = |name: &str| {
            let path = directory.path().join(name);
            mkfifo(&path, Mode::S_IRWXU).unwrap();
            // For both, so that neither opening nor writing waits for somebody.
            File::options().read(true).write(true).open(path).unwrap()
        };
        let (mut questions, mut answers) = (open("questions"), open("answers"));
        let serve = move || {
            let mut question = [0];
            while questions.read_exact(&mut question).is_ok() && question != *b"." {
                if question == *b"\n" {
                    thread::sleep(Duration::from_millis(50));
                    answers.write_all(b"yes\n").unwrap();
                }
            }
        };
        Server { directory, thread: Some(thread::spawn(serve)) }
    }

    /// Words of a script with which it is asked.
    fn asked(&self, with: &str) -> String {
        let path = |name: &str| self.directory.path().join(name).display().to_string();
        format!("echo ? >{}; {with} <{}", path("questions"), path("answers"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let questions = self.directory.path().join("questions");
        File::options().write(true).open(questions).unwrap().write_all(b".").unwrap();
        self.thread.take().unwrap().join().unwrap();
    }
}

/// It asks before it is ready, or as it stops. To the daemon the answer is five seconds late when all of its processes merely
/// wait for it; one that stops in order all the same leaves what it would have removed.
#[rstest]
#[case::to_start("timeout 5 head -n 1", "ASK || exit 1", ":")]
#[case::to_stop("read answer", ":", "ASK")]
#[case::to_stop_and_in_time("timeout 5 head -n 1", ":", "ASK || { kill $!; exit; }")]
fn who_needs_a_server_outside_is_judged_by_the_clock_of_both(
    #[case] with: &str,
    #[case] start: &str,
    #[case] stop: &str,
) {
    let server = Server::start();
    let stop = format!("{stop}; rm {{pidfile}}; kill $!; exit");
    let script = format!("{start}; trap '{stop}' TERM; echo $$ >{{pidfile}}; sleep 1000 & wait");
    let script = script.replace("ASK", &server.asked(with));
    holds(&judge_families(&["stop"], &shell(&script)));
}

#[rstest]
#[case::by_itself("while :; do :; done")]
#[case::in_its_children("while :; do (:); done")]
fn what_is_never_at_rest_is_judged_by_the_machines_clock(#[case] serve: &str) {
    let script = format!("trap 'rm {{pidfile}}; exit' TERM; echo $$ >{{pidfile}}; {serve}");
    holds(&judge_by("stop.no-process-left", &shell(&script).timeout(Duration::from_secs(2))));
}
