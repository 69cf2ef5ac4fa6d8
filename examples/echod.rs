//! A complete daemon: an echo server on a Unix socket, with the usual flags.
//!
//! ```console
//! $ cargo run --example echod -- --detach --monitor --pidfile=/tmp/echod.pid /tmp/echod.sock
//! $ daemonproof check --detach=--detach --monitor=--monitor --overwrite=--overwrite-pidfile \
//!       --no-chdir=--no-chdir -- target/debug/examples/echod --pidfile={pidfile} {rundir}/{n}.sock
//! ```

use clap::Parser;
use daemonproof::daemon::DaemonArgs;
use std::error::Error;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::{fs, thread};

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    daemon: DaemonArgs,
    /// Where to listen
    socket: PathBuf,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    // Returns in the daemon only.
    let startup = args.daemon.options("echod").start()?;
    // An error here reaches the operator's shell, as message and exit status.
    let listener = listen(&args.socket)?;
    // The operator's command exits 0 now. Threads may start.
    startup.complete()?;
    for connection in listener.incoming().flatten() {
        thread::spawn(move || echo(connection));
    }
    Ok(())
}

/// Whoever owns the pidfile owns the socket too, so one that is there is left over.
fn listen(path: &Path) -> Result<UnixListener, Box<dyn Error>> {
    let _ = fs::remove_file(path);
    let bound = UnixListener::bind(path);
    bound.map_err(|error| format!("failed to listen on {}: {error}", path.display()).into())
}

fn echo(mut connection: UnixStream) {
    let mut bytes = [0; 4096];
    while let Ok(length @ 1..) = connection.read(&mut bytes) {
        if connection.write_all(&bytes[..length]).is_err() {
            return;
        }
    }
}
