//! Pidfiles that are wrong in every way: each is a value that says so in one line.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Seek, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use daemonproof::observe::{FileView, Locker, Pidfile, PidfileContent, lock_state};
use daemonproof::predicate::{names, names_running, only_a_pid, owned, stale, well_formed};
use nix::libc::F_WRLCK;
use nix::unistd::Pid;
use predicates::Predicate;
use predicates_tree::CaseTreeExt;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::support::{ofd, sandbox_file};

/// What programs, editors, shells, other systems and half-finished writes have put where a pid should be.
#[rustfmt::skip]
const MALFORMED: &[&[u8]] = &[
    // Nothing, or nothing that shows.
    b"", b"\n", b"\n\n", b" ", b"  ", b" \n", b"\t", b"\t\n", b"\r", b"\r\n", b"\x0b", b"\x0c\n", b"\0", b"\0\n", b"\0\0\0\0",
    b"\0\0\0\0\0\0\0\0", b"\xa0", b"\xc2\xa0\n", b"\xe2\x80\x8b", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n", b"\x1a", b"\x04", b"\x7f",
    // Space around a pid, as other readers allow.
    b" 812", b" 812\n", b"812 ", b"812 \n", b" 812 \n", b"\t812\n", b"812\t\n", b"    812\n", b"812    \n", b"\n812", b"\n812\n",
    b"\n\n812\n", b"\r812\n", b"812\r", b"812\r\n", b"812\r\r\n", b"\x0b812\n", b"812\x0b\n", b"\x0c812\n", b"812\x0c", b"812\0",
    b"812\0\n", b"\0812", b"812\0\0\0\0\0\0\0\0", b"\xc2\xa0812\n", b"812\xc2\xa0\n", b"\xe2\x80\x8b812\n", b"\xe3\x80\x80812",
    // Byte order marks, and text of two bytes a letter.
    b"\xef\xbb\xbf812\n", b"812\xef\xbb\xbf", b"\xff\xfe8\x001\x002\x00", b"\xfe\xff\x008\x001\x002", b"8\x001\x002\x00\n\x00",
    b"\x008\x001\x002\x00\n", b"\xff812", b"812\xff\n", b"8\xff12\n", b"\x80812", b"\xc3\x28", b"\xf0\x9f\x90\x9b\n",
    // Signs.
    b"+812\n", b"-812\n", b"--812\n", b"+-812\n", b"-1", b"-1\n", b"+1\n", b"-0\n", b"+0", b"+", b"-\n", b"812-\n", b"812+",
    b"\xe2\x88\x92812\n", b"- 812\n", b"~812\n", b"!812\n",
    // Zero, and zeros before it: in C, octal.
    b"0", b"0\n", b"00\n", b"000000\n", b"01\n", b"0812\n", b"00812", b"0000000000812\n", b"0\n812\n", b"0 812\n", b"01454\n", b"0o1454\n",
    // Too large: for a pid_t, for 32 bits, for 64, for anything.
    b"2147483648", b"2147483648\n", b"2147483649\n", b"3000000000\n", b"4294967295\n", b"4294967296\n", b"4294968108\n", b"9999999999\n",
    b"9223372036854775807\n", b"9223372036854775808\n", b"18446744073709551615\n", b"18446744073709551616\n", b"18446744073709552428\n",
    b"99999999999999999999999999999999999999\n", b"340282366920938463463374607431768211456\n", b"-2147483648\n", b"-2147483649\n",
    // Other ways to write a number.
    b"0x32c\n", b"0x", b"0X32C", b"x32c\n", b"32ch\n", b"0b1100101100\n", b"0b1\n", b"8e2\n", b"8.12e2\n", b"812.0\n", b"812.\n", b".812\n",
    b"812,0\n", b"1,812\n", b"1.812\n", b"1'812\n", b"8_12\n", b"1 812\n", b"812L\n", b"812u\n", b"812i32\n",
    b"nan\n", b"inf\n", b"NULL\n", b"nil\n", b"None\n", b"true\n", b"$?\n", b"DCCCXII\n", b"eight hundred and twelve\n",
    b"\xd9\xa8\xd9\xa1\xd9\xa2\n", b"\xe0\xa5\xae\xe0\xa5\xa7\xe0\xa5\xa8\n", b"\xef\xbc\x98\xef\xbc\x91\xef\xbc\x92\n", b"\xc2\xb2\n",
    // Something said about the pid.
    b"pid 812\n", b"pid: 812\n", b"pid=812\n", b"PID=812\n", b"PID: 812\n", b"MAINPID=812\n", b"export PID=812\n", b"812 nginx\n",
    b"812:nginx\n", b"812/nginx\n", b"nginx 812\n", b"812 /usr/sbin/nginx -g daemon\n", b"812 1700000000\n", b"812@host\n", b"host:812\n",
    b"812 813\n", b"812,813\n", b"812;813\n", b"812:813\n", b"812|813\n", b"812-813\n", b"812;\n", b"812.\r\n", b"812)\n", b"(812)\n",
    b"[812]\n", b"<812>\n", b"\"812\"\n", b"'812'\n", b"`812`\n", b"{812}\n", b"%812\n", b"#812\n", b"# pid\n812\n", b"; pid\n812\n",
    b"//812\n", b"x\n812\n", b"/proc/812\n", b"/proc/812/stat\n", b"file:///proc/812\n",
    // Scripts that were not expanded, records of other kinds, messages that went astray.
    b"$$\n", b"$$", b"$!\n", b"${PID}\n", b"$PID\n", b"$(cat /run/d.pid)\n", b"`pidof d`\n", b"%d\n", b"%i\n", b"{pid}\n", b"{{ pid }}\n",
    b"<pid>\n", b"@PID@\n", b"__PID__\n", b"{\"pid\":812}\n", b"{\"pid\": 812, \"host\": \"a\"}\n", b"[812]", b"- 812\n", b"pid: !!int 812\n",
    b"<pid>812</pid>\n", b"<?xml version=\"1.0\"?>\n", b"i812e", b"812\\n", b"812\\r\\n", b"812^M\n", b"812^@\n", b"%38%31%32\n", b"ODEy\n",
    b"cat: /run/d.pid: No such file or directory\n", b"sh: 1: echo: I/O error\n", b"Segmentation fault\n", b"usage: d [-p FILE]\n",
    b"-----BEGIN PID-----\n812\n", b"<<<<<<< HEAD\n812\n=======\n813\n>>>>>>> a\n",
    // Binary: a pid in the memory's order, a program, an archive, an image, a database, a terminal's escapes.
    b"\x2c\x03\0\0", b"\0\0\x03\x2c", b"\x2c\x03\0\0\0\0\0\0", b"\x7fELF\x02\x01\x01\0", b"#!/bin/sh\necho 812\n", b"\x1f\x8b\x08\0\0\0",
    b"PK\x03\x04", b"\x89PNG\r\n\x1a\n", b"SQLite format 3\0", b"\x1b[31m812\x1b[0m\n", b"\x1b]0;812\x07", b"\x08\x08812\n", b"812\x08\n",
    b"\x1b[2J\x1b[H812\n", b"812\x1b\n", b"\x9b812\n", b"8\x0012\n", b"\xe2\x80\xae218\n", b"\xed\xa0\x80812\n", b"\xf4\x90\x80\x80\n",
];

