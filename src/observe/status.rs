//! `/proc/PID/status` and `/proc/PID/limits`.

use nix::unistd::{Gid, Uid};

use super::bytes::{field, lines, number, number_in_base, words};
use super::{Capabilities, Ids, Limit, SignalSet, Signals};

/// The part of `/proc/PID/status` that `stat` does not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) uids: Ids<Uid>,
    pub(super) gids: Ids<Gid>,
    pub(super) groups: Vec<Gid>,
    pub(super) umask: Option<u32>,
    pub(super) signals: Signals,
    pub(super) capabilities: Capabilities,
    pub(super) vm_rss_kib: Option<u64>,
}

impl Status {
    /// Parses the file. The error is the name of the line that is missing or wrong.
    pub(super) fn parse(text: &[u8]) -> Result<Self, &'static str> {
        let mask = |key| {
            field(text, key)
                .and_then(|value| number_in_base(16, value))
                .ok_or(key)
        };
        let set = |key| mask(key).map(SignalSet::from_bits);
        let groups = words(field(text, "Groups").ok_or("Groups")?)
            .map(|word| number(word).map(Gid::from_raw));
        Ok(Self {
            uids: ids(text, "Uid", Uid::from_raw)?,
            gids: ids(text, "Gid", Gid::from_raw)?,
            groups: groups.collect::<Option<_>>().ok_or("Groups")?,
            umask: field(text, "Umask")
                .and_then(|value| number_in_base(8, value))
                .map(|umask| umask as u32),
            signals: Signals {
                blocked: set("SigBlk")?,
                ignored: set("SigIgn")?,
                caught: set("SigCgt")?,
                pending: SignalSet::from_bits(mask("SigPnd")? | mask("ShdPnd")?),
            },
            capabilities: Capabilities {
                effective: mask("CapEff")?,
                permitted: mask("CapPrm")?,
                inheritable: mask("CapInh")?,
            },
            vm_rss_kib: field(text, "VmRSS").and_then(|value| number(words(value).next()?)),
        })
    }
}

fn ids<T>(text: &[u8], key: &'static str, make: fn(u32) -> T) -> Result<Ids<T>, &'static str> {
    let mut values = words(field(text, key).ok_or(key)?).map_while(|word| number(word).map(make));
    let mut next = || values.next().ok_or(key);
    Ok(Ids {
        real: next()?,
        effective: next()?,
        saved: next()?,
        filesystem: next()?,
    })
}

/// The limit called `name` in `/proc/PID/limits`.
pub(super) fn limit(text: &[u8], name: &'static str) -> Result<Limit, &'static str> {
    let row = lines(text)
        .find_map(|line| line.strip_prefix(name.as_bytes()))
        .ok_or(name)?;
    let mut columns = words(row).map(|word| match word {
        b"unlimited" => Some(None),
        word => number(word).map(Some),
    });
    let mut next = || columns.next().flatten().ok_or(name);
    Ok(Limit {
        soft: next()?,
        hard: next()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::bytes::tests::{damaged, noise};

    const STATUS: &[u8] = b"Name:\tx\\nUid:\t7\nUmask:\t0027\nUid:\t0\t1\t2\t3\nGid:\t4\t5\t6\t7\nGroups:\t4 24 \n\
        VmRSS:\t    1784 kB\nSigPnd:\t0000000000000001\nShdPnd:\t0000000000000002\nSigBlk:\t0000000000004000\n\
        SigIgn:\t0000000000001000\nSigCgt:\t0000000180000000\nCapInh:\t0000000000000004\nCapPrm:\t0000000000000003\n\
        CapEff:\t000001fffeffffff\n";

    #[test]
    fn every_field_is_in_its_place() {
        let status = Status::parse(STATUS).unwrap();
        let set = SignalSet::from_bits;
        assert_eq!(status.umask, Some(0o027));
        assert_eq!(status.uids.effective, Uid::from_raw(1));
        assert_eq!(status.gids.filesystem, Gid::from_raw(7));
        assert_eq!(status.groups, [4, 24].map(Gid::from_raw));
        assert_eq!(status.vm_rss_kib, Some(1784));
        let signals = Signals {
            blocked: set(1 << 14),
            ignored: set(1 << 12),
            caught: set(3 << 31),
            pending: set(3),
        };
        assert_eq!(status.signals, signals);
        let capabilities = Capabilities {
            effective: 0x1ff_feff_ffff,
            permitted: 3,
            inheritable: 4,
        };
        assert_eq!(status.capabilities, capabilities);
    }

    #[test]
    fn a_zombie_has_no_memory_and_no_umask() {
        let text = String::from_utf8(STATUS.to_vec())
            .unwrap()
            .replace("VmRSS", "X")
            .replace("Umask", "Y");
        let status = Status::parse(text.as_bytes()).unwrap();
        assert_eq!((status.umask, status.vm_rss_kib), (None, None));
    }

    #[test]
    fn the_error_names_the_line() {
        for key in [
            "Uid", "Gid", "Groups", "SigBlk", "SigIgn", "SigCgt", "SigPnd", "ShdPnd", "CapEff",
            "CapPrm", "CapInh",
        ] {
            let text = String::from_utf8(STATUS.to_vec())
                .unwrap()
                .replace(&format!("\n{key}:"), "\nx:");
            assert_eq!(Status::parse(text.as_bytes()).unwrap_err(), key);
        }
    }

    #[test]
    fn limits_are_read_by_name() {
        let text = b"Limit     Soft Limit  Hard Limit  Units\nMax core file size        0    unlimited   bytes\n\
            Max open files            1024                 20000                files\nMax x  1\n";
        assert_eq!(
            limit(text, "Max core file size"),
            Ok(Limit {
                soft: Some(0),
                hard: None
            })
        );
        assert_eq!(
            limit(text, "Max open files"),
            Ok(Limit {
                soft: Some(1024),
                hard: Some(20000)
            })
        );
        assert_eq!(limit(text, "Max x"), Err("Max x"));
        assert_eq!(limit(text, "Max y"), Err("Max y"));
    }

    #[test]
    fn damage_never_panics() {
        for text in damaged(STATUS).chain(noise(5_000)) {
            let _ = Status::parse(&text);
            let _ = limit(&text, "Max open files");
        }
    }
}
