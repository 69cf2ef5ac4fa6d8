//! x
use super::support::*;
use daemonproof::check::*;
use daemonproof::fixture::CommandLine;
use daemonproof::helper::DEFECTS;
use clap::ValueEnum;
use std::time::Duration;

pub(crate) fn driving(name: &str) -> Driving {
    let command = CommandLine::new(env!("CARGO_BIN_EXE_defective"))
        .args(["--pidfile={pidfile}", "--restart-interval=400ms", &format!("--defect={name}")]);
    Driving::new(command)
        .detach("--detach")
        .monitor("--monitor")
        .overwrite("--overwrite-pidfile")
        .no_chdir("--no-chdir")
        .declares(Declared { restart_interval: Some(Duration::from_millis(400)), ..Declared::default() })
        .timeout(Duration::from_secs(5))
}

#[test]
fn matrix() {
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|s| { for _ in 0..8 { s.spawn(|| loop {
        let i = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let Some(d) = DEFECTS.get(i) else { break };
        let name = d.to_possible_value().unwrap().get_name().to_owned();
        let b = std::time::Instant::now();
        let r = judge_all(&driving(&name));
        eprintln!("{name} {:?}: {:?} UNKNOWN {:?}", b.elapsed(), failures(&r), unknowns(&r));
    }); } });
}
#[test]
fn one() {
    let Ok(name) = std::env::var("ONE") else { return };
    let b = std::time::Instant::now();
    let r = judge_all(&driving(&name));
    for f in &r.findings { eprintln!("{:>12.1?} {} {:?}", f.elapsed, f.check.id, f.outcome); }
    eprintln!("{name} {:?}: {:?} UNKNOWN {:?}", b.elapsed(), failures(&r), unknowns(&r));
}
