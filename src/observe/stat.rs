//! `/proc/PID/stat`.

use std::ffi::OsString;
use std::fmt::{self, Write};
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use nix::unistd::{Pid, SysconfVar, sysconf};

use super::bytes::{number, words};
use super::{Device, Process};

/// What a process is doing, by the letter of [proc_pid_stat(5)].
///
/// [proc_pid_stat(5)]: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// `R`: running, or ready to.
    Running,
    /// `S`: waiting for an event.
    Sleeping,
    /// `D`: waiting, and not to be interrupted.
    DiskSleep,
    /// `Z`: ended, but not reaped by its parent.
    Zombie,
    /// `T`: stopped by a signal.
    Stopped,
    /// `t`: stopped by a tracer.
    Traced,
    /// `X`: ended and being removed.
    Dead,
    /// `I`: a kernel thread with nothing to do.
    Idle,
    /// Any other letter.
    Other(char),
}

impl State {
    /// Whether the process has ended and only its number and exit status are left.
    pub fn is_zombie(self) -> bool {
        matches!(self, Self::Zombie | Self::Dead)
    }

    /// The letter that the kernel uses.
    pub fn letter(self) -> char {
        match self {
            Self::Running => 'R',
            Self::Sleeping => 'S',
            Self::DiskSleep => 'D',
            Self::Zombie => 'Z',
            Self::Stopped => 'T',
            Self::Traced => 't',
            Self::Dead => 'X',
            Self::Idle => 'I',
            Self::Other(letter) => letter,
        }
    }

    fn from_letter(letter: u8) -> Self {
        match letter {
            b'R' => Self::Running,
            b'S' => Self::Sleeping,
            b'D' => Self::DiskSleep,
            b'Z' => Self::Zombie,
            b'T' => Self::Stopped,
            b't' => Self::Traced,
            b'X' | b'x' => Self::Dead,
            b'I' => Self::Idle,
            other => Self::Other(other as char),
        }
    }
}

/// The kernel's letter.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char(self.letter())
    }
}

/// The part of `/proc/PID/stat` that is used here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) pid: Pid,
    pub(crate) comm: OsString,
    pub(crate) state: State,
    pub(crate) ppid: Pid,
    pub(super) pgid: Pid,
    pub(crate) sid: Pid,
    pub(crate) tty: Option<Device>,
    pub(super) tpgid: Option<Pid>,
    /// Whether its first thread is ending or has ended; others may go on.
    pub(super) exiting: bool,
    pub(crate) threads: u32,
    pub(super) cpu_time_ticks: u64,
    pub(super) start_time_ticks: u64,
}

/// Of the flags in `/proc/PID/stat`, the one for what is ending; `include/linux/sched.h`.
const PF_EXITING: u32 = 4;

/// What `/proc` counts in clock ticks, as a time; none if the system does not say how long they are, see
/// [sysconf(3)](https://man7.org/linux/man-pages/man3/sysconf.3.html).
pub(crate) fn from_ticks(ticks: u64) -> Option<Duration> {
    let per_s = u64::try_from(sysconf(SysconfVar::CLK_TCK).ok()??).ok()?;
    let rest_ns = (ticks.checked_rem(per_s)? * 1_000_000_000) / per_s;
    Some(Duration::from_secs(ticks / per_s) + Duration::from_nanos(rest_ns))
}

impl From<&Process> for Stat {
    fn from(process: &Process) -> Self {
        Self {
            pid: process.pid,
            comm: process.comm.clone(),
            state: process.state,
            ppid: process.ppid,
            pgid: process.pgid,
            sid: process.sid,
            tty: process.tty,
            tpgid: process.tpgid,
            exiting: process.state.is_zombie(),
            threads: process.threads,
            cpu_time_ticks: process.cpu_time_ticks,
            start_time_ticks: process.start_time_ticks,
        }
    }
}

impl Stat {
    /// See [`Process::is_zombie`].
    pub(crate) fn is_zombie(&self) -> bool {
        self.state.is_zombie() && self.threads <= 1
    }

    /// Whether the process was being removed while the kernel wrote this, and so left out its
    /// relatives: parent 0, group and session -1, no threads.
    pub(super) fn is_void(&self) -> bool {
        self.threads == 0
    }

