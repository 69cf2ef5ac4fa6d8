//! How often, when and why a daemon was restarted.

use std::fmt;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;

/// The lives of one daemon: its first process, and one more for each restart that was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// In the order of their starts.
    pub lives: Vec<Life>,
}

/// One process that did the daemon's work.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Life {
    /// Its number.
    pub pid: Pid,
    /// When the kernel started it, since the machine was; to the hundredth of a second. With virtual time: when it was
    /// found, as the daemon's clock counts.
    pub started: Duration,
    /// Why it ended; `None` while it lives.
    pub ended: Option<Cause>,
    /// How the lock was while nobody did the work *before* this life; `None` for the first.
    pub gap: Option<Gap>,
}

/// Why a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// By this signal.
    Signal(Signal),
    /// With this status.
    Status(i32),
    /// Only its parent, the monitor, was told.
    Unknown,
}

/// What was seen of the locks between two lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gap {
    /// How often it was looked.
    pub looks: u32,
    /// How often nothing was locked.
    pub unlocked: u32,
}

impl Life {
    /// A process that has just been found to do the work.
    pub fn new(pid: Pid, started: Duration) -> Self {
        Self { pid, started, ended: None, gap: None }
    }
}

impl History {
    /// How often the daemon was restarted.
    pub fn restarts(&self) -> usize {
        self.lives.len().saturating_sub(1)
    }

    /// The time from each start to the next, to the hundredth of a second.
    pub fn intervals(&self) -> impl Iterator<Item = Duration> {
        self.lives.windows(2).map(|pair| match pair {
            [first, second] => second.started.saturating_sub(first.started),
            _ => Duration::ZERO,
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(signal) => write!(f, "killed by {signal}"),
            Self::Status(status) => write!(f, "exited with status {status}"),
            Self::Unknown => f.write_str("ended, and only its parent knows how"),
        }
    }
}

/// One life a line.
impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.lives.first() else {
            return f.write_str("no process was seen");
        };
        for (index, life) in self.lives.iter().enumerate() {
            let after = life.started.saturating_sub(first.started);
            let line = if index == 0 { "" } else { "\n" };
            write!(f, "{line}pid {}, started after {:.2} s", life.pid, after.as_secs_f64())?;
            match life.ended {
                Some(cause) => write!(f, ", {cause}")?,
                None => f.write_str(", runs")?,
            }
            match life.gap {
                None => {}
                Some(Gap { looks: 0, .. }) => f.write_str("; before it, nobody looked at the lock")?,
                Some(Gap { looks, unlocked }) => {
                    write!(f, "; before it, unlocked in {unlocked} of {looks} looks")?;
                }
            }
        }
        Ok(())
    }
}
