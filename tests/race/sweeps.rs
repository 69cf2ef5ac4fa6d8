//! One start, disturbed at each of its operations.

use crate::peers::{Missing, program, python};
use crate::support::{race_helper, turn};
use daemonproof::explore::sweep::{Case, HarmKind};
use daemonproof::prelude::*;
use nix::errno::Errno;
use rstest::rstest;
use std::collections::BTreeSet;

fn start(sandbox: &Sandbox, name: &str, arguments: &str) -> Race {
    let race = race_helper(sandbox, name);
    arguments.split_whitespace().fold(race, Race::arg)
}

/// All other ways are swept by `ci/sweeps`.
#[rstest]
#[case(Blow::Kill, Scenario::Start, "--detach --monitor")]
#[case(Blow::Kill, Scenario::Stale, "")]
#[case(Blow::Terminate, Scenario::Stale, "--monitor")]
#[case(Blow::Fail, Scenario::Stale, "--detach --monitor")]
fn the_reference_survives(#[case] blow: Blow, #[case] scenario: Scenario, #[case] mode: &str) {
    let _turn = turn();
    let sandbox = Sandbox::new().unwrap();
    let found = start(&sandbox, "reference", mode).scenario(scenario).sweep(blow).run();
    found.assert_survives();
    assert!(found.operations > 25 && found.cases.len() > found.operations, "{found:?}");
    let files: BTreeSet<_> = found.cases.iter().filter_map(file_of).collect();
    assert!(files.is_superset(&[".daemon.pid.lock", "daemon.pid"].into()), "{files:?}");
    for case in &found.cases {
        assert!(says_enough(case), "{case}, and it says {:?}", case.said);
    }
}

/// Whether a start that failed names the call and the error, and the file that the call was about.
fn says_enough(case: &Case) -> bool {
    let (Some(said), Some(errno)) = (&case.said, case.errno) else { return true };
    // What is locked already is owned by another instance.
    let names_error = said.contains(errno.desc()) || errno == Errno::EAGAIN && said.contains("aborting");
    let names_call = said.contains(": failed to ") || said.contains("aborting");
    let names_file = file_of(case).is_none_or(|name| said.contains(&format!("/{name}: ")));
    names_error && names_call && names_file
}

/// The file that the operation names: the pidfile, or its guard.
fn file_of(case: &Case) -> Option<&str> {
    let arguments = case.operation.split_once('(')?.1;
    arguments.split([',', ')']).next().filter(|name| name.contains(".pid"))
}

#[rstest]
#[case(Blow::Kill, "defective", "--defect=stale-refused", "the next start does not come up: exit 1: ")]
#[case(Blow::Kill, "defective", "--defect=leaves-marker", "the next start does not come up: exit 1: ")]
#[case(
    Blow::Fail,
    "defective",
    "--detach --defect=failure-exits-0",
    "its command exited 0, and nothing runs"
)]
#[case(Blow::Fail, "defective", "--defect=silent-failure", "its command: exit 1, without a word")]
fn a_wrong_daemon_is_found_out(
    #[case] blow: Blow,
    #[case] name: &str,
    #[case] arguments: &str,
    #[case] wrong: &str,
) {
    let _turn = turn();
    let sandbox = Sandbox::new().unwrap();
    let sweep = || start(&sandbox, name, arguments).sweep(blow);
    let found = sweep().run();
    let is_it = |case: &&Case| case.broken.as_ref().is_some_and(|harm| harm.sentence.starts_with(wrong));
    let case = found.cases.iter().find(is_it).unwrap_or_else(|| panic!("{found:?}"));
    // The same again, alone.
    let alone = case.errno.into_iter().fold(sweep().at(case.at), Sweep::errno);
    assert_eq!(alone.run().cases, std::slice::from_ref(case));
}

