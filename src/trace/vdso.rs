//! Hides the vdso, through which a program would read the clock without a system call; vdso(7).

use super::{Stopped, TraceError};

/// What the kernel puts into the auxiliary vector; getauxval(3).
const AT_NULL: u64 = 0;
const AT_IGNORE: u64 = 1;
const AT_SYSINFO_EHDR: u64 = 33;

/// As much of the stack is read at first, and then more, as arguments and environment ask for; in bytes.
const FIRST_BYTES: usize = 16 << 10;
const MOST_BYTES: usize = 16 << 20;

/// Removes the address of the vdso from what a program is told that stands at its beginning. Every C library, and Go, then
/// makes system calls.
pub(super) fn hide_vdso(stopped: &Stopped) -> Result<(), TraceError> {
    let start = stopped.registers()?.stack();
    let mut length = FIRST_BYTES;
    loop {
        let bytes = stopped.bytes(start, length);
        let words: Vec<u64> = bytes.as_chunks().0.iter().map(|word| u64::from_ne_bytes(*word)).collect();
        match find(&words) {
            Found::At(index) => return stopped.write(start + 8 * index as u64, &AT_IGNORE.to_ne_bytes()),
            Found::Beyond if bytes.len() == length && length < MOST_BYTES => length *= 4,
            Found::Beyond | Found::Nothing => return Ok(()),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// At this word.
    At(usize),
    Nothing,
    /// There are not enough words to say.
    Beyond,
}

/// Looks through the number of arguments, the arguments, a null, the environment, a null, and the pairs of the auxiliary
/// vector.
fn find(words: &[u64]) -> Found {
    let mut strings = words.iter().enumerate().skip(1).filter(|(_, word)| **word == 0);
    let Some((environment_end, _)) = strings.nth(1) else { return Found::Beyond };
    for index in (environment_end + 1..).step_by(2) {
        match words.get(index) {
            Some(&AT_SYSINFO_EHDR) => return Found::At(index),
            Some(&AT_NULL) => return Found::Nothing,
            Some(_) => {}
            None => return Found::Beyond,
        }
    }
    Found::Beyond
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_behind_arguments_and_environment() {
        let words = [2, 70, 71, 0, 80, 81, 82, 0, 16, 33, 33, 90, 6, 4096, 0, 0];
        assert_eq!(find(&words), Found::At(10));
        assert_eq!(find(&words[..10]), Found::Beyond);
        assert_eq!(find(&[0, 0, 0, 6, 4096, 0, 0]), Found::Nothing);
        assert_eq!(find(&[1, 70, 0]), Found::Beyond);
    }
}
