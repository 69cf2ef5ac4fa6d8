//! Names of every length and of any bytes.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use daemonproof::observe::{
    Descriptors, Fact, LockKind, ObserveError, Pidfile, PidfileContent, Process, Target, lock_state,
    locks_on, posix_write_locker,
};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::libc::{self, F_WRLCK};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::Pid;

use crate::support::{IDLE, Idle, ofd, sandbox};

/// With the zero at its end; limits.h(0p).
const PATH_MAX: usize = libc::PATH_MAX as usize;
const NAME_MAX: usize = 255;

/// A path below `base` of exactly `length` bytes, of components as long as can be.
fn path_of_length(base: &Path, length: usize) -> PathBuf {
    let mut path = base.as_os_str().to_owned().into_vec();
    while path.len() < length {
        // The last but one leaves at least a byte for the last, besides the slash.
        let left = length - path.len() - 1;
        let name = if left == NAME_MAX + 1 { NAME_MAX - 1 } else { left.min(NAME_MAX) };
        path.push(b'/');
        path.extend(std::iter::repeat_n(b'd', name));
    }
    assert_eq!(path.len(), length);
    OsString::from_vec(path).into()
}

/// Makes the file and all directories above it.
fn make(path: &Path) -> File {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    OpenOptions::new().read(true).write(true).create_new(true).open(path).unwrap()
}

#[track_caller]
fn assert_names(error: &ObserveError, path: &Path, reason: &str) {
    assert_eq!(error.to_string(), format!("failed to read {}: {reason}", path.display()));
}

#[test]
fn the_longest_path_that_can_be_opened_is_like_any_other() {
    let dir = sandbox();
    let base = dir.path().canonicalize().unwrap();
    for length in [PATH_MAX - 2, PATH_MAX - 1] {
        let path = path_of_length(&base, length);
        let file = make(&path);
        fs::write(&path, "812\n").unwrap();
        ofd(&file, F_WRLCK, 0, 0);
        let seen = Pidfile::at(&path);
        assert_eq!(seen.pid(), Some(Pid::from_raw(812)));
        assert!(seen.to_string().starts_with(&format!("{}: pid 812, ", path.display())));
        assert!(posix_write_locker(&path).unwrap().is_some() && lock_state(&path).unwrap().is_write_locked());
        let child = Idle::with_stdout(file);
        let held = locks_on(&path, &[child.pid()]).unwrap();
        assert_eq!((held.len(), held[0].lock.kind), (1, LockKind::Ofd));
        let target = Target::File { path: path.clone(), deleted: false };
        assert_eq!(descriptor_1(&child), target);
        fs::remove_file(&path).unwrap();
        assert!(Pidfile::at(&path).is_missing());
        // The kernel's mark for it makes it longer than what the kernel can tell.
        assert_eq!(descriptor_1(&child), Target::TooLong);
    }
}

fn descriptor_1(child: &Idle) -> Target {
    let seen = Descriptors::of(child.pid()).unwrap().present().unwrap();
    seen.get(1).unwrap().target.clone()
}

#[test]
fn a_path_that_is_too_long_is_named_and_called_so() {
    let dir = sandbox();
    let too_long = [PATH_MAX, PATH_MAX + 1, 2 * PATH_MAX].map(|length| path_of_length(dir.path(), length));
    let one_name = dir.path().join("d".repeat(NAME_MAX + 1));
    for path in too_long.into_iter().chain([one_name]) {
        let seen = Pidfile::at(&path);
        assert_eq!((&seen.content, &seen.file), (&PidfileContent::Unreadable(Errno::ENAMETOOLONG), &None));
        assert_eq!(seen.to_string(), format!("{}: unreadable (File name too long)", path.display()));
        let reason = "File name too long (os error 36)";
        assert_names(&lock_state(&path).unwrap_err(), &path, reason);
        assert_names(&posix_write_locker(&path).unwrap_err(), &path, reason);
        assert_names(&locks_on(&path, &[Pid::this()]).unwrap_err(), &path, reason);
    }
    assert!(Pidfile::at(dir.path().join("d".repeat(NAME_MAX))).is_missing());
}

/// A directory too deep for its path to be told, though it can be reached step by step.
fn abyss(base: &Path) -> OwnedFd {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut at: OwnedFd = File::open(base).unwrap().into();
    let name = "d".repeat(NAME_MAX);
    for _ in 0..=PATH_MAX / NAME_MAX {
        mkdirat(&at, name.as_str(), Mode::S_IRWXU).unwrap();
        at = openat(&at, name.as_str(), flags, Mode::empty()).unwrap();
    }
    at
}

