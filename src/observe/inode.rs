//! Which file it is, whatever its name.

use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use nix::sys::stat::{major, minor};

use super::bytes::{number, number_in_base};

/// A device number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Device {
    /// The kind of device.
    pub major: u32,
    /// Which one of its kind.
    pub minor: u32,
}

impl Device {
    pub(super) fn from_dev_t(dev: u64) -> Self {
        Self {
            major: major(dev) as u32,
            minor: minor(dev) as u32,
        }
    }

    /// As in [proc_pid_stat(5)]: minor in bits 31 to 20 and 7 to 0, major in bits 19 to 8.
    ///
    /// [proc_pid_stat(5)]: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
    pub(super) fn from_tty_nr(nr: u32) -> Self {
        Self {
            major: (nr >> 8) & 0xfff,
            minor: (nr & 0xff) | ((nr >> 12) & 0xfff00),
        }
    }

    /// Whether it is a terminal by its number: a console, a serial line or a pseudo-terminal.
    pub(super) fn is_terminal(self) -> bool {
        match self.major {
            4 | 136..=143 => true,
            5 => self.minor != 2, // 5:2 is /dev/ptmx, the other side.
            _ => false,
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

/// The identity of a file: equal for all its names and descriptors, different from every other file
/// that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Inode {
    /// The device of its file system.
    pub device: Device,
    /// Its number there.
    pub number: u64,
}

impl Inode {
    /// As `stat` tells it.
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            device: Device::from_dev_t(metadata.dev()),
            number: metadata.ino(),
        }
    }

    /// Parses the `fe:00:1234` of a lock's line: device in hexadecimal, number in decimal.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let mut parts = text.split(|&byte| byte == b':');
        let mut device = || u32::try_from(number_in_base(16, parts.next()?)?).ok();
        let device = Device {
            major: device()?,
            minor: device()?,
        };
        let inode = Self {
            device,
            number: number(parts.next()?)?,
        };
        parts.next().is_none().then_some(inode)
    }
}

impl fmt::Display for Inode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.device, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminals_number_is_decoded() {
        assert_eq!(
            Device::from_tty_nr(34819),
            Device {
                major: 136,
                minor: 3
            }
        );
        assert_eq!(
            Device::from_tty_nr(0x0010_8801),
            Device {
                major: 136,
                minor: 257
            }
        );
    }

    #[test]
    fn the_master_side_is_no_terminal() {
        assert!(
            Device {
                major: 136,
                minor: 0
            }
            .is_terminal()
        );
        assert!(Device { major: 5, minor: 1 }.is_terminal());
        assert!(!Device { major: 5, minor: 2 }.is_terminal());
        assert!(!Device { major: 1, minor: 3 }.is_terminal());
    }
}
