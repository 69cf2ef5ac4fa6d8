//! A program to be executed by a process that may not allocate: execve(2).

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, OsStr, c_char};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

use nix::errno::Errno;

use super::raw::call;

/// What the system searches that is given no `PATH`.
const DEFAULT_PATH: &[u8] = b"/bin:/usr/bin";

/// A program with its arguments and its environment, laid out as the kernel wants them.
#[derive(Debug)]
pub(crate) struct Program {
    directory: Option<CString>,
    /// Its file, or those that it may be, in the order of `PATH`.
    candidates: Vec<CString>,
    /// What the pointers below lead to.
    _strings: Vec<CString>,
    arguments: Vec<*const c_char>,
    environment: Vec<*const c_char>,
    /// The arguments of the shell that a file without a known format is a script for; the second is that file.
    script: Vec<Cell<*const c_char>>,
}

impl Program {
    /// Prepares `program`, as execvp(3) finds it by the `PATH` in its `environment`, of which of each name the last value
    /// holds; `directory` is where it is executed, if not where the caller is.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when there is a NUL in a text.
    pub(crate) fn new<'a>(
        program: &OsStr,
        arguments: impl IntoIterator<Item = &'a OsStr>,
        environment: impl IntoIterator<Item = (&'a OsStr, &'a OsStr)>,
        directory: Option<&Path>,
    ) -> io::Result<Self> {
        let environment: BTreeMap<_, _> = environment.into_iter().collect();
        let path = environment.get(OsStr::new("PATH")).map_or(DEFAULT_PATH, |path| path.as_bytes());
        let candidates = candidates(program.as_bytes(), path)?;
        let mut strings = arguments.into_iter().map(|text| text.as_bytes().into()).collect::<Vec<Vec<u8>>>();
        let count = strings.len();
        strings.extend(
            environment.iter().map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat()),
        );
        let strings = strings.into_iter().map(text).collect::<io::Result<Vec<_>>>()?;
        let (arguments, environment) = strings.split_at(count);
        let (arguments, environment) = (pointers(arguments), pointers(environment));
        let rest = arguments.iter().skip(1).copied();
        let directory = directory.map(|path| text(path.as_os_str().as_bytes())).transpose()?;
        let script = [SHELL.as_ptr(), ptr::null()].into_iter().chain(rest).map(Cell::new).collect();
        Ok(Self { directory, candidates, _strings: strings, arguments, environment, script })
    }

    /// Moves this process to where it is to be executed. Async-signal-safe, and calls no C library.
    pub(super) fn enter_directory(&self) -> nix::Result<()> {
        let Some(directory) = &self.directory else { return Ok(()) };
        // SAFETY: the path ends with NUL and is only read.
        unsafe { call!(libc::SYS_chdir, directory.as_ptr()) }.map(drop)
    }

    /// Executes it in this process, and returns only why it cannot. Async-signal-safe, and calls no C library.
    pub(super) fn execute(&self) -> Errno {
        let mut denied = false;
        for file in &self.candidates {
            match self.try_file(file) {
                Errno::EACCES => denied = true,
                Errno::ENOENT | Errno::ESTALE | Errno::ENOTDIR | Errno::ENODEV | Errno::ETIMEDOUT => {}
                errno => return errno,
            }
        }
        if denied { Errno::EACCES } else { Errno::ENOENT }
    }

    fn try_file(&self, file: &CStr) -> Errno {
        match execute(file, self.arguments.as_ptr(), self.environment.as_ptr()) {
            Errno::ENOEXEC => {
                if let Some(second) = self.script.get(1) {
                    second.set(file.as_ptr());
                }
                execute(SHELL, self.script.as_ptr().cast(), self.environment.as_ptr())
            }
            errno => errno,
        }
    }
}

const SHELL: &CStr = c"/bin/sh";

/// Both lists must be those of a [`Program`].
fn execute(file: &CStr, arguments: *const *const c_char, environment: *const *const c_char) -> Errno {
    // SAFETY: the lists end with null and consist of strings that the `Program` owns; the kernel only reads them.
    let executed = unsafe { call!(libc::SYS_execve, file.as_ptr(), arguments, environment) };
    executed.err().unwrap_or(Errno::UnknownErrno)
}

/// With a null pointer at the end.
fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

fn text(bytes: impl Into<Vec<u8>>) -> io::Result<CString> {
    let nul = |_| io::Error::new(io::ErrorKind::InvalidInput, "nul byte found in provided data");
    CString::new(bytes).map_err(nul)
}

fn candidates(program: &[u8], path: &[u8]) -> io::Result<Vec<CString>> {
    let in_directory = |directory: &[u8]| {
        let separator: &[u8] = if directory.is_empty() { b"" } else { b"/" };
        text([directory, separator, program].concat())
    };
    Ok(if program.is_empty() || program.contains(&b'/') {
        vec![text(program)?]
    } else {
        path.split(|&byte| byte == b':').map(in_directory).collect::<Result<_, _>>()?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(program: &str, path: &str) -> Vec<String> {
        let found = candidates(program.as_bytes(), path.as_bytes()).unwrap();
        found.into_iter().map(|file| file.into_string().unwrap()).collect()
    }

    #[test]
    fn only_a_bare_name_is_searched_for() {
        assert_eq!(named("ls", "/bin::/usr/bin"), ["/bin/ls", "ls", "/usr/bin/ls"]);
        assert_eq!(named("./ls", "/bin"), ["./ls"]);
        assert_eq!(named("", "/bin"), [""]);
    }

    #[test]
    fn of_each_name_the_last_value_stays() {
        let environment =
            [("B", "1"), ("A", "2"), ("B", "3")].map(|(name, value)| (OsStr::new(name), OsStr::new(value)));
        let program =
            Program::new(OsStr::new("x"), [OsStr::new("x"), OsStr::new("y")], environment, None).unwrap();
        let text: Vec<&str> = program._strings.iter().map(|text| text.to_str().unwrap()).collect();
        assert_eq!(text, ["x", "y", "A=2", "B=3"]);
        assert_eq!((program.arguments.len(), program.environment.len(), program.script.len()), (3, 3, 4));
    }

    #[test]
    fn no_text_may_have_a_nul() {
        let nul = OsStr::new("a\0b");
        for (program, argument, value) in
            [(nul, "b", "c"), (OsStr::new("a"), "b\0", "c"), (OsStr::new("a"), "b", "\0")]
        {
            let environment = [(OsStr::new("A"), OsStr::new(value))];
            let error = Program::new(program, [OsStr::new(argument)], environment, None).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
    }
}
