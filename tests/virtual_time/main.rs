//! Virtual time: unmodified programs sleep for hours within milliseconds, and see on every clock that they did.

use std::time::{Duration, Instant};

use daemonproof::prelude::*;

#[test]
fn sleep() {
    let sandbox = Sandbox::new().unwrap();
    let began = Instant::now();
    let daemon = sandbox.daemon("sleep").arg("100").virtual_time().start();
    daemon.subject().wait_exit(sandbox.deadline()).unwrap();
    println!("real {:?} passed {:?}", began.elapsed(), daemon.clock().passed());
}

#[test]
fn python() {
    let sandbox = Sandbox::new().unwrap();
    let began = Instant::now();
    let script = "import time; a,b=time.time(),time.monotonic(); time.sleep(100); print(time.time()-a, time.monotonic()-b)";
    let daemon = sandbox.daemon("python3").args(["-c", script]).virtual_time().start();
    daemon.subject().wait_exit(sandbox.deadline()).unwrap();
    println!(
        "real {:?} passed {:?} {:?}",
        began.elapsed(),
        daemon.clock().passed(),
        String::from_utf8(daemon.subject().stdout().unwrap())
    );
}