/// A fork that fails makes no daemon.
#[test]
fn forks_fail_too() {
    let _turn = turn();
    let sandbox = Sandbox::new().unwrap();
    let found = start(&sandbox, "reference", "--detach").sweep(Blow::Fail).run();
    found.assert_survives();
    assert!(found.cases.iter().all(says_enough), "{found:?}");
    let forks = found.cases.iter().filter(|case| case.operation == "clone()").filter_map(|case| case.errno);
    assert_eq!(forks.collect::<Vec<_>>(), [Errno::EAGAIN, Errno::ENOMEM]);

    let Some(python) = Missing::skip(python()) else { return };
    let script = "import os, sys, time\ntry:\n  if os.fork(): os._exit(0)\nexcept OSError: os._exit(0)\n\
                  open(sys.argv[1], 'w').write(str(os.getpid()))\ntime.sleep(1000)";
    let race = sandbox.race(python).args(["-S", "-c", script]).pidfile("{pidfile}").detach("");
    let found = race.sweep(Blow::Fail).errno(Errno::EAGAIN).run();
    let broken: Vec<_> = found.broken().map(Case::to_string).collect();
    assert_eq!(broken.len(), 1, "{broken:?}");
    assert!(broken[0].ends_with(" EAGAIN: its command exited 0, and nothing runs"), "{broken:?}");
}

#[test]
fn who_overwrites_is_disturbed_beside_the_owner() {
    let _turn = turn();
    let sandbox = Sandbox::new().unwrap();
    let over = |name, arguments| start(&sandbox, name, arguments).overwrite("--overwrite-pidfile");
    for blow in [Blow::Kill, Blow::Terminate] {
        over("reference", "").sweep(blow).run().assert_survives();
    }
    let found =
        over("defective", "--defect=full-disk-unnoticed").sweep(Blow::Fail).errno(Errno::ENOSPC).run();
    let broken: Vec<_> = found.broken().map(Case::to_string).collect();
    assert_eq!(broken.len(), 1, "{found:?}");
    assert!(broken[0].contains("ENOSPC: it is running, but daemon.pid"), "{broken:?}");
    let refused = over("defective", "--defect=overwrite-refused").sweep(Blow::Kill).try_run();
    assert!(refused.unwrap_err().to_string().contains("already running"));
}

#[rstest]
#[case(Blow::Fail, "published-protocol", "--detach")]
#[case(Blow::Kill, "reference", "--detach --monitor")]
#[case(Blow::Terminate, "reference", "--monitor")]
fn the_same_sweep_twice_is_the_same(#[case] blow: Blow, #[case] name: &str, #[case] mode: &str) {
    let _turn = turn();
    let cases = || start(&Sandbox::new().unwrap(), name, mode).sweep(blow).run().cases;
    assert_eq!(cases(), cases());
}

/// It leaves its pidfile when it is stopped, too, but then with a pid in it.
#[test]
fn what_everybody_leaves_may_yet_harm_the_next_start() {
    let _turn = turn();
    let sandbox = Sandbox::new().unwrap();
    let script = "[ -e $1 ] && ! [ -s $1 ] && { echo $1 is empty; exit 1; }; echo $$ >$1 || exit 1; while :; do sleep 1000; done";
    let race = sandbox.race("sh").args(["-c", script, "sh", "{pidfile}"]);
    let found = race.sweep(Blow::Fail).errno(Errno::ENOSPC).run();
    let harms: Vec<_> = found.broken().filter_map(|case| case.broken.as_ref()).collect();
    assert_eq!(harms.len(), 1, "{found:?}");
    assert_eq!(harms[0].kind, HarmKind::Lasting, "{found:?}");
    assert!(harms[0].sentence.contains("daemon.pid is left; the next start does not come up"), "{found:?}");
}

/// It is ready to be told to end when its pidfile is there, and not before.
#[test]
fn what_is_left_in_the_middle_is_found() {
    let _turn = turn();
    let sandbox = Sandbox::new().unwrap();
    let script = "echo $$ >$1.new; mv $1.new $1; trap 'rm $1; exit 0' TERM; while :; do sleep 1000; done";
    let found = sandbox.race("sh").args(["-c", script, "sh", "{pidfile}"]).sweep(Blow::Terminate).run();
    let is_left = |case: &Case| case.to_string().ends_with("it has ended, and daemon.pid.new is left");
    assert!(found.broken().any(is_left), "{found:?}");
}

#[test]
fn ovsdb_server_can_be_killed_at_any_time() {
    let _turn = turn();
    let Some(server) = Missing::skip(program("ovsdb-server")) else { return };
    let sandbox = Sandbox::new().unwrap();
    let race = sandbox.race(server).args(["--no-db", "--pidfile={pidfile}", "--unixctl=none"]);
    race.sweep(Blow::Kill).run().assert_survives();
}

