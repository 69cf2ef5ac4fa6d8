//! What `ps` shows: title and command name.

use crate::sys::title::TitleArea;
use nix::sys::prctl::{get_name, set_name};
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// The title of a monitor, to be taken back in the daemons that it forks.
#[derive(Debug)]
pub(super) struct MonitorTitle {
    program: OsString,
    area: Option<TitleArea>,
    name: CString,
}

impl MonitorTitle {
    /// Names the calling process `monitor`.
    pub(super) fn take(program: &OsStr) -> Self {
        let name = get_name().unwrap_or_default();
        let _ = set_name(c"monitor");
        Self { program: program.to_owned(), area: TitleArea::claim(), name }
    }

    /// `PROGRAM: monitoring pid N (STATUS)`.
    pub(super) fn show(&self, daemon: i32, status: &str) {
        if let Some(area) = &self.area {
            let mut title = self.program.as_bytes().to_vec();
            title.extend(format!(": monitoring pid {daemon} ({status})").bytes());
            area.set(&title);
        }
    }

    /// Gives the calling process the program's title and name again.
    pub(super) fn restore(&self) {
        if let Some(area) = &self.area {
            area.restore();
        }
        let _ = set_name(&self.name);
    }
}