/// The same by other means: digits with a value, at most that of a pid_t, and not begun by a zero.
fn judged(bytes: &[u8]) -> PidfileContent {
    let end = bytes.iter().position(|&byte| byte == b'\n');
    let line = &bytes[..end.unwrap_or(bytes.len())];
    let value = line.iter().try_fold(0_u64, |value, byte| match byte {
        b'0' if value == 0 => None,
        b'0'..=b'9' => Some(value * 10 + u64::from(byte - b'0')).filter(|value| *value <= 0x7fff_ffff),
        _ => None,
    });
    match (value, end) {
        _ if bytes.is_empty() => PidfileContent::Empty,
        (None | Some(0), _) => PidfileContent::Malformed(bytes.to_vec()),
        (Some(value), end) => PidfileContent::Pid {
            pid: Pid::from_raw(value as i32),
            newline: end.is_some(),
            rest: end.map_or_else(Vec::new, |end| bytes[end + 1..].to_vec()),
        },
    }
}

/// Replaces the content of the file.
fn fill(mut file: &File, bytes: &[u8]) {
    file.set_len(0).unwrap();
    file.rewind().unwrap();
    file.write_all(bytes).unwrap();
}

/// One line that names the file, its size and its problem, and does nothing to a terminal.
#[track_caller]
fn assert_told(seen: &Pidfile, path: &Path, size: usize) {
    let told = seen.to_string();
    let facts = told.strip_prefix(&format!("{}: ", path.display()));
    let facts = facts.unwrap_or_else(|| panic!("{told:?} does not begin with the file's name"));
    let unit = if size == 1 { "byte" } else { "bytes" };
    assert!(facts.contains(&format!(", {size} {unit}, ")), "{told:?}");
    assert!(!told.contains(char::is_control), "{told:?}");
    let problem = match &seen.content {
        PidfileContent::Empty => "empty, ",
        PidfileContent::Malformed(_) => "malformed \"",
        PidfileContent::Pid { .. } => "pid ",
        other => panic!("{other:?}"),
    };
    assert!(facts.starts_with(problem), "{told:?}");
    assert_claimed(seen, path);
}