    /// Parses the file. The error is the name of the part that is wrong, after the manual page.
    pub(super) fn parse(text: &[u8]) -> Result<Self, &'static str> {
        // The command may hold any byte, `) (` as well; the fields behind it are numbers.
        let open = text.iter().position(|&byte| byte == b'(').ok_or("comm")?;
        let close =
            text.iter().rposition(|&byte| byte == b')').filter(|&close| close > open).ok_or("comm")?;
        let fields: Vec<&[u8]> = words(&text[close + 1..]).collect();
        // The manual page counts from 1, and its third field is the first behind the command.
        let field = |index: usize| fields.get(index - 3).copied().unwrap_or_default();
        let pid = |index, name| number(field(index)).map(Pid::from_raw).ok_or(name);
        let ticks = |index, name| number::<u64>(field(index)).ok_or(name);
        let &[state] = field(3) else {
            return Err("state");
        };
        let tty: i32 = number(field(7)).ok_or("tty_nr")?;
        Ok(Self {
            pid: number(text[..open].trim_ascii()).map(Pid::from_raw).ok_or("pid")?,
            comm: OsString::from_vec(text[open + 1..close].to_vec()),
            state: State::from_letter(state),
            ppid: pid(4, "ppid")?,
            pgid: pid(5, "pgrp")?,
            sid: pid(6, "session")?,
            tty: (tty != 0).then(|| Device::from_tty_nr(tty.cast_unsigned())),
            tpgid: Some(pid(8, "tpgid")?).filter(|tpgid| tpgid.as_raw() > 0),
            exiting: number(field(9)).is_some_and(|flags: u32| flags & PF_EXITING != 0),
            threads: number(field(20)).ok_or("num_threads")?,
            cpu_time_ticks: ticks(14, "utime")?.saturating_add(ticks(15, "stime")?),
            start_time_ticks: ticks(22, "starttime")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::bytes::tests::{damaged, noise};
    use std::os::unix::ffi::OsStrExt;

    const TAIL: &[u8] =
        b" S 1 41 40 34819 41 4194304 103 0 0 0 7 5 0 0 20 0 3 0 65385 3133440 407 1844674407370\n";

    fn with_comm(comm: &[u8]) -> Vec<u8> {
        [b"42 (", comm, b")", TAIL].concat()
    }

    #[test]
    fn every_field_is_in_its_place() {
        let stat = Stat::parse(&with_comm(b"sh")).unwrap();
        let pid = Pid::from_raw;
        let tty = Some(Device { major: 136, minor: 3 });
        let expected = Stat {
            pid: pid(42),
            comm: "sh".into(),
            state: State::Sleeping,
            ppid: pid(1),
            pgid: pid(41),
            sid: pid(40),
            tty,
            tpgid: Some(pid(41)),
            exiting: false,
            threads: 3,
            cpu_time_ticks: 12,
            start_time_ticks: 65385,
        };
        assert_eq!(stat, expected);
    }

    #[test]
    fn a_command_cannot_pose_as_other_fields() {
        for comm in [&b") ("[..], b"a) R 1 1 (b", b"", b"((", b"))", b"\xff\n\0", b") Z 0 0 0"] {
            let stat = Stat::parse(&with_comm(comm)).unwrap();
            assert_eq!(
                (stat.comm.as_bytes(), stat.state, stat.ppid),
                (comm, State::Sleeping, Pid::from_raw(1))
            );
        }
    }

    #[test]
    fn no_terminal_is_none() {
        let text = with_comm(b"sh").replace(b" 34819 41 ", b" 0 -1 ");
        let stat = Stat::parse(&text).unwrap();
        assert_eq!((stat.tty, stat.tpgid), (None, None));
    }

    trait Replace {
        fn replace(&self, from: &[u8], to: &[u8]) -> Vec<u8>;
    }

    impl Replace for Vec<u8> {
        fn replace(&self, from: &[u8], to: &[u8]) -> Vec<u8> {
            let at = self.windows(from.len()).position(|window| window == from).unwrap();
            [&self[..at], to, &self[at + from.len()..]].concat()
        }
    }

    #[test]
    fn a_process_that_is_being_removed_is_told_by_its_lack_of_threads() {
        let text = b"42 (x) X 0 -1 -1 0 -1 4228108 0 0 0 0 0 0 0 0 0 20 0 0 0 65385 0 0 0";
        assert!(Stat::parse(text).unwrap().is_void() && Stat::parse(text).unwrap().exiting);
        assert!(!Stat::parse(&with_comm(b"x")).unwrap().is_void());
    }

    #[test]
    fn letters_round_trip() {
        for letter in b'A'..=b'z' {
            let state = State::from_letter(letter);
            assert_eq!(state.letter().to_ascii_uppercase(), (letter as char).to_ascii_uppercase());
            assert_eq!(state.is_zombie(), b"ZXx".contains(&letter));
        }
    }

    #[test]
    fn damage_is_an_error_or_a_value_never_a_panic() {
        assert_eq!(Stat::parse(b""), Err("comm"));
        assert_eq!(Stat::parse(b")("), Err("comm"));
        assert_eq!(Stat::parse(b"1 (x) S 1 1 1 0 -1"), Err("num_threads"));
        for text in damaged(&with_comm(b"sh")).chain(noise(20_000)) {
            let _ = Stat::parse(&text);
        }
    }
}
