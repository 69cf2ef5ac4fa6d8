//! Claims about what a process holds open.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};

use super::subject::{descriptors, lines, list, of_descriptors};
use super::{Claim, Finding};
use crate::observe::{Descriptor, Descriptors, Inode, Target, View};

const STDIO: [(&str, RawFd); 3] = [("stdin", 0), ("stdout", 1), ("stderr", 2)];

/// Its standard input, output and error are `/dev/null`.
pub fn stdio_is_null() -> Claim<View> {
    of_streams("its standard streams are /dev/null", &STDIO, |target| *target == Target::Null)
}

/// Its standard input is the file, terminal or device `path`, without symbolic links.
pub fn stdin_is(path: impl Into<PathBuf>) -> Claim<View> {
    stream_is(0, path.into())
}

/// Its standard output is the file, terminal or device `path`, without symbolic links.
pub fn stdout_is(path: impl Into<PathBuf>) -> Claim<View> {
    stream_is(1, path.into())
}

/// Its standard error is the file, terminal or device `path`, without symbolic links.
pub fn stderr_is(path: impl Into<PathBuf>) -> Claim<View> {
    stream_is(2, path.into())
}

fn stream_is(fd: usize, path: PathBuf) -> Claim<View> {
    let text = format!("its {} is {}", STDIO[fd].0, path.display());
    of_streams(text, &STDIO[fd..=fd], move |target| leads_to(target, &path))
}

/// A claim that all of these standard streams lead where `holds` says.
fn of_streams(
    text: impl Into<Cow<'static, str>>,
    streams: &'static [(&str, RawFd)],
    holds: impl Fn(&Target) -> bool + Send + Sync + 'static,
) -> Claim<View> {
    Claim::new(text, move |view: &View| {
        let quick = view.standard_streams();
        let target = |fd: RawFd| match quick {
            Some(targets) => Ok(targets.get(fd as usize)),
            None => descriptors(view).map(|all| all.get(fd).map(|descriptor| &descriptor.target)),
        };
        let targets = streams.iter().map(|(_, fd)| target(*fd)).collect::<Result<Vec<_>, Finding>>();
        let targets = match targets {
            Ok(targets) => targets,
            Err(finding) => return finding,
        };
        let finding = Finding::new(targets.iter().all(|target| target.is_some_and(&holds)));
        streams.iter().zip(targets).fold(finding, |finding, ((name, _), target)| match target {
            Some(target) => finding.with(*name, target),
            None => finding.with(*name, "closed"),
        })
    })
}

/// Whether it is what is now called `path`.
fn leads_to(target: &Target, path: &Path) -> bool {
    !matches!(target, Target::File { deleted: true, .. }) && name(target) == Some(path)
}

/// The name that it was opened by.
fn name(target: &Target) -> Option<&Path> {
    match target {
        Target::Null => Some(Path::new("/dev/null")),
        Target::File { path, .. }
        | Target::Tty(path)
        | Target::Directory(path)
        | Target::Fifo(path)
        | Target::Device(path)
        | Target::Other(path) => Some(path),
        _ => None,
    }
}

/// It holds nothing open more often than `baseline` did: an earlier look at it, or at the daemon before a restart.
///
/// Descriptors are compared by what they lead to, whatever their numbers, and pipes and sockets, which have no names, by
/// how many there are. Fewer than before is no leak.
///
/// ```
/// use daemonproof::observe::{Descriptors, View};
/// use daemonproof::predicate::no_leaks_against;
/// use nix::unistd::Pid;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let daemon = Pid::this();
/// let before = Descriptors::of(daemon)?.present().ok_or("it is gone")?;
/// // … a thousand requests later:
/// let claim = no_leaks_against(&before);
/// # let _ = (claim, View::of(daemon));
/// # Ok(())
/// # }
/// ```
pub fn no_leaks_against(baseline: &Descriptors) -> Claim<View> {
    let before = by_kind(baseline);
    let before: BTreeMap<String, BTreeSet<RawFd>> = before
        .into_iter()
        .map(|(kind, list)| (kind, list.iter().map(|descriptor| descriptor.fd).collect()))
        .collect();
    let count = baseline.len();
    of_descriptors(
        format!("it holds nothing open that it did not at first ({count} descriptors)"),
        move |all| {
            let none = BTreeSet::new();
            let mut leaked: Vec<&Descriptor> = by_kind(all)
                .iter()
                .flat_map(|(kind, list)| surplus(list, before.get(kind).unwrap_or(&none)))
                .collect();
            leaked.sort_unstable_by_key(|descriptor| descriptor.fd);
            Finding::new(leaked.is_empty())
                .with("at first", count)
                .with("now", all.len())
                .with("leaked", lines(leaked))
        },
    )
}