/// A daemon of so many lines of Python that is given the name of its pidfile.
fn python_race(sandbox: &Sandbox, script: &str) -> Option<Race> {
    let python = Missing::skip(python())?;
    let script = format!("import fcntl, os, select, signal, sys, time\npidfile = sys.argv[1]\n{script}");
    Some(sandbox.race(python).args(["-S", "-c"]).arg(script).pidfile("{pidfile}"))
}

/// Whoever is disturbed elsewhere than is said would be found right.
#[test]
fn a_start_that_does_not_repeat_is_found_out_and_what_was_found_before_is_kept() {
    let _turn = turn();
    let sandbox = Sandbox::new().unwrap();
    // It makes a file more each time.
    let count = sandbox.outdir().join("count");
    let script = "n=$(cat $2); echo x$n >$2; for i in $(echo $n | sed s/x/x\\ /g); do :>$1.tmp; done; echo $$ >$1; exec sleep 1000";
    std::fs::write(&count, "x").unwrap();
    let race = sandbox.race("sh").args(["-c", script, "sh", "{pidfile}"]).arg(count.to_str().unwrap());
    let found = race.sweep(Blow::Kill).run();
    let why = found.stopped.as_deref().unwrap_or_default();
    assert!(why.contains("not deterministic: operation ") && why.contains(" and now is "), "{found:?}");
    assert!(!found.cases.is_empty() && found.cases.len() <= found.operations, "{found:?}");
}

#[test]
fn a_descriptor_whose_close_fails_is_closed() {
    let _turn = turn();
    let sandbox = Sandbox::new().unwrap();
    let script = "def lock():\n  fd = os.open(pidfile + '.lock', os.O_CREAT | os.O_RDWR)\n  fcntl.flock(fd, fcntl.LOCK_EX)\n  return fd\n\
                  try: os.close(lock())\nexcept OSError: pass\n\
                  lock()\nopen(pidfile, 'w').write(str(os.getpid()))\ntime.sleep(1000)";
    let Some(race) = python_race(&sandbox, script) else { return };
    let found = race.sweep(Blow::Fail).errno(Errno::EIO).run();
    let closes = found.cases.iter().filter(|case| case.operation.starts_with("close("));
    let closes: Vec<_> = closes.map(|case| &case.broken).collect();
    assert_eq!(closes.first(), Some(&&None), "{found:?}");
}

#[test]
fn whoever_has_no_handler_is_not_interrupted() {
    let _turn = turn();
    let sandbox = Sandbox::new().unwrap();
    let script = "signal.signal(signal.SIGINT, signal.SIG_DFL)\nopen(pidfile, 'w').write(str(os.getpid()))\nr, w = os.pipe()\nos.write(w, b'x')\nselect.select([r], [], [])\ntime.sleep(1000)";
    let interrupted = |script: &str| {
        let cases = python_race(&sandbox, script)?.sweep(Blow::Fail).errno(Errno::EINTR).run().cases;
        Some(cases.iter().filter(|case| case.operation.contains("select")).count())
    };
    let handled = format!("signal.signal(signal.SIGTERM, lambda *_: None)\n{script}");
    assert!(interrupted(script).is_none_or(|count| count == 0));
    assert!(interrupted(&handled).is_none_or(|count| count == 1));
}

#[test]
fn what_nobody_else_notices_can_fail() {
    let _turn = turn();
    let sandbox = Sandbox::new().unwrap();
    let script = "os.open('/dev/null', os.O_RDWR)\nfile = open(pidfile, 'w')\nos.dup(file.fileno())\n\
                  file.write(str(os.getpid()))\nfile.flush()\nos.fsync(file.fileno())\ntime.sleep(1000)";
    let Some(race) = python_race(&sandbox, script) else { return };
    let found = race.sweep(Blow::Fail).run();
    let errors_of = |call: &str| {
        let cases = found.cases.iter().filter(|case| case.operation.starts_with(call));
        cases.filter_map(|case| case.errno).collect::<Vec<_>>()
    };
    assert_eq!(errors_of("openat(/dev/null)"), [Errno::EACCES, Errno::EMFILE, Errno::ENFILE], "{found:?}");
    assert_eq!(errors_of("fsync("), [Errno::EIO, Errno::ENOSPC]);
    assert_eq!(errors_of("dup("), [Errno::EMFILE]);
    let fsync = found.cases.iter().find(|case| case.operation.starts_with("fsync(")).unwrap();
    assert!(fsync.said.as_ref().is_some_and(|said| said.contains("Input/output error")), "{fsync:?}");
}
