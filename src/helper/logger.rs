//! A logger for helpers: lines in a file that the daemon keeps open.

use log::{LevelFilter, Log, Metadata, Record};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

struct FileLogger {
    file: File,
}

impl Log for FileLogger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = format!("{} {}\n", record.level(), record.args());
        let _ = (&self.file).write_all(line.as_bytes());
    }

    fn flush(&self) {}
}

/// Appends what the library logs to a file.
pub(super) fn log_to(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().append(true).create(true).open(path)?;
    log::set_boxed_logger(Box::new(FileLogger { file })).map_err(io::Error::other)?;
    log::set_max_level(LevelFilter::Info);
    Ok(())
}