#[test]
fn a_process_in_too_deep_a_directory_is_described_without_its_path() {
    let dir = sandbox();
    let abyss = abyss(dir.path());
    let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_CLOEXEC;
    let file = File::from(openat(&abyss, "f", flags, Mode::S_IRWXU).unwrap());
    ofd(&file, F_WRLCK, 0, 0);
    let here = format!("/proc/self/fd/{}", abyss.as_raw_fd());
    let mut command = Idle::shell(IDLE);
    let child = Idle::spawn(command.current_dir(here).stdout(Stdio::from(file.try_clone().unwrap())));
    let seen = Process::of(child.pid()).unwrap().present().unwrap();
    assert_eq!((&seen.cwd, &seen.root), (&Fact::TooLong, &Fact::Known("/".into())));
    assert!(seen.to_string().contains(", cwd (too long a path), root /"), "{seen}");
    // One that cannot be told does not hide the others, nor what is known of it.
    let seen = Descriptors::of(child.pid()).unwrap().present().unwrap();
    let stdout = seen.get(1).unwrap();
    assert_eq!((&stdout.target, stdout.locks.len()), (&Target::TooLong, 1));
    assert!(stdout.inode.is_some());
    assert!(matches!(seen.get(2).unwrap().target, Target::Pipe(_)));
    assert!(seen.to_string().contains("\n  1 rw   (too long a path), OFD write lock of "), "{seen}");
}

/// Names that are no UTF-8, or would be more than one line, or would move a terminal's cursor.
const NAMES: [(&[u8], &str); 6] = [
    (b"\xff\xfe.pid", "\\xff\\xfe.pid"),
    (b"caf\xe9", "caf\\xe9"),
    (b"caf\xc3\xa9", "caf\u{e9}"),
    (b"a\nb\t.pid", "a\\nb\\t.pid"),
    (b"\x1b[2J\x07", "\\u{1b}[2J\\u{7}"),
    (b" (deleted)", " (deleted)"),
];

#[test]
fn any_name_is_told_in_one_line() {
    let dir = sandbox();
    let base = dir.path().canonicalize().unwrap();
    for (name, shown) in NAMES {
        let path = base.join(OsStr::from_bytes(name));
        let told = format!("{}/{shown}", base.display());
        let link = base.join(OsString::from_vec([b"to ", name].concat()));
        symlink(&path, &link).unwrap();
        assert!(Pidfile::at(&path).is_missing());
        let file = make(&path);
        fs::write(&path, "812\n").unwrap();
        ofd(&file, F_WRLCK, 0, 0);
        assert!(lock_state(&path).unwrap().is_write_locked());
        assert_eq!(Pidfile::at(&path).pid(), Some(Pid::from_raw(812)));
        assert!(Pidfile::at(&path).to_string().starts_with(&format!("{told}: pid 812, ")));
        let through = format!("{}/to {shown} -> {told}: pid 812, ", base.display());
        assert!(Pidfile::at(&link).to_string().starts_with(&through), "{}", Pidfile::at(&link));
        let child = Idle::with_stdout(file);
        assert_eq!(locks_on(&path, &[child.pid()]).unwrap().len(), 1);
        let seen = Descriptors::of(child.pid()).unwrap().present().unwrap();
        assert!(seen.to_string().contains(&format!("\n  1 rw   {told}, OFD ")), "{seen}");
    }
}

#[test]
fn any_name_is_told_in_an_error() {
    let dir = sandbox();
    for (name, shown) in NAMES {
        let path = dir.path().join(OsStr::from_bytes(name));
        drop(make(&path));
        // A file is no directory.
        let below = path.join(OsStr::from_bytes(name));
        let told =
            format!("failed to read {}/{shown}/{shown}: Not a directory (os error 20)", dir.path().display());
        assert_eq!(lock_state(&below).unwrap_err().to_string(), told);
        assert_eq!(posix_write_locker(&below).unwrap_err().to_string(), told);
        assert_eq!(locks_on(&below, &[]).unwrap_err().to_string(), told);
        let told = format!("{}/{shown}/{shown}: unreadable (Not a directory)", dir.path().display());
        assert_eq!(Pidfile::at(&below).to_string(), told);
    }
}

#[test]
fn names_that_cannot_be_are_errors_or_missing() {
    for name in ["", "a\0b", "\0"] {
        assert!(!matches!(Pidfile::at(name).content, PidfileContent::Pid { .. }));
    }
    assert!(Pidfile::at("").is_missing() && !lock_state("").unwrap().is_locked());
    for error in [
        lock_state("a\0b").unwrap_err(),
        posix_write_locker("a\0b").unwrap_err(),
        locks_on("a\0b", &[]).unwrap_err(),
    ] {
        let told = "failed to read a\\u{0}b: file name contained an unexpected NUL byte";
        assert_eq!(error.to_string(), told);
    }
}