/// What is claimed of the file agrees with what was seen, or says in a few lines, which do nothing to a terminal, why not.
#[track_caller]
fn assert_claimed(seen: &Pidfile, path: &Path) {
    let view = FileView::at(path);
    let (pid, is_pid) = (seen.pid().unwrap_or(Pid::from_raw(812)), seen.pid().is_some());
    let is_alone = matches!(&seen.content, PidfileContent::Pid { rest, .. } if rest.is_empty());
    for (claim, holds) in [(well_formed(), is_pid), (names(pid), is_pid), (only_a_pid(), is_alone)] {
        let case = claim.find_case(holds, &view).unwrap_or_else(|| panic!("{claim} of {seen}"));
        let told = case.tree().to_string();
        assert!(
            told.contains(&claim.to_string()) && !told.replace('\n', "").contains(char::is_control),
            "{told:?}"
        );
    }
    let [running, stale, owned] = [names_running(), stale(), owned()].map(|claim| claim.eval(&view));
    let locked = lock_state(path).unwrap().is_write_locked();
    assert!(
        is_pid || (running, stale, owned) == (false, !locked, false),
        "{running} {stale} {owned} of {seen}"
    );
}

#[test]
fn two_hundred_malformed_pidfiles_are_called_so() {
    let distinct: BTreeSet<_> = MALFORMED.iter().collect();
    assert!(distinct.len() >= 200, "{} of {} are distinct", distinct.len(), MALFORMED.len());
    let (_dir, path, file) = sandbox_file();
    ofd(&file, F_WRLCK, 0, 0);
    for &bytes in MALFORMED {
        fill(&file, bytes);
        let seen = Pidfile::at(&path);
        let expected = match bytes {
            b"" => PidfileContent::Empty,
            bytes => PidfileContent::Malformed(bytes.to_vec()),
        };
        assert_eq!((&seen.content, seen.pid()), (&expected, None), "{}", bytes.escape_ascii());
        // What is in a file says nothing of who locks it.
        assert_eq!(seen.locker, Some(Locker::FileDescription), "{seen}");
        assert!(lock_state(&path).unwrap().is_write_locked());
        assert_told(&seen, &path, bytes.len());
        assert_eq!(fs::read(&path).unwrap(), bytes, "looking changed it");
    }
    fill(&file, b"812\n");
    assert_eq!(Pidfile::at(&path).pid(), Some(Pid::from_raw(812)));
}

/// Bytes of any kind; what is nearly a pid; and a pid with anything after it.
fn contents() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![
        (1..=i32::MAX as u64).boxed(),
        any::<u64>().boxed(),
        (2_147_483_640..2_147_483_660_u64).boxed()
    ];
    let number = number.prop_map(|number| number.to_string().into_bytes()).boxed();
    let odd = prop_oneof![any::<u8>(), proptest::sample::select(&b" \n\r\t\0+-0x.,_"[..])];
    let nearly = (number.clone(), any::<proptest::sample::Index>(), odd).prop_map(|(mut text, at, byte)| {
        text.insert(at.index(text.len() + 1), byte);
        text
    });
    let anything = || proptest::collection::vec(any::<u8>(), 0..80);
    let followed = (number.clone(), anything()).prop_map(|(text, rest)| [text, vec![b'\n'], rest].concat());
    let long = proptest::collection::vec(proptest::sample::select(&b"0123456789\n"[..]), 0..4096);
    prop_oneof![3 => anything(), 4 => nearly, 1 => number, 1 => followed, 1 => long]
}

/// The seed is fixed, so that every run is the same and a failure is found again.
fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::XorShift))
}

#[test]
fn a_thousand_random_pidfiles_are_what_they_are() {
    let (_dir, path, file) = sandbox_file();
    let judged_so = std::cell::Cell::new([0, 0]);
    runner(1000)
        .run(&contents(), |bytes| {
            fill(&file, &bytes);
            let seen = Pidfile::at(&path);
            prop_assert_eq!(&seen.content, &judged(&bytes));
            assert_told(&seen, &path, bytes.len());
            prop_assert_eq!(fs::read(&path)?, bytes);
            let [well, badly] = judged_so.get();
            judged_so.set(if seen.pid().is_some() { [well + 1, badly] } else { [well, badly + 1] });
            Ok(())
        })
        .unwrap();
    let [well, badly] = judged_so.get();
    // Both kinds were among them, or this proved little.
    assert!(well >= 50 && badly >= 500, "{well} well-formed, {badly} malformed");
}

#[test]
fn a_pidfile_that_changes_while_it_is_read_is_still_a_value() {
    let (_dir, path, file) = sandbox_file();
    let long: Vec<u8> = (0..40_000).map(|n: u32| b'0' + (n % 10) as u8).collect();
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for (round, bytes) in MALFORMED.iter().cycle().take(3000).enumerate() {
                file.set_len(if round % 3 == 0 { 0 } else { 5 }).unwrap();
                file.write_all_at(if round % 7 == 0 { &long } else { bytes }, 0).unwrap();
            }
        });
        while !writing.is_finished() {
            let seen = Pidfile::at(&path);
            let told = seen.to_string();
            assert!(seen.file.is_some() && !told.contains(char::is_control), "{told:?}");
            assert!(
                !matches!(seen.content, PidfileContent::Missing | PidfileContent::Unreadable(_)),
                "{told}"
            );
        }
    });
}
