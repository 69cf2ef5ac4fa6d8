//! Numbers of the kernel, as people write them.

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::Signal;

use super::operation::LockMode;

pub(crate) fn open_flags(flags: i32) -> String {
    let mut all = vec![match flags & libc::O_ACCMODE {
        libc::O_RDONLY => "O_RDONLY",
        libc::O_WRONLY => "O_WRONLY",
        _ => "O_RDWR",
    }];
    let named = [
        (libc::O_CREAT, "O_CREAT"),
        (libc::O_EXCL, "O_EXCL"),
        (libc::O_TRUNC, "O_TRUNC"),
        (libc::O_APPEND, "O_APPEND"),
        (libc::O_NOFOLLOW, "O_NOFOLLOW"),
        (libc::O_DIRECTORY, "O_DIRECTORY"),
    ];
    all.extend(named.into_iter().filter(|(bit, _)| flags & bit == *bit).map(|(_, name)| name));
    all.join("|")
}

pub(crate) fn flock_operation(operation: i32) -> String {
    let name = match operation & !libc::LOCK_NB {
        libc::LOCK_SH => ", LOCK_SH",
        libc::LOCK_EX => ", LOCK_EX",
        _ => ", LOCK_UN",
    };
    if operation & libc::LOCK_NB == 0 { name.to_owned() } else { format!("{name}|LOCK_NB") }
}

pub(crate) fn lock_command(command: i32) -> &'static str {
    match command {
        libc::F_SETLK => "F_SETLK",
        libc::F_SETLKW => "F_SETLKW",
        libc::F_GETLK => "F_GETLK",
        libc::F_OFD_SETLK => "F_OFD_SETLK",
        libc::F_OFD_SETLKW => "F_OFD_SETLKW",
        _ => "F_OFD_GETLK",
    }
}

pub(crate) fn lock_type(mode: LockMode) -> &'static str {
    match mode {
        LockMode::Shared => "F_RDLCK",
        LockMode::Exclusive => "F_WRLCK",
        LockMode::Unlock => "F_UNLCK",
    }
}

pub(crate) fn lock(mode: LockMode) -> &'static str {
    match mode {
        LockMode::Shared => "share lock",
        LockMode::Exclusive => "lock",
        LockMode::Unlock => "unlock",
    }
}

pub(crate) fn signal(number: i32) -> String {
    Signal::try_from(number).map_or_else(|_| format!("signal {number}"), |signal| signal.to_string())
}

/// A set of signals, bit n - 1 for signal n.
pub(crate) fn signals(set: u64) -> String {
    let all: Vec<_> = (1..=31).filter(|number| set & (1 << (number - 1)) != 0).map(signal).collect();
    match all.len() {
        0 => "none".into(),
        1..=4 => all.join(" "),
        _ => "many".into(),
    }
}

/// A result as strace(1) writes it: a number, or the name of an error.
pub(crate) fn result(result: i64) -> String {
    match result {
        // Restarted or interrupted: which of the two only the kernel knows.
        -516..=-512 => "interrupted".into(),
        -4095..=-1 => format!("{:?}", Errno::from_raw(-result as i32)),
        _ => result.to_string(),
    }
}

/// `text` with `#` for each number in it.
pub(super) fn without_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_ascii_digit() {
            true if out.ends_with('#') => {}
            true => out.push('#'),
            false => out.push(character),
        }
    }
    out
}
