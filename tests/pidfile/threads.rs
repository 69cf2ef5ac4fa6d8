//! What is refused within a program, before anything happens. This very process is the program.

use daemonproof::daemon::{DaemonOptions, Error, Pidfile};
use rstest::rstest;

use crate::support::{assert_clean, guard, sandbox};

#[rstest]
#[case(true, false)]
#[case(false, true)]
#[case(true, true)]
fn a_process_with_threads_is_not_forked(#[case] detach: bool, #[case] monitor: bool) {
    let sandbox = sandbox();
    let options = DaemonOptions::new("x").detach(detach).monitor(monitor);
    let outcome = options.pidfile(Pidfile::at(sandbox.pidfile())).start();
    // The test runs in a thread beside the main one.
    let Err(error @ Error::Threads { threads: 2.. }) = outcome else { panic!("{outcome:?}") };
    assert!(error.to_string().contains("threads: start threads after"), "{error}");
    assert_clean(&sandbox);
    assert!(!guard(&sandbox).exists());
}

#[rstest]
#[case("a\0b")]
#[case("\0")]
#[case("a\0b/daemon.pid")]
#[case("a/\0")]
fn a_zero_byte_in_the_pidfiles_name_is_an_error(#[case] name: &str) {
    let sandbox = sandbox();
    for path in [name.into(), sandbox.rundir().join(name)] {
        let outcome = DaemonOptions::new("x").rundir(sandbox.rundir()).pidfile(Pidfile::at(path)).start();
        assert!(matches!(outcome, Err(Error::NoName { .. })), "{outcome:?}");
    }
    assert_eq!(sandbox.litter().unwrap().len(), 0);
}

#[test]
fn a_zero_byte_in_other_names_is_an_error() {
    let sandbox = sandbox();
    let default = || Pidfile::default();
    for options in [
        DaemonOptions::new("a\0b").rundir(sandbox.rundir()).pidfile(default()),
        DaemonOptions::new("x").rundir("a\0b").pidfile(default()),
        DaemonOptions::new("x").user("a\0b"),
        DaemonOptions::new("x").user("nobody:a\0b"),
        DaemonOptions::new("x").stderr("a\0b"),
    ] {
        let outcome = options.clone().start();
        assert!(outcome.is_err(), "{options:?}: {outcome:?}");
    }
    assert_eq!(sandbox.litter().unwrap().len(), 0);
}

#[test]
fn the_option_for_the_rundir_counts_more_than_the_environment() {
    let sandbox = sandbox();
    let missing = sandbox.rundir().join("missing");
    let outcome = DaemonOptions::new("x").rundir(&missing).pidfile(Pidfile::default()).start();
    let text = outcome.unwrap_err().to_string();
    assert!(text.contains(&format!("directory {}: No such file", missing.display())), "{text}");
}
