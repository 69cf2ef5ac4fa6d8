//! A key-value server on a Unix socket. It takes `set KEY VALUE` and `get KEY`, a line each, and answers each with a line.
//!
//! ```console
//! $ kvd --detach --pidfile=/run/kvd.pid --socket=/run/kvd.sock
//! $ echo 'set colour green' | nc -U /run/kvd.sock
//! ok
//! ```

use clap::Parser;
use daemonproof::daemon::DaemonArgs;
use std::collections::HashMap;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::{fs, thread};

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    daemon: DaemonArgs,
    /// Where to listen
    #[arg(long)]
    socket: PathBuf,
}

type Store = Mutex<HashMap<String, String>>;

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    // Returns in the daemon only.
    let startup = args.daemon.options("kvd").start()?;
    // An error here reaches the operator's shell, as message and exit status.
    let listener = listen(&args.socket)?;
    // The operator's command exits 0 now. Threads may start.
    startup.complete()?;
    let store = Store::default();
    thread::scope(|scope| {
        for connection in listener.incoming().flatten() {
            scope.spawn(|| serve(connection, &store));
        }
    });
    Ok(())
}

/// Whoever owns the pidfile owns the socket too, so one that is there is left over.
fn listen(path: &Path) -> Result<UnixListener, Box<dyn Error>> {
    let _ = fs::remove_file(path);
    let bound = UnixListener::bind(path);
    bound.map_err(|error| format!("failed to listen on {}: {error}", path.display()).into())
}

fn serve(connection: UnixStream, store: &Store) -> io::Result<()> {
    let mut answers = connection.try_clone()?;
    for line in BufReader::new(connection).lines() {
        writeln!(answers, "{}", answer(&line?, store))?;
    }
    Ok(())
}

fn answer(request: &str, store: &Store) -> String {
    let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
    match *request.splitn(3, ' ').collect::<Vec<_>>() {
        ["get", key] => store.get(key).cloned().unwrap_or_default(),
        ["set", key, value] => {
            store.insert(key.to_owned(), value.to_owned());
            "ok".to_owned()
        }
        _ => "expected `get KEY` or `set KEY VALUE`".to_owned(),
    }
}
