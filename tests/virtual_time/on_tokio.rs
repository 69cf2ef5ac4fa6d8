//! A program on tokio, which is this executable once more.

use std::io::{Write, stdout};
use std::path::Path;

use daemonproof::prelude::*;
use tokio::net::UnixListener;
use tokio::runtime::Builder;
use tokio::time::{Duration, Instant, interval, sleep, timeout};

use crate::support::run;

/// Says to this executable that it is the program.
const BE_IT: &str = "DAEMONPROOF_BE_TOKIO";

/// Its timers are timeouts of epoll_wait(2).
#[test]
fn it_sleeps_ticks_and_gives_up() {
    let sandbox = Sandbox::new().unwrap();
    let this = std::env::current_exe().unwrap();
    let program = sandbox.daemon(this).args(["--exact", "on_tokio::program", "--nocapture"]);
    let (said, _) = run(program.env(BE_IT, "{rundir}/socket"));
    let said: Vec<_> = said.lines().filter(|line| line.starts_with("tokio ")).collect();
    assert_eq!(said, ["tokio slept 100", "tokio ticked 30 60 90", "tokio gave up 40", "tokio both 70"]);
}

#[test]
fn program() {
    let Some(socket) = std::env::var_os(BE_IT) else { return };
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let said = runtime.block_on(waits(socket.as_ref()));
    stdout().write_all(said.as_bytes()).unwrap();
}

async fn waits(socket: &Path) -> String {
    let seconds = |began: Instant| began.elapsed().as_secs();
    let began = Instant::now();
    sleep(Duration::from_secs(100)).await;
    let mut said = format!("\ntokio slept {}\ntokio ticked", seconds(began));

    let began = Instant::now();
    let mut ticks = interval(Duration::from_secs(30));
    ticks.tick().await;
    for _ in 0..3 {
        ticks.tick().await;
        said += &format!(" {}", seconds(began));
    }

    let began = Instant::now();
    let listener = UnixListener::bind(socket).unwrap();
    timeout(Duration::from_secs(40), listener.accept()).await.unwrap_err();
    said += &format!("\ntokio gave up {}", seconds(began));

    let began = Instant::now();
    let other = tokio::spawn(sleep(Duration::from_secs(70)));
    sleep(Duration::from_secs(20)).await;
    other.await.unwrap();
    said + &format!("\ntokio both {}\n", seconds(began))
}
