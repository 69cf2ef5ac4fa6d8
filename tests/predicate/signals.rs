//! Claims about signals and core dumps.

use daemonproof::observe::View;
use daemonproof::prelude::*;
use nix::sys::signal::Signal::{SIGHUP, SIGPIPE, SIGTERM, SIGUSR1, SIGUSR2};
use rstest::rstest;

use crate::support::{Prepared, fails, holds, sandbox, sh};

#[rstest]
#[case(blocks(SIGUSR1), blocks(SIGUSR2))]
#[case(blocks(SIGUSR2).not(), blocks_nothing())]
#[case(ignores(SIGHUP), ignores(SIGTERM))]
#[case(catches(SIGTERM), catches(SIGHUP))]
#[case(default_action(SIGUSR2), default_action(SIGHUP))]
#[case(default_action(SIGUSR1), default_action(SIGTERM))]
#[case(core_limit(0), core_limit(None))]
#[case(core_limit(0), core_limit(512))]
fn signals_are_as_the_script_set_them(#[case] is: Claim<View>, #[case] is_not: Claim<View>) {
    let options = StartOptions::new().block(SIGUSR1);
    // Opening the fifo takes forever. A shell that waits for a child blocks all signals now and then, and none later.
    let sandbox = sandbox();
    nix::unistd::mkfifo(&sandbox.rundir().join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let script = "trap '' HUP; trap : TERM; echo ready; read x <{rundir}/fifo";
    let shell = Prepared::start(sandbox, &sh(script), options);
    holds(&shell.view(), is);
    fails(&shell.view(), is_not);
}

#[test]
fn a_start_blocks_and_ignores_nothing() {
    let shell = Prepared::sh("ulimit -S -c 0; echo ready; exec sleep 1000");
    holds(&shell.view(), blocks_nothing().and(default_action(SIGPIPE)).and(core_limit(0)));
}
