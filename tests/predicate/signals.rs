//! Claims about signals and core dumps.

use daemonproof::observe::View;
use daemonproof::prelude::*;
use nix::sys::signal::Signal::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
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
    let script = "trap '' HUP; trap : TERM; echo ready; sleep 1000 & wait";
    let shell = Prepared::start(sandbox(), &sh(script), options);
    holds(&shell.view(), is);
    fails(&shell.view(), is_not);
}

#[test]
fn a_start_blocks_and_ignores_nothing() {
    let shell = Prepared::sh("ulimit -S -c 0; echo ready; exec sleep 1000");
    holds(&shell.view(), blocks_nothing().and(default_action(SIGINT)).and(core_limit(0)));
}
