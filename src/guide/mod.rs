//! Testing a daemon: from the first test to the race and the sweep.
//!
//! In a hurry? [The first test](#the-first-test), then the [`cookbook`] for the question that brought you here.
//!
//! 1. [What you need](#what-you-need) · [The first test](#the-first-test) · [When it fails](#when-it-fails)
//! 2. [Describing a daemon](#describing-a-daemon) · [Readiness](#readiness) ·
//!    [Commands that end](#commands-that-end) · [Daemons in any language](#daemons-in-any-language)
//! 3. [Pidfile and lock](#pidfile-and-lock) · [Descriptors](#descriptors) ·
//!    [Session and terminal](#session-and-terminal) · [Output](#output) · [Your own claims](#your-own-claims)
//! 4. [Crash and restart](#crash-and-restart) · [Throttling](#throttling) ·
//!    [Hours in milliseconds](#hours-in-milliseconds) · [Over time](#over-time)
//! 5. [Helpers that crash, hang or start slowly](#helpers-that-crash-hang-or-start-slowly) ·
//!    [The whole catalogue](#the-whole-catalogue)
//! 6. [Nothing is left behind](#nothing-is-left-behind) · [Keeping a sandbox](#keeping-a-sandbox) ·
//!    [Slow machines](#slow-machines) · [Continuous integration](#continuous-integration)
//! 7. [The race](#the-race) · [Killed or failing at any moment](#killed-or-failing-at-any-moment)
//!
//! # What you need
//!
//! Linux 5.11, and in the `Cargo.toml` of the daemon:
//!
//! ```toml
//! [dev-dependencies]
//! daemonproof = "0.1"
//! rstest = "0.29"     # if you want fixtures as arguments
//! ```
//!
//! The daemon itself need not use this crate. If it does, it wants the library alone, and the harness stays out of what
//! you release:
//!
//! ```toml
//! [dependencies]
//! daemonproof = { version = "0.1", default-features = false }
//! ```
//!
//! With `features = ["clap"]` besides, and the crate `clap` with `derive`, it takes the flags that this guide gives to
//! `mydaemon` from [`DaemonArgs`](crate::daemon::DaemonArgs):
//!
//! ```no_run
//! use std::error::Error;
//! use std::os::unix::net::UnixListener;
//!
//! use clap::Parser;
//! use daemonproof::daemon::DaemonArgs;
//!
//! #[derive(Parser)]
//! struct Args {
//!     #[command(flatten)]
//!     daemon: DaemonArgs,
//!     #[arg(long)]
//!     socket: Option<std::path::PathBuf>,
//! }
//!
//! fn main() -> Result<(), Box<dyn Error>> {
//!     let args = Args::parse();
//!     let startup = args.daemon.options("mydaemon").start()?; // returns in the daemon only
//!     let listener = args.socket.map(UnixListener::bind).transpose()?; // an error here reaches the shell
//!     startup.complete()?; // the command that was typed exits 0 now
//!     loop {
//!         match &listener {
//!             Some(listener) => drop(listener.accept()?),
//!             None => std::thread::park(),
//!         }
//!     }
//! }
//! ```
//!
//! # The first test
//!
//! `tests/daemon.rs`, for an executable `mydaemon` of the same package that understands `--detach` and `--pidfile`:
//!
//! ```
//! use daemonproof::prelude::*;
//! # use rstest::fixture as test;
//!
//! #[test]
//! fn it_detaches_and_stops() {
//!     let sandbox = Sandbox::new().unwrap();
#![doc = include_str!("mydaemon.in")]
//!     let mydaemon = sandbox.daemon(env!("CARGO_BIN_EXE_mydaemon"));
//!     let daemon = mydaemon.detach("--detach").pidfile("--pidfile={pidfile}").start();
//!     daemon.assert(session_leader().and(stdio_is_null()));
//!     daemon.pidfile().assert(names(&daemon));
//!     daemon.stop().assert().success();
//!     sandbox.pidfile().assert(missing());
//! }
//! # it_detaches_and_stops::default();
//! ```
//!
//! Line by line:
//!
//! * A [`Sandbox`](crate::fixture::Sandbox) is a private directory. `{pidfile}` stands for a file in it.
//! * `detach` and `pidfile` add an argument each, and say what the daemon will do. `start` runs the command and returns
//!   when the daemon is ready: here, when the command has exited with status 0 and the pidfile names one of its
//!   processes.
//! * `daemon` is the process that does the work, however often it has forked. `assert` takes a predicate, and those
//!   combine: `and`, `or`, `not`. All of ours are in [`predicate`](crate::predicate).
//! * `stop` sends SIGTERM and waits until *every* process has ended. An exit with 0 and a death by that SIGTERM are both a
//!   success.
//! * Each wait ends when something happens; one that fails takes 30 s ([slow machines](#slow-machines)), and says what it
//!   waited for.
//! * When `daemon` is dropped, in a panic too, what still runs of it is killed; and the directory is removed.
//!
//! With `rstest` the sandbox is an argument, and the rest of this guide writes it so. It also writes
//! `sandbox.helper("reference")` for your daemon: a [helper](#helpers-that-crash-hang-or-start-slowly) that does
//! everything right and needs no executable.
//!
//! ```
//! use daemonproof::prelude::*;
//! # use rstest::fixture as rstest; /*
//! use rstest::rstest;
//! # */
//!
//! #[rstest]
//! fn a_second_start_is_refused(sandbox: Sandbox) {
//!     let command = sandbox.helper("reference").detach("--detach").pidfile("--pidfile={pidfile}");
//!     let _first = command.start();
//!     command.run().assert().failure().stderr(predicate::str::contains("already running"));
//! }
//! # a_second_start_is_refused::default();
//! ```
//!
//! # When it fails
//!
//! A failed assertion says what was expected, which part of that does not hold, and what was found. Below that it shows
//! the processes, the daemon with its descriptors and locks, the pidfile and its owner, and the end of the output:
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn a_failure_explains_itself(sandbox: Sandbox) {
//!     let wrong = sandbox.helper("defective").arg("--defect=keeps-stdio").detach("--detach").start();
//!     let failure = wrong.try_assert(session_leader().and(stdio_is_null())).unwrap_err().to_string();
//!     assert!(failure.contains("but not: its standard streams are /dev/null"), "{failure}");
//! }
//! # a_failure_explains_itself::default();
//! ```
//!
//! ```text
//! pid 13382 (mydaemon) is not as expected:
//! expected: (it leads its session && its standard streams are /dev/null)
//!  but not: its standard streams are /dev/null
//!    found: stdin  /dev/null
//!           stdout a file made without a name in /tmp
//!           stderr a file made without a name in /tmp
//!
//! processes:
//!   daemon     13382 mydaemon: mydaemon --detach (S), child of 13378, session 13382
//! daemon, with its descriptors and locks:
//!   …
//! ```
//!
//! (What a daemon prints is caught in files that need no name.)
//!
//! What asserts, starts or stops has a twin that returns the error instead of a panic: `try_assert`, `try_start`, `try_stop`, …
//!
//! # Describing a daemon
//!
//! A [`DaemonCommand`](crate::fixture::DaemonCommand) is the command line, and what you know of its behaviour. It can be
//! started any number of times.
//!
//! | the daemon | say |
//! |---|---|
//! | detaches when given an argument; always | `.detach("--detach")`; `.detaches()` |
//! | has a monitor when given an argument; always | `.monitor("--monitor")`; `.monitored()` |
//! | writes a pidfile as an argument says; as it is told elsewhere; at a place of its own | `.pidfile("--pidfile={pidfile}")`; `.has_pidfile()`; `.pidfile_at("{rundir}/other.pid")` |
//! | needs other arguments, a variable, a directory | `.arg(…)`, `.args(…)`, `.env(…)`, `.cwd(…)` |
//! | inherits something odd: ignored signals, descriptors, a terminal | `.options(\|options\| options.ignore(Signal::SIGHUP))` |
//!
//! `{pidfile}`, `{rundir}` (the sandbox) and `{n}` (the number given to `.instance(n)`) are replaced in arguments, variables
//! and paths. What else a start inherits is the same on every machine: see
//! [`StartOptions`](crate::fixture::StartOptions).
//!
//! # Readiness
//!
//! `start` returns when the daemon is ready, so that no test ever sleeps. Unless told otherwise, one that detaches is
//! ready when its command has exited with status 0, one in the foreground when its pidfile names it. Where there is a
//! pidfile, `start` also waits until that names a process of the daemon. If that is not right for yours, give it a
//! [`Ready`](crate::fixture::Ready):
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn it_says_when_it_is_ready(sandbox: Sandbox) {
//!     let script = "echo ready on port 7654; exec sleep 1000";
//!     let daemon = sandbox.daemon("sh").args(["-c", script]).ready(Ready::line("ready on port")).start();
//!     daemon.output().assert(stdout(predicate::str::contains("7654")));
//! }
//!
//! #[rstest]
//! fn it_notifies_the_service_manager(sandbox: Sandbox) {
//!     let daemon = sandbox.helper("reference").ready(Ready::notified()).start();
//!     daemon.assert(alive());
//! }
//! # it_says_when_it_is_ready::default();
//! # it_notifies_the_service_manager::default();
//! ```
//!
//! Others are a file, a TCP or Unix socket that accepts, a pidfile that is also locked, and any predicate. A daemon that
//! ends before it is ready fails the start at once, with its status and its output.
//!
//! Rely upon nothing that comes after the sign. If the pidfile is written after the command returns, either say that there
//! is one, and `start` waits for it, or ask [`eventually`](#over-time).
//!
//! # Commands that end
//!
//! `run` instead of `start` waits for the command to end and hands over to [`assert_cmd`](https://docs.rs/assert_cmd). Use
//! it for a start that must fail, `--version`, or the tool that reloads your daemon.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn a_bad_flag_is_explained(sandbox: Sandbox) {
//!     let refused = sandbox.helper("reference").arg("--no-such-flag").run();
//!     refused.assert().code(2).stderr(predicate::str::contains("--no-such-flag"));
//! }
//! # a_bad_flag_is_explained::default();
//! ```
//!
//! # Daemons in any language
//!
//! A program is a path, or a name that is looked up in `PATH`. All is seen from outside, so it may be written in anything:
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn a_shell_script_is_a_daemon_too(sandbox: Sandbox) {
//!     let script = "trap 'rm -f {pidfile}; exit' TERM; echo $$ >{pidfile}; while :; do sleep 0.1; done";
//!     let daemon = sandbox.daemon("sh").args(["-c", script]).has_pidfile().start();
//!     daemon.pidfile().assert(names(&daemon).and(unlocked()));
//! }
//! # a_shell_script_is_a_daemon_too::default();
//! ```
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn redis_detaches(sandbox: Sandbox) {
//!     let redis = sandbox.daemon("redis-server").args(["--port", "0", "--unixsocket", "{rundir}/redis.sock"]);
//!     let redis = redis.args(["--dir", "{rundir}", "--pidfile", "{pidfile}", "--daemonize", "yes"]);
//!     let redis = redis.detaches().has_pidfile().ready(Ready::unix("{rundir}/redis.sock")).start();
//!     redis.assert(session_leader().and(no_terminal()).and(stdio_is_null()));
//! }
//! # if std::process::Command::new("redis-server").arg("--version").output().is_ok() {
//! #     redis_detaches::default();
//! # }
//! ```
//!
//! # Pidfile and lock
//!
//! `daemon.pidfile()` is the daemon's, `sandbox.file(name)` any file. They are paths as well.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn the_pidfile_is_right(sandbox: Sandbox) {
//!     let daemon = sandbox.helper("reference").detach("--detach").pidfile("--pidfile={pidfile}").start();
//!     daemon.pidfile().assert(names(&daemon).and(locked_by(&daemon)).and(mode(0o644)).and(only_a_pid()));
//!     let pid = std::fs::read_to_string(daemon.pidfile()).unwrap();
//!     assert_eq!(pid, format!("{}\n", daemon.pid()));
//! }
//! # the_pidfile_is_right::default();
//! ```
//!
//! `locked_by` means any kind of lock, [`locked_with`](crate::predicate::locked_with) a certain one. A pidfile that is left
//! over is [`stale`](crate::predicate::stale). To find what your daemon makes of one, write it before the start:
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn garbage_in_the_pidfile_does_not_stop_it(sandbox: Sandbox) {
//!     std::fs::write(sandbox.pidfile(), "no number\n").unwrap();
//!     let daemon = sandbox.helper("reference").detach("--detach").pidfile("--pidfile={pidfile}").start();
//!     daemon.pidfile().assert(names(&daemon));
//! }
//! # garbage_in_the_pidfile_does_not_stop_it::default();
//! ```
//!
//! # Descriptors
//!
//! What a daemon holds open, somebody else waits for: an SSH session for its output, an administrator for a file system
//! to be unmounted.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn it_holds_nothing_open(sandbox: Sandbox) {
//!     let daemon = sandbox.helper("reference").detach("--detach").start();
//!     daemon.assert(stdio_is_null().and(at_most_fds(8)).and(no_pipe()));
//! }
//!
//! #[rstest]
//! fn its_output_may_go_to_a_file(sandbox: Sandbox) {
//!     let command = sandbox.helper("reference").detach("--detach").arg("--stderr={rundir}/log");
//!     command.start().assert(stderr_is(sandbox.file("log")));
//! }
//! # it_holds_nothing_open::default();
//! # its_output_may_go_to_a_file::default();
//! ```
//!
//! For leaks, look twice: [`no_leaks_against`](crate::predicate::no_leaks_against) compares with an earlier look, as in
//! [the cookbook](cookbook#does-each-restart-leak-a-descriptor).
//!
//! # Session and terminal
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn it_has_left_whoever_started_it(sandbox: Sandbox) {
//!     let daemon = sandbox.helper("reference").detach("--detach").start();
//!     daemon.assert(session_leader().and(no_terminal()).and(cwd("/")));
//!     daemon.assert(not_child_of(daemon.subject().pid()));
//! }
//! # it_has_left_whoever_started_it::default();
//! ```
//!
//! Its parent is not pid 1: what the fixture starts is adopted by a small process of the fixture's own, the reaper. Starts
//! have no terminal unless [given one](cookbook#does-it-keep-the-terminal).
//!
//! # Output
//!
//! Standard output and error go to files outside the rundir, until the daemon closes them. What was written so far can be
//! asked at any time, and the last lines are part of every failure.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn it_greets(sandbox: Sandbox) {
//!     let daemon = sandbox.daemon("sh").args(["-c", "echo hello; echo oh no >&2; exec sleep 1000"]).start();
//!     let spoken = stdout(predicate::eq("hello\n")).and(stderr(predicate::str::contains("oh")));
//!     daemon.output().assert(eventually(spoken));
//! }
//! # it_greets::default();
//! ```
//!
//! # Your own claims
//!
//! A predicate of yours is a [`Claim`](crate::predicate::Claim): a sentence, and a function that judges a look. A failure
//! shows both. A plain look is `daemon.view()`, `daemon.pidfile().look()`, `daemon.tree().look()`.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! use daemonproof::observe::View;
//!
//! fn light() -> Claim<View> {
//!     Claim::new("it has at most 8 descriptors", |view: &View| match view.descriptors() {
//!         Ok(found) => Finding::new(found.as_ref().present().is_some_and(|all| all.len() <= 8)),
//!         Err(error) => Finding::new(false).with("error", error),
//!     })
//! }
//!
//! #[rstest]
//! fn it_is_light(sandbox: Sandbox) {
//!     sandbox.helper("reference").detach("--detach").start().assert(light().and(alive()));
//! }
//! # it_is_light::default();
//! ```
//!
//! # Crash and restart
//!
//! `crash` kills the process that does the work and waits until it has ended. `wait_restarted` waits until another one
//! works, and `daemon` stands for that from then on.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn its_monitor_restarts_it(sandbox: Sandbox) {
//!     let command = sandbox.helper("reference").detach("--detach").monitor("--monitor");
//!     let daemon = command.pidfile("--pidfile={pidfile}").start();
//!     let (first, monitor) = (daemon.pid(), daemon.monitor_pid().unwrap());
//!     let second = daemon.crash(Signal::SIGSEGV).wait_restarted();
//!     assert_ne!(first, second);
//!     daemon.assert(child_of(monitor)).pidfile().assert(names(second));
//!     daemon.history().assert(restarts(1).and(restart_cause(Cause::Signal(Signal::SIGSEGV))));
//!     daemon.tree().assert(eventually(roles([Role::Monitor, Role::Daemon])));
//! }
//! # its_monitor_restarts_it::default();
//! ```
//!
//! `daemon.restart()` is the orderly way: stop, and start again in the same sandbox. `kill_monitor` kills the other one.
//!
//! With a pidfile, a restarted daemon is found when that names it, without one as soon as the monitor has forked it. It may
//! not be ready yet: ask [`eventually`](#over-time) for what it does later.
//!
//! # Throttling
//!
//! To show that a monitor waits, make it wait longer than any test lasts, and see that nothing comes:
//! [the cookbook](cookbook#does-it-restart-too-fast) does. No clock is read, so no busy machine changes the answer. To
//! show that the wait *ends*, make it short:
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn a_crash_loop_goes_on(sandbox: Sandbox) {
//!     let command = sandbox.helper("reference").arg("--restart-interval=50ms");
//!     let daemon = command.detach("--detach").monitor("--monitor").pidfile("--pidfile={pidfile}").start();
//!     for crash in 1..=3 {
//!         daemon.crash(Signal::SIGSEGV).wait_restarted();
//!         daemon.history().assert(restarts(crash));
//!     }
//! }
//! # a_crash_loop_goes_on::default();
//! ```
//!
//! [`intervals_at_least`](crate::predicate::intervals_at_least) judges the times between starts, to 10 ms. It counts the
//! first restart, which many monitors make at once, and a monitor that was itself kept waiting may look hasty afterwards: use
//! it with seconds, not with milliseconds.
//!
//! # Hours in milliseconds
//!
//! With [`virtual_time`](crate::fixture::DaemonCommand::virtual_time) the daemon and all that it starts live by a
//! [clock](crate::fixture::Clock) of their own. It jumps whenever all of them are asleep and the test waits for something, but
//! never past the moment in which that has come true; while the test does something else, it stands still.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest, std::time::Duration};
//! #[rstest]
//! fn the_throttle_lasts_an_hour(sandbox: Sandbox) {
//!     let hour = Duration::from_secs(3600);
//!     let command = sandbox.helper("reference").arg("--restart-interval=1h").virtual_time();
//!     let daemon = command.detach("--detach").monitor("--monitor").pidfile("--pidfile={pidfile}").start();
//!     daemon.crash(Signal::SIGSEGV).wait_restarted();
//!     daemon.crash(Signal::SIGSEGV).wait_restarted();
//!     assert!(daemon.clock().passed() >= hour);
//!
//!     // Whoever sets the wall clock back does not make it longer.
//!     daemon.crash(Signal::SIGSEGV).clock().step_realtime(-100_000);
//!     daemon.history().assert(eventually(restarts(3)).within(hour + Duration::from_secs(1)));
//! }
//! # the_throttle_lasts_an_hour::default();
//! ```
//!
//! `timeout` and [`Deadline`](crate::fixture::Deadline) stay real time; `within`, `always_for`, `never` and the starts in `history()`
//! are by the daemon's clock. It needs ptrace(2), and a server that the daemon asks belongs into the same tree:
//! `docs/virtual-time.md` has the rules, and the calls that are covered.
//!
//! # Over time
//!
//! `assert` judges one look. Three words judge many, whenever something has happened and now and then between:
//!
//! | expectation | met |
//! |---|---|
//! | `eventually(p)` | as soon as `p` holds; fails at the end of the sandbox's timeout, or `.within(duration)` |
//! | `always_for(duration, p)` | if `p` holds at each look until then |
//! | `never(duration, p)` | if `p` holds at no look until then |
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest, std::time::Duration};
//! #[rstest]
//! fn it_reloads_on_sighup_and_goes_on(sandbox: Sandbox) {
//!     let script = "trap 'echo reloaded' HUP; echo ready; while :; do sleep 0.1; done";
//!     let daemon = sandbox.daemon("sh").args(["-c", script]).ready(Ready::line("ready")).start();
//!     daemon.signal(Signal::SIGHUP);
//!     daemon.output().assert(eventually(stdout(predicate::str::contains("reloaded"))));
//!     daemon.assert(always_for(Duration::from_millis(50), alive()));
//! }
//! # it_reloads_on_sighup_and_goes_on::default();
//! ```
//!
//! `daemon.wait_for(p)` is short for `daemon.assert(eventually(p))`. The first fails late, the other two pass late: a long
//! `within` costs nothing while all is well, a long `always_for` does.
//!
//! # Helpers that crash, hang or start slowly
//!
//! `sandbox.helper(name)` is a daemon built for a purpose, inside the test's own executable: nothing else has to be built or
//! installed. They stand in for your daemon where something else is under test, a supervisor or a stop script, and they
//! show that an assertion of yours can fail.
//!
//! | helper | is |
//! |---|---|
//! | `reference` | right in everything, with all flags |
//! | `crash` | dead by the signal or status you choose, when you choose, as often as you choose |
//! | `hang` | stuck before the pidfile, before it is ready, after, or when told to end |
//! | `slow-start` | late to be ready, or late to fail |
//! | `defective` | right in everything but one named [defect](crate::helper::Defect) |
//! | `published-protocol` | the pidfile steps of Open vSwitch, race included |
//!
//! `sandbox.helper(name).arg("--help").run()` has their flags.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest, std::time::Duration};
//! #[rstest]
//! fn one_that_crashes(sandbox: Sandbox) {
//!     let crashing = sandbox.helper("crash").args(["--when=before-ready", "--signal=SEGV"]).detach("--detach");
//!     crashing.run().assert().failure().stderr(predicate::str::contains("Segmentation fault"));
//! }
//!
//! #[rstest]
//! fn one_that_hangs(sandbox: Sandbox) {
//!     let hanging = sandbox.helper("hang").arg("--when=before-ready").detach("--detach");
//!     let late = hanging.timeout(Duration::from_millis(100)).try_start().unwrap_err();
//!     assert!(late.is_timeout());
//! }
//!
//! #[rstest]
//! fn one_that_starts_slowly(sandbox: Sandbox) {
//!     let slow = sandbox.helper("slow-start").arg("--delay=50ms").detach("--detach");
//!     slow.start().assert(alive());
//!     slow.arg("--fail=7").run().assert().code(7);
//! }
//! # one_that_crashes::default();
//! # one_that_hangs::default();
//! # one_that_starts_slowly::default();
//! ```
//!
//! # The whole catalogue
//!
//! What `daemonproof check` judges, a test can: every promise that a well-behaved daemon keeps, in half a minute. A part of
//! it is faster:
//!
//! ```
//! # use daemonproof::prelude::*;
//! let mydaemon = CommandLine::helper("reference")?.arg("--pidfile={pidfile}");
//! let driving = Driving::new(mydaemon).detach("--detach").monitor("--monitor");
//! let checks: Vec<_> = catalogue().filter(|check| check.id.starts_with("stdio.")).collect();
//! let report = judge(&driving, &checks, |_| {})?;
//! assert_eq!(report.verdict(), Verdict::Holds, "{:#?}", report.findings);
//! # Ok::<(), FixtureError>(())
//! ```
//!
//! # Nothing is left behind
//!
//! A detached daemon has left its test's process group and session; no timeout of a test runner reaches it. So each start
//! gets a reaper, a small process that adopts whatever descends from the command and kills all of it when the
//! [`Daemon`](crate::fixture::Daemon) is dropped or the test process is gone: after a panic, `std::process::exit`, rstest's
//! `#[timeout]`, Ctrl-C and SIGKILL. (After `#[timeout]` the body of the test goes on, and so does its daemon, until the body or the
//! process ends.) There is nothing to configure, and tests may run in parallel, each in its sandbox.
//!
//! Nothing of the test process is changed either: umask, directory, environment and signals are set in the child only.
//!
//! # Keeping a sandbox
//!
//! The sandbox is removed with the last value that belongs to it. If that is because the test panicked it stays, and the
//! test's output ends with where: `daemonproof: kept the sandbox /tmp/daemonproof-…, and what was printed in
//! /tmp/daemonproof-….out`. The file `daemonproof-….lock` beside them says that nobody is to remove them; all three are
//! yours to delete.
//!
//! ```console
//! $ DAEMONPROOF_KEEP=1 cargo test    # keep all
//! $ DAEMONPROOF_KEEP=0 cargo test    # keep none
//! ```
//!
//! A test that fails by returning an error looks like one that passes: prefer `unwrap`, or
//! [`Sandbox::keep`](crate::fixture::Sandbox::keep).
//!
//! # Slow machines
//!
//! A wait ends when something happens, so a long timeout costs nothing until a test fails. The default is 30 s; where a
//! start takes longer, say so for one test or one daemon:
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest, std::time::Duration};
//! #[rstest]
//! fn it_may_take_a_minute(#[with(Duration::from_secs(60))] sandbox: Sandbox) {
//!     let slow = sandbox.helper("slow-start").arg("--delay=50ms").detach("--detach");
//!     slow.timeout(Duration::from_secs(120)).start().assert(alive());
//! }
//! # it_may_take_a_minute::default();
//! ```
//!
//! What makes a test of a daemon fail now and then, on the busiest machine first:
//!
//! * between the sign of readiness and what the test relies upon something else can happen: choose a later sign, or
//!   `eventually`;
//! * a duration is compared with a tight limit: compare the order of events instead;
//! * `always_for` sees nothing because the deed comes late: wait for a sign that it was tried.
//!
//! # Continuous integration
//!
//! `cargo test` and [nextest](https://nexte.st) both do. nextest can also tell when a test leaves something running that
//! holds its output; the fixtures never do, but other code of yours may. In `.config/nextest.toml`:
//!
//! ```toml
//! [profile.default]
//! leak-timeout = { period = "5s", result = "fail" }
//! slow-timeout = { period = "60s", terminate-after = 5 }
//!
//! [profile.ci]
//! fail-fast = false
//!
//! [profile.ci.junit]
//! path = "junit.xml"     # under target/nextest/ci
//! ```
//!
//! and in the CI job, with the suite in two parts on two machines:
//!
//! ```console
//! $ cargo nextest run --profile ci --partition count:1/2
//! $ cargo nextest run --profile ci --partition count:2/2
//! ```
//!
//! nextest does not run examples in documentation; `cargo test --doc` does. In a container nothing is needed but Linux:
//! no privileges, no init process.
//!
//! # The race
//!
//! Locks and pidfiles go wrong when several processes meet in a bad order. Starting two at once, and often, shows a gross
//! race within a hundred rounds, and a narrow one not in a million.
//! [`Sandbox::race`](crate::fixture::Sandbox::race) leaves nothing to luck: it runs several starts of the unmodified
//! program one system call at a time, in every order that could make a difference:
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn no_interleaving_starts_two(sandbox: Sandbox) {
#![doc = include_str!("mydaemon.in")]
//!     let race = sandbox.race(env!("CARGO_BIN_EXE_mydaemon")).pidfile("--pidfile={pidfile}");
//!     race.scenario(Scenario::Start).contenders(2).explore().assert_holds();
//! }
//! # no_interleaving_starts_two::default();
//! ```
//!
//! It is raced in the foreground unless `detach` says how it detaches, which takes several times as long.
//! [`Scenario`](crate::explore::Scenario) has three more: beginning with a stale pidfile, and with one instance stopped or
//! killed while the others start. Three contenders find what two cannot, and take many times as long: with a
//! stale pidfile, `reference` takes 11 executions with two and 110 with three.
//! [`max_time`](crate::explore::Race::max_time) bounds the search, but then `assert_holds` fails: what was not run is not
//! proven.
//!
//! A failure shows the schedule as swim lanes, one column a process, and saves it. The daemon here goes by the protocol of
//! Open vSwitch, which has a hole:
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn the_published_protocol_has_a_hole(sandbox: Sandbox) {
//!     let race = sandbox.race_helper("published-protocol").pidfile("--pidfile={pidfile}");
//!     let found = race.scenario(Scenario::Handover).contenders(3).stop_on_first(true).explore();
//!     assert_eq!(found.verdict(), RaceVerdict::Violated);
//!     let schedule = &found.violations()[0].schedule;
//!     let again = sandbox.replay(schedule).unwrap();
//!     assert_eq!((again.diverged, &again.schedule.broken), (None, &schedule.broken));
//! }
//! # the_published_protocol_has_a_hole::default();
//! ```
//!
//! On the command line the same is `daemonproof race --scenario handover --contenders 3 -- mydaemon --pidfile={pidfile}`,
//! and `daemonproof replay FILE` runs what it saved. It needs to be allowed to trace: in some containers that is forbidden,
//! and the error says which setting does it. `docs/explorer.md` in the repository says what is explored and what is not.
//!
//! # Killed or failing at any moment
//!
//! The same processes, call by call, but one start alone, which is disturbed at each of its calls in turn: killed, told to
//! stop, or given an error such as a full disk ([`Blow`](crate::explore::sweep::Blow)). After a kill the next start must come
//! up and own the pidfile; after an error this one must come up and be right, or fail with a word and leave nothing:
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn it_survives_a_kill_at_any_moment(sandbox: Sandbox) {
#![doc = include_str!("mydaemon.in")]
//!     let start = sandbox.race(env!("CARGO_BIN_EXE_mydaemon")).pidfile("--pidfile={pidfile}");
//!     start.sweep(Blow::Kill).run().assert_survives();
//! }
//! # it_survives_a_kill_at_any_moment::default();
//! ```
//!
//! `Blow::Terminate` and `Blow::Fail` are the others; on the command line they are `daemonproof crash`,
//! `crash --signal SIGTERM` and `fault`.
//!
//! What a search cannot reach, such as a timeout, can be held still by other means: a throttle of an hour, a start that
//! hangs, a process stopped by SIGSTOP.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn one_that_is_still_starting_is_not_overtaken(sandbox: Sandbox) {
//!     let starting = sandbox.helper("hang").args(["--when=before-ready", "--pidfile={pidfile}"]);
//!     let starting = starting.has_pidfile().ready(Ready::pidfile_owned()).start();
//!     let second = sandbox.helper("reference").detach("--detach").arg("--pidfile={pidfile}");
//!     second.run().assert().failure().stderr(predicate::str::contains("already running"));
//!     starting.assert(alive()).pidfile().assert(names(&starting));
//! }
//!
//! #[rstest]
//! fn one_that_is_stopped_is_not_overtaken(sandbox: Sandbox) {
//!     let command = sandbox.helper("reference").detach("--detach").pidfile("--pidfile={pidfile}");
//!     let stopped = command.start();
//!     stopped.signal(Signal::SIGSTOP);
//!     command.run().assert().failure().stderr(predicate::str::contains("already running"));
//! }
//! # one_that_is_still_starting_is_not_overtaken::default();
//! # one_that_is_stopped_is_not_overtaken::default();
//! ```
//!
//! And read the protocol. Each step that looks before it acts is a place for another process to step in.

#![allow(clippy::test_attr_in_doctest, reason = "hidden lines make it an ordinary function")]

// `mydaemon.in` has the hidden lines that give an example an executable `mydaemon`: a script that becomes the helper
// `reference`. Examples are functions with `#[rstest]` and would not be compiled outside a test, so hidden lines put
// rstest's `fixture` in its place, which leaves the function to be called by `NAME::default()`.

pub mod cookbook;
