//! Questions that authors of daemons ask, each a test of a few lines.
//!
//! `sandbox.helper("reference")` stands for your daemon. In a test of yours write
//! `sandbox.daemon(env!("CARGO_BIN_EXE_mydaemon"))` instead, and the arguments that yours understands. Each file of tests
//! begins with
//!
//! ```
//! use daemonproof::prelude::*;
//! use rstest::rstest;
//! use std::time::Duration;
//! ```
//!
//! The second test of a recipe shows what the first one is good for: `defective` and other helpers do one thing wrong, and
//! the assertion fails, as `try_assert` tells without a panic.
//!
//! **Starting**:
//! [ready when the command returns](#is-it-ready-when-the-command-returns) ·
//! [status of a failed start](#does-a-failed-start-return-non-zero) ·
//! [a second start](#does-a-second-start-say-why-it-is-refused) ·
//! [two starts at once](#do-two-starts-at-once-lead-to-one-daemon) ·
//! [output before it detaches](#is-what-it-prints-before-it-detaches-seen)
//!
//! **Leaving whoever started it**:
//! [ssh hangs](#does-ssh-hang) ·
//! [the terminal](#does-it-keep-the-terminal) ·
//! [Ctrl-C and SIGHUP](#does-it-survive-the-terminals-ctrl-c-and-sighup) ·
//! [the working directory](#does-it-write-in-the-working-directory) ·
//! [inherited descriptors](#does-it-keep-what-it-inherited) ·
//! [umask](#does-the-umask-decide-who-may-write-its-files) ·
//! [root](#does-it-drop-root) ·
//! [core dumps](#can-it-leave-its-secrets-in-a-core-dump)
//!
//! **The pidfile**:
//! [after a crash](#does-my-pidfile-survive-a-crash) ·
//! [a stale one](#does-a-stale-pidfile-stop-it) ·
//! [after SIGTERM](#does-it-clean-up-after-sigterm) ·
//! [a rundir that cannot be written to](#what-if-the-rundir-is-read-only) ·
//! [a full disk](#what-if-the-disk-is-full)
//!
//! **The monitor**:
//! [restarts too fast](#does-it-restart-too-fast) ·
//! [the lock meanwhile](#who-holds-the-lock-during-a-restart) ·
//! [descriptors](#does-each-restart-leak-a-descriptor) ·
//! [zombies](#is-there-a-zombie) ·
//! [the monitor is killed](#what-if-the-monitor-is-killed)
//!
//! **Stopping**:
//! [how long it takes](#how-long-does-stop-take-when-it-hangs) ·
//! [what is left](#does-a-worker-stay-behind)
//!
//! # Is it ready when the command returns?
//!
//! The script that starts it reads the pidfile on its next line. `arg` here and not `pidfile`: a start that knows of a
//! pidfile waits until there is one, and this test must not wait.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn the_pidfile_is_there_when_the_command_returns(sandbox: Sandbox) {
//!     let daemon = sandbox.helper("reference").detach("--detach").arg("--pidfile={pidfile}").start();
//!     sandbox.pidfile().assert(names(&daemon).and(locked_by(&daemon)));
//! }
//!
//! #[rstest]
//! fn one_that_returns_too_early_is_found(sandbox: Sandbox) {
//!     let hasty = sandbox.daemon("sh").args(["-c", "sleep 1000 & exit 0"]).detaches().start();
//!     sandbox.pidfile().try_assert(names(&hasty)).unwrap_err();
//! }
//! # the_pidfile_is_there_when_the_command_returns::default();
//! # one_that_returns_too_early_is_found::default();
//! ```
//!
//! # Does a failed start return non-zero?
//!
//! And does it say why? Service managers look at the status, people at the message. `run` runs the command to its end and
//! hands over to `assert_cmd`.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn a_failed_start_is_reported(sandbox: Sandbox) {
//!     let failed = sandbox.helper("reference").arg("--fail=3").detach("--detach").run();
//!     failed.assert().code(3).stderr(predicate::str::contains("failed to initialise"));
//! }
//!
//! #[rstest]
//! fn one_that_reports_success_is_found(sandbox: Sandbox) {
//!     let wrong = sandbox.helper("defective").args(["--defect=failure-exits-0", "--fail=3"]);
//!     let failed = wrong.detach("--detach").run();
//!     failed.assert().try_failure().unwrap_err();
//! }
//! # a_failed_start_is_reported::default();
//! # one_that_reports_success_is_found::default();
//! ```
//!
//! # Does a second start say why it is refused?
//!
//! And does it leave the first one alone?
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn a_second_start_is_refused(sandbox: Sandbox) {
//!     let command = sandbox.helper("reference").detach("--detach").pidfile("--pidfile={pidfile}");
//!     let first = command.start();
//!     command.run().assert().failure().stderr(predicate::str::contains("already running"));
//!     first.assert(alive()).pidfile().assert(names(&first).and(locked_by(&first)));
//! }
//!
//! #[rstest]
//! fn a_silent_refusal_is_found(sandbox: Sandbox) {
//!     let wrong = sandbox.helper("defective").arg("--defect=silent-refusal");
//!     let wrong = wrong.detach("--detach").pidfile("--pidfile={pidfile}");
//!     let _first = wrong.start();
//!     wrong.run().assert().try_stderr(predicate::str::contains("already running")).unwrap_err();
//! }
//! # a_second_start_is_refused::default();
//! # a_silent_refusal_is_found::default();
//! ```
//!
//! # Do two starts at once lead to one daemon?
//!
//! Boot scripts and impatient people start it twice. A test like this one sees few of the orders in which the two can
//! run; see [the race](super#the-race).
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! fn started_at_once(command: DaemonCommand) -> usize {
//!     let start = |n| command.clone().instance(n).try_start();
//!     let started = std::thread::scope(|scope| {
//!         let threads = [1, 2].map(|n| scope.spawn(move || start(n)));
//!         threads.map(|thread| thread.join().unwrap())
//!     });
//!     started.iter().flatten().count()
//! }
//!
//! #[rstest]
//! fn two_starts_at_once_lead_to_one_daemon(sandbox: Sandbox) {
//!     let command = sandbox.helper("reference").detach("--detach").arg("--pidfile={pidfile}");
//!     assert_eq!(started_at_once(command), 1);
//! }
//!
//! #[rstest]
//! fn two_daemons_are_found(sandbox: Sandbox) {
//!     let wrong = sandbox.daemon("sh").args(["-c", "sleep 1000 & echo $! >{pidfile}"]).detaches();
//!     assert_eq!(started_at_once(wrong), 2);
//! }
//! # two_starts_at_once_lead_to_one_daemon::default();
//! # two_daemons_are_found::default();
//! ```
//!
//! # Is what it prints before it detaches seen?
//!
//! Its messages up to then belong to whoever typed the command; later ones have no reader.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn it_speaks_until_it_detaches(sandbox: Sandbox) {
//!     let script = "echo listening on port 7654; sleep 1000 </dev/null >/dev/null 2>&1 &";
//!     let daemon = sandbox.daemon("sh").args(["-c", script]).detaches().start();
//!     daemon.output().assert(stdout(predicate::str::contains("port 7654")));
//!     daemon.assert(eventually(stdio_is_null()));
//! }
//! # it_speaks_until_it_detaches::default();
//! ```
//!
//! # Does ssh hang?
//!
//! `ssh host mydaemon --detach` returns when nobody holds the standard streams open any more. The monitor counts, too.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn ssh_does_not_hang(sandbox: Sandbox) {
//!     let daemon = sandbox.helper("reference").detach("--detach").monitor("--monitor").start();
//!     daemon.assert(stdio_is_null());
//!     daemon.monitor().assert(stdio_is_null());
//! }
//!
//! #[rstest]
//! fn one_that_keeps_the_streams_is_found(sandbox: Sandbox) {
//!     let wrong = sandbox.helper("defective").arg("--defect=keeps-stdio").detach("--detach").start();
//!     wrong.try_assert(stdio_is_null()).unwrap_err();
//! }
//! # ssh_does_not_hang::default();
//! # one_that_keeps_the_streams_is_found::default();
//! ```
//!
//! # Does it keep the terminal?
//!
//! Started from one, it must not keep it as its controlling terminal. `openpty` is of the crate `nix`, with its feature
//! `term`: `nix = { version = "0.32", features = ["term"] }`.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! use nix::pty::openpty;
//!
//! #[rstest]
//! fn it_leaves_the_terminal(sandbox: Sandbox) {
//!     let pty = openpty(None, None).unwrap();
//!     let command = sandbox.helper("reference").detach("--detach");
//!     command.options(|options| options.terminal(pty.slave)).start().assert(no_terminal());
//! }
//!
//! #[rstest]
//! fn one_that_keeps_it_is_found(sandbox: Sandbox) {
//!     let pty = openpty(None, None).unwrap();
//!     let wrong = sandbox.helper("defective").arg("--defect=no-new-session").detach("--detach");
//!     let wrong = wrong.options(|options| options.terminal(pty.slave)).start();
//!     wrong.try_assert(no_terminal()).unwrap_err();
//! }
//! # it_leaves_the_terminal::default();
//! # one_that_keeps_it_is_found::default();
//! ```
//!
//! # Does it survive the terminal's Ctrl-C and SIGHUP?
//!
//! Both go to every process of the terminal's foreground job, so one who presses Ctrl-C tries both. Once the terminal has
//! shown `^C`, the signals are sent.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest, std::time::Duration};
//! use nix::pty::openpty;
//! use std::{fs::File, io::{Read, Write}};
//!
//! fn press_ctrl_c(mut terminal: File) {
//!     terminal.write_all(b"\x03").unwrap();
//!     terminal.read_exact(&mut [0; 2]).unwrap();
//! }
//!
//! #[rstest]
//! fn ctrl_c_does_not_reach_it(sandbox: Sandbox) {
//!     let pty = openpty(None, None).unwrap();
//!     let command = sandbox.helper("reference").detach("--detach");
//!     let daemon = command.options(|options| options.terminal(pty.slave)).start();
//!     press_ctrl_c(pty.master.into());
//!     daemon.assert(always_for(Duration::from_millis(100), alive()));
//! }
//!
//! #[rstest]
//! fn one_that_stays_in_the_job_is_found(sandbox: Sandbox) {
//!     let pty = openpty(None, None).unwrap();
//!     let wrong = sandbox.helper("defective").arg("--defect=no-new-session").detach("--detach");
//!     let wrong = wrong.options(|options| options.terminal(pty.slave)).start();
//!     press_ctrl_c(pty.master.into());
//!     wrong.assert(eventually(ended()));
//! }
//! # ctrl_c_does_not_reach_it::default();
//! # one_that_stays_in_the_job_is_found::default();
//! ```
//!
//! # Does it write in the working directory?
//!
//! It should neither litter the directory that it was started in nor keep its file system from being unmounted.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn it_leaves_the_directory_that_it_was_started_in(sandbox: Sandbox) {
//!     let directory = sandbox.file("started-here");
//!     std::fs::create_dir(&directory).unwrap();
//!     let daemon = sandbox.helper("reference").detach("--detach").cwd(directory.path()).start();
//!     daemon.assert(cwd("/"));
//!     daemon.stop().assert().success();
//!     assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0);
//! }
//!
//! #[rstest]
//! fn one_that_stays_there_is_found(sandbox: Sandbox) {
//!     let wrong = sandbox.helper("defective").arg("--defect=keeps-directory").detach("--detach");
//!     wrong.cwd(sandbox.rundir()).start().try_assert(cwd("/")).unwrap_err();
//! }
//! # it_leaves_the_directory_that_it_was_started_in::default();
//! # one_that_stays_there_is_found::default();
//! ```
//!
//! # Does it keep what it inherited?
//!
//! A careless parent, cron or a shell script, passes descriptors on: a lock, a pipe that somebody waits on.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! use std::fs::File;
//!
//! #[rstest]
//! fn it_closes_what_it_inherited(sandbox: Sandbox) {
//!     let (file, lock) = (sandbox.file("lock"), File::create(sandbox.file("lock")).unwrap());
//!     let command = sandbox.helper("reference").detach("--detach");
//!     command.options(|options| options.inherit(lock)).start().assert(no_fd_of(file));
//! }
//!
//! #[rstest]
//! fn one_that_keeps_it_is_found(sandbox: Sandbox) {
//!     let (file, lock) = (sandbox.file("lock"), File::create(sandbox.file("lock")).unwrap());
//!     let wrong = sandbox.helper("defective").arg("--defect=leaks-descriptor").detach("--detach");
//!     let wrong = wrong.options(|options| options.inherit(lock)).start();
//!     wrong.try_assert(no_fd_of(file)).unwrap_err();
//! }
//! # it_closes_what_it_inherited::default();
//! # one_that_keeps_it_is_found::default();
//! ```
//!
//! # Does the umask decide who may write its files?
//!
//! What may be read by others and what may be written is the daemon's decision, whatever umask it is started with.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn the_umask_does_not_open_the_pidfile(sandbox: Sandbox) {
//!     let command = sandbox.helper("reference").detach("--detach").pidfile("--pidfile={pidfile}");
//!     for bits in [0o000, 0o077] {
//!         let daemon = command.clone().umask(bits).start();
//!         daemon.assert(umask(bits)).pidfile().assert(mode(0o644));
//!         daemon.stop();
//!     }
//! }
//!
//! #[rstest]
//! fn a_pidfile_that_anybody_may_write_is_found(sandbox: Sandbox) {
//!     let wrong = sandbox.helper("defective").arg("--defect=writable-pidfile");
//!     let wrong = wrong.detach("--detach").pidfile("--pidfile={pidfile}").start();
//!     wrong.pidfile().try_assert(mode(0o644)).unwrap_err();
//! }
//! # the_umask_does_not_open_the_pidfile::default();
//! # a_pidfile_that_anybody_may_write_is_found::default();
//! ```
//!
//! # Does it drop root?
//!
//! User, group, supplementary groups and capabilities, and none of them to be had back. Only root can try. `User` is of
//! the crate `nix`, with its feature `user`.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! use nix::unistd::User;
//!
//! #[rstest]
//! fn it_drops_root(sandbox: Sandbox) {
//!     let (true, Ok(Some(nobody))) = (Uid::effective().is_root(), User::from_name("nobody")) else { return };
//!     let sandbox = sandbox.world_writable().unwrap();
//!     let daemon = sandbox.helper("reference").arg("--user=nobody").detach("--detach").start();
//!     daemon.assert(uid(nobody.uid).and(gid(nobody.gid)).and(groups([nobody.gid])).and(no_capabilities()));
//! }
//!
//! #[rstest]
//! fn one_that_stays_root_is_found(sandbox: Sandbox) {
//!     let (true, Ok(Some(nobody))) = (Uid::effective().is_root(), User::from_name("nobody")) else { return };
//!     let daemon = sandbox.helper("reference").detach("--detach").start();
//!     daemon.try_assert(uid(nobody.uid)).unwrap_err();
//! }
//! # it_drops_root::default();
//! # one_that_stays_root_is_found::default();
//! ```
//!
//! # Can it leave its secrets in a core dump?
//!
//! The fixture allows no core files, so this test allows them, and the daemon must forbid them itself.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn it_leaves_no_core_file(sandbox: Sandbox) {
//!     let daemon = sandbox.daemon("sh").args(["-c", "ulimit -c 0; echo ready; exec sleep 1000"]);
//!     let daemon = daemon.options(|options| options.core_files(true)).ready(Ready::line("ready")).start();
//!     daemon.assert(core_limit(0));
//! }
//! # it_leaves_no_core_file::default();
//! ```
//!
//! # Does my pidfile survive a crash?
//!
//! After the monitor has restarted it, the pidfile must name the new process, and that must hold the lock.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn after_a_crash_the_pidfile_is_right(sandbox: Sandbox) {
//!     let command = sandbox.helper("reference").detach("--detach").monitor("--monitor");
//!     let daemon = command.pidfile("--pidfile={pidfile}").start();
//!     daemon.crash(Signal::SIGSEGV).wait_restarted();
//!     daemon.pidfile().assert(names(&daemon).and(locked_by(&daemon)));
//! }
//!
//! #[rstest]
//! fn one_that_still_names_the_dead_is_found(sandbox: Sandbox) {
//!     let wrong = sandbox.helper("defective").arg("--defect=restart-keeps-pidfile");
//!     let wrong = wrong.detach("--detach").monitor("--monitor").arg("--pidfile={pidfile}").start();
//!     wrong.crash(Signal::SIGSEGV).wait_restarted();
//!     sandbox.pidfile().try_assert(names(&wrong)).unwrap_err();
//! }
//! # after_a_crash_the_pidfile_is_right::default();
//! # one_that_still_names_the_dead_is_found::default();
//! ```
//!
//! # Does a stale pidfile stop it?
//!
//! After a power cut the pidfile is still there, and the number in it may be anybody's by now.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn a_stale_pidfile_is_replaced(sandbox: Sandbox) {
//!     let command = sandbox.helper("reference").detach("--detach").pidfile("--pidfile={pidfile}");
//!     command.start().crash(Signal::SIGKILL);
//!     sandbox.pidfile().assert(stale());
//!     let second = command.start();
//!     second.pidfile().assert(names(&second).and(locked_by(&second)));
//! }
//!
//! #[rstest]
//! fn one_that_is_stopped_by_it_is_found(sandbox: Sandbox) {
//!     let wrong = sandbox.helper("defective").arg("--defect=stale-refused");
//!     let wrong = wrong.detach("--detach").pidfile("--pidfile={pidfile}");
//!     wrong.start().crash(Signal::SIGKILL);
//!     wrong.try_start().unwrap_err();
//! }
//! # a_stale_pidfile_is_replaced::default();
//! # one_that_is_stopped_by_it_is_found::default();
//! ```
//!
//! # Does it clean up after SIGTERM?
//!
//! `stop` sends it, waits until every process has ended, and returns how the daemon did.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn sigterm_leaves_no_pidfile(sandbox: Sandbox) {
//!     let daemon = sandbox.helper("reference").detach("--detach").pidfile("--pidfile={pidfile}").start();
//!     daemon.stop().assert().success();
//!     sandbox.pidfile().assert(missing());
//! }
//!
//! #[rstest]
//! fn one_that_leaves_it_is_found(sandbox: Sandbox) {
//!     let wrong = sandbox.helper("defective").arg("--defect=pidfile-left");
//!     wrong.detach("--detach").pidfile("--pidfile={pidfile}").start().stop();
//!     sandbox.pidfile().try_assert(missing()).unwrap_err();
//! }
//! # sigterm_leaves_no_pidfile::default();
//! # one_that_leaves_it_is_found::default();
//! ```
//!
//! `sandbox.litter()` has the names of all files that are left in the rundir.
//!
//! # What if the rundir is read-only?
//!
//! Or not there. `/proc` will not have the pidfile even of root, to whom the mode of a directory means nothing.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn a_rundir_that_cannot_be_written_to_is_named(sandbox: Sandbox) {
//!     let refused = sandbox.helper("reference").detach("--detach").arg("--pidfile=/proc/mydaemon.pid").run();
//!     // What root may try in vain, others may not even try.
//!     let tried = predicate::str::contains("/proc/.mydaemon.pid");
//!     let forbidden = predicate::str::contains("the pidfile's directory /proc: Permission denied");
//!     refused.assert().failure().stderr(tried.or(forbidden));
//! }
//! # a_rundir_that_cannot_be_written_to_is_named::default();
//! ```
//!
//! # What if the disk is full?
//!
//! With a file size limit of 0 every file can be made and none can be written: the same, without a file system to fill.
//! Captured output goes to files as well, so there is no message to judge.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn a_full_disk_leaves_no_pidfile(sandbox: Sandbox) {
#![doc = include_str!("mydaemon.in")]
//!     let full = "trap '' XFSZ; ulimit -f 0; exec \"$@\"";
//!     let daemon = sandbox.daemon("sh").args(["-c", full, "sh", env!("CARGO_BIN_EXE_mydaemon")]);
//!     daemon.detach("--detach").arg("--pidfile={pidfile}").run().assert().failure();
//!     sandbox.pidfile().assert(missing());
//! }
//! # a_full_disk_leaves_no_pidfile::default();
//! ```
//!
//! # Does it restart too fast?
//!
//! The first restart may come at once, the second must wait. With a throttle of an hour nothing is to be measured, so the
//! slowest machine gives the same answer.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest, std::time::Duration};
//! #[rstest]
//! fn a_crash_loop_is_throttled(sandbox: Sandbox) {
//!     let command = sandbox.helper("reference").arg("--restart-interval=1h");
//!     let daemon = command.detach("--detach").monitor("--monitor").start();
//!     daemon.crash(Signal::SIGSEGV).wait_restarted();
//!     daemon.crash(Signal::SIGSEGV);
//!     daemon.history().assert(never(Duration::from_millis(200), restarts_at_least(2)));
//! }
//!
//! #[rstest]
//! fn a_tight_loop_is_found(sandbox: Sandbox) {
//!     let wrong = sandbox.helper("defective").args(["--defect=no-throttle", "--restart-interval=1h"]);
//!     let wrong = wrong.detach("--detach").monitor("--monitor").start();
//!     wrong.crash(Signal::SIGSEGV).wait_restarted();
//!     wrong.crash(Signal::SIGSEGV);
//!     wrong.history().assert(eventually(restarts_at_least(2)));
//! }
//! # a_crash_loop_is_throttled::default();
//! # a_tight_loop_is_found::default();
//! ```
//!
//! # Who holds the lock during a restart?
//!
//! If nobody does while the monitor waits, another instance slips in, and the monitor finds its place taken.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn nobody_slips_in_during_a_restart(sandbox: Sandbox) {
//!     let command = sandbox.helper("reference").arg("--restart-interval=1h");
//!     let command = command.detach("--detach").monitor("--monitor").pidfile("--pidfile={pidfile}");
//!     let daemon = command.start();
//!     daemon.crash(Signal::SIGSEGV).wait_restarted();
//!     daemon.crash(Signal::SIGSEGV);
//!     command.run().assert().failure().stderr(predicate::str::contains("already running"));
//! }
//!
//! #[rstest]
//! fn one_that_drops_its_lock_is_found(sandbox: Sandbox) {
//!     let wrong = sandbox.helper("defective").args(["--defect=lock-dropped-in-throttle", "--restart-interval=1h"]);
//!     let wrong = wrong.detach("--detach").monitor("--monitor").pidfile("--pidfile={pidfile}").start();
//!     wrong.crash(Signal::SIGSEGV).wait_restarted();
//!     wrong.crash(Signal::SIGSEGV);
//!     sandbox.file("daemon.guard").assert(eventually(unlocked()));
//! }
//! # nobody_slips_in_during_a_restart::default();
//! # one_that_drops_its_lock_is_found::default();
//! ```
//!
//! # Does each restart leak a descriptor?
//!
//! One pipe a restart, and after a thousand crashes the monitor has no descriptor left. `eventually`, because just after a
//! restart the monitor still holds what the new daemon is to report through.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! use daemonproof::observe::Descriptors;
//!
//! fn restarted_three_times(command: DaemonCommand) -> (Daemon, Descriptors) {
//!     let command = command.arg("--restart-interval=10ms").detach("--detach").monitor("--monitor");
//!     let daemon = command.pidfile("--pidfile={pidfile}").start();
//!     let before = Descriptors::of(daemon.monitor_pid().unwrap()).unwrap().present().unwrap();
//!     for _ in 0..3 {
//!         daemon.crash(Signal::SIGSEGV).wait_restarted();
//!     }
//!     (daemon, before)
//! }
//!
//! #[rstest]
//! fn restarts_leak_no_descriptors(sandbox: Sandbox) {
//!     let (daemon, before) = restarted_three_times(sandbox.helper("reference"));
//!     daemon.monitor().assert(eventually(no_leaks_against(&before)));
//! }
//!
//! #[rstest]
//! fn a_leak_is_found(sandbox: Sandbox) {
//!     let wrong = sandbox.helper("defective").arg("--defect=leaks-per-restart");
//!     let (wrong, before) = restarted_three_times(wrong);
//!     wrong.monitor().try_assert(no_leaks_against(&before)).unwrap_err();
//! }
//! # restarts_leak_no_descriptors::default();
//! # a_leak_is_found::default();
//! ```
//!
//! # Is there a zombie?
//!
//! A monitor that does not wait for the dead fills the process table.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn a_crash_leaves_no_zombie(sandbox: Sandbox) {
//!     let daemon = sandbox.helper("reference").detach("--detach").monitor("--monitor").start();
//!     daemon.crash(Signal::SIGSEGV).wait_restarted();
//!     daemon.tree().assert(eventually(roles([Role::Monitor, Role::Daemon])));
//! }
//!
//! #[rstest]
//! fn a_zombie_is_found(sandbox: Sandbox) {
//!     let wrong = sandbox.helper("defective").arg("--defect=leaves-zombies");
//!     let wrong = wrong.detach("--detach").monitor("--monitor").start();
//!     wrong.crash(Signal::SIGSEGV).wait_restarted();
//!     wrong.tree().try_assert(no_zombies()).unwrap_err();
//! }
//! # a_crash_leaves_no_zombie::default();
//! # a_zombie_is_found::default();
//! ```
//!
//! # What if the monitor is killed?
//!
//! The kernel kills whom it likes when memory is short. What is to happen then is your decision; `reference` goes on
//! working, still owns its pidfile, and can be stopped.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest};
//! #[rstest]
//! fn without_its_monitor_it_works_on(sandbox: Sandbox) {
//!     let command = sandbox.helper("reference").detach("--detach").monitor("--monitor");
//!     let daemon = command.pidfile("--pidfile={pidfile}").start();
//!     daemon.kill_monitor();
//!     daemon.assert(alive()).pidfile().assert(names(&daemon).and(locked_by(&daemon)));
//!     daemon.stop().assert().success();
//!     sandbox.pidfile().assert(missing());
//! }
//! # without_its_monitor_it_works_on::default();
//! ```
//!
//! # How long does stop take when it hangs?
//!
//! Service managers send SIGTERM, wait, and kill. Give the wait a limit of your own, generous where it must hold.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest, std::time::Duration};
//! #[rstest]
//! fn it_ends_in_time(sandbox: Sandbox) {
//!     let daemon = sandbox.helper("reference").detach("--detach").start();
//!     daemon.signal(Signal::SIGTERM).assert(eventually(ended()).within(Duration::from_secs(60)));
//! }
//!
//! #[rstest]
//! fn one_that_hangs_is_found(sandbox: Sandbox) {
//!     let hanging = sandbox.helper("hang").arg("--when=on-sigterm").detach("--detach").start();
//!     hanging.signal(Signal::SIGTERM);
//!     hanging.try_assert(eventually(ended()).within(Duration::from_millis(100))).unwrap_err();
//! }
//! # it_ends_in_time::default();
//! # one_that_hangs_is_found::default();
//! ```
//!
//! # Does a worker stay behind?
//!
//! `stop` fails if any process is left at the end of its time. To judge only that, look at the tree.
//!
//! ```
//! # use {daemonproof::prelude::*, rstest::fixture as rstest, std::time::Duration};
//! #[rstest]
//! fn nothing_stays_behind(sandbox: Sandbox) {
//!     let daemon = sandbox.helper("reference").detach("--detach").start();
//!     daemon.signal(Signal::SIGTERM).tree().assert(eventually(no_processes()));
//! }
//!
//! #[rstest]
//! fn a_worker_that_stays_is_found(sandbox: Sandbox) {
//!     let wrong = sandbox.helper("defective").arg("--defect=leaves-worker").detach("--detach").start();
//!     let gone = eventually(no_processes()).within(Duration::from_millis(100));
//!     wrong.signal(Signal::SIGTERM).tree().try_assert(gone).unwrap_err();
//! }
//! # nothing_stays_behind::default();
//! # a_worker_that_stays_is_found::default();
//! ```
