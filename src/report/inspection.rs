//! What was found about one pidfile or process.

use serde::Serialize;

/// All that is to be told.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Inspection {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pidfile: Option<Pidfile>,
    /// The owner of the pidfile, or the process that was asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) process: Option<Process>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) monitor: Option<Process>,
    /// What the process holds open, a line each; absent if that may not be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) descriptors: Option<Vec<String>>,
    /// From the topmost related process, a line each, indented by generation.
    pub(crate) tree: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Pidfile {
    pub(crate) path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) symlink_to: Option<String>,
    pub(crate) state: State,
    /// The state in a sentence.
    pub(crate) explanation: String,
    pub(crate) content: String,
    /// Octal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gid: Option<u32>,
    /// Who holds which lock on it, a line each.
    pub(crate) locks: Vec<String>,
    /// The file beside it that many daemons lock instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) guard: Option<Guard>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    Owned,
    /// A process of that pid lives, but holds no lock.
    NotLocked,
    BeingCreated,
    Stale,
    Missing,
    Malformed,
    NotPermitted,
    Unreadable,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Guard {
    pub(crate) path: String,
    pub(crate) locks: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) comm: String,
    pub(crate) title: String,
    /// The kernel's letter.
    pub(crate) state: char,
    pub(crate) parent: i32,
    /// The parent's short name, if there is such a process here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parent_comm: Option<String>,
    pub(crate) group: i32,
    pub(crate) session: i32,
    /// `MAJOR:MINOR`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) terminal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exe: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cwd: Option<String>,
    pub(crate) uids: Ids,
    pub(crate) gids: Ids,
    /// Octal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) umask: Option<String>,
    pub(crate) threads: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory_kib: Option<u64>,
    /// How long ago it was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) age_s: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Ids {
    pub(crate) real: u32,
    pub(crate) effective: u32,
    pub(crate) saved: u32,
}

impl std::fmt::Display for Ids {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { real, effective, saved } = self;
        if real == effective && real == saved {
            return write!(f, "{real}");
        }
        write!(f, "{effective} (real {real}, saved {saved})")
    }
}