/// Descriptors that lead to the same; to pipes, to sockets.
fn by_kind(all: &Descriptors) -> BTreeMap<String, Vec<&Descriptor>> {
    let mut kinds: BTreeMap<String, Vec<&Descriptor>> = BTreeMap::new();
    for descriptor in all {
        let kind = match &descriptor.target {
            Target::Pipe(_) => "pipe".to_owned(),
            Target::Socket(_) => "socket".to_owned(),
            target => target.to_string(),
        };
        kinds.entry(kind).or_default().push(descriptor);
    }
    kinds
}

/// As many of `list` as are more than before: those with new numbers, highest first.
fn surplus<'a>(list: &[&'a Descriptor], before: &BTreeSet<RawFd>) -> Vec<&'a Descriptor> {
    let count = list.len().saturating_sub(before.len());
    let new = list.iter().rev().filter(|descriptor| !before.contains(&descriptor.fd));
    new.take(count).copied().collect()
}

/// It has no open descriptor with a number that is not among `fds`.
pub fn no_other_fds_than(fds: impl IntoIterator<Item = RawFd>) -> Claim<View> {
    let fds: BTreeSet<RawFd> = fds.into_iter().collect();
    let text = format!("it has no other descriptors than {}", list(&fds));
    without(text, move |descriptor| !fds.contains(&descriptor.fd))
}

/// Every descriptor of it but 0 to 2 is closed when it executes a program.
pub fn close_on_exec() -> Claim<View> {
    without("its descriptors beyond 2 are close-on-exec".to_owned(), |descriptor| {
        descriptor.fd > 2 && !descriptor.close_on_exec
    })
}

/// It has at most `count` open descriptors.
pub fn at_most_fds(count: usize) -> Claim<View> {
    of_descriptors(format!("it has at most {count} descriptors"), move |all| {
        Finding::new(all.len() <= count).with("count", all.len()).with("open", lines(all))
    })
}

/// It has no descriptor of what was opened as `path`, without symbolic links, be it deleted since or not.
pub fn no_fd_of(path: impl Into<PathBuf>) -> Claim<View> {
    let path = path.into();
    let text = format!("it has no descriptor of {}", path.display());
    without(text, move |descriptor| name(&descriptor.target) == Some(path.as_path()))
}

/// It has no descriptor of the file, pipe or socket `inode`, whatever its name.
///
/// ```
/// use daemonproof::observe::{Inode, View};
/// use daemonproof::predicate::no_fd_of_inode;
/// use nix::unistd::Pid;
/// use predicates::prelude::*;
///
/// let (reader, _writer) = nix::unistd::pipe()?;
/// let inode = Inode::of(&std::fs::File::from(reader.try_clone()?).metadata()?);
/// assert!(!no_fd_of_inode(inode).eval(&View::of(Pid::this())));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn no_fd_of_inode(inode: Inode) -> Claim<View> {
    without(format!("it has no descriptor of inode {inode}"), move |descriptor| {
        descriptor.inode == Some(inode)
    })
}

/// It has no pipe: none that it inherited from the one who started it, and none of its own.
pub fn no_pipe() -> Claim<View> {
    without("it has no pipe".to_owned(), |descriptor| matches!(descriptor.target, Target::Pipe(_)))
}

/// It has no socket.
pub fn no_socket() -> Claim<View> {
    without("it has no socket".to_owned(), |descriptor| matches!(descriptor.target, Target::Socket(_)))
}

/// There is no such descriptor.
fn without(text: String, is_wrong: impl Fn(&Descriptor) -> bool + Send + Sync + 'static) -> Claim<View> {
    of_descriptors(text, move |all| {
        let wrong: Vec<&Descriptor> = all.iter().filter(|descriptor| is_wrong(descriptor)).collect();
        match wrong.is_empty() {
            true => Finding::new(true).with("open", lines(all)),
            false => Finding::new(false).with("descriptor", lines(wrong)),
        }
    })
}
