//! Descriptors of real processes.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Stdio;

use daemonproof::observe::{Access, Descriptor, Descriptors, Inode, Target};
use nix::fcntl::OFlag;
use nix::libc;
use nix::sys::eventfd::EventFd;
use nix::unistd::{Pid, Uid};

use crate::support::{Idle, alone, as_nobody, fd_of, new_file, posix, sandbox, sandbox_file};

fn descriptors(pid: Pid) -> Descriptors {
    Descriptors::of(pid).unwrap().present().expect("the process is there")
}

/// The descriptor of `child` that was given to it as its standard output.
fn as_stdout(file: impl Into<Stdio>) -> Descriptor {
    let child = Idle::with_stdout(file);
    descriptors(child.pid()).get(1).cloned().expect("descriptor 1 is open")
}

#[test]
fn a_childs_descriptors_are_the_ones_it_was_given() {
    let child = Idle::with_stdout(Stdio::null());
    let seen = descriptors(child.pid());
    let numbers: Vec<i32> = seen.iter().map(|descriptor| descriptor.fd).collect();
    // Whoever runs the tests may have leaked further descriptors to them.
    assert!(numbers.starts_with(&[0, 1, 2]) && numbers.is_sorted(), "{seen}");
    assert_eq!((seen.len(), seen.pid()), (numbers.len(), child.pid()));
    let [stdin, stdout, stderr] = [0, 1, 2].map(|fd| seen.get(fd).unwrap());
    assert!(matches!(stdin.target, Target::Pipe(ino) if stdin.inode.unwrap().number == ino));
    assert_eq!((stdin.access, stdout.access, stderr.access), (Access::Read, Access::Write, Access::Write));
    assert_eq!(stdout.target, Target::Null);
    assert_ne!(stdin.inode, stderr.inode);
    assert!(!stdin.close_on_exec && stdin.locks.is_empty());
    assert_eq!(seen.get(i32::MAX), None);
}

#[test]
fn a_file_has_its_name_flags_and_position() {
    let dir = sandbox();
    let path = dir.path().canonicalize().unwrap().join("log");
    fs::write(&path, "12345").unwrap();
    let file = File::options().append(true).open(&path).unwrap();
    let seen = as_stdout(file);
    assert_eq!(seen.target, Target::File { path: path.clone(), deleted: false });
    assert!(seen.flags.contains(OFlag::O_APPEND | OFlag::O_WRONLY));
    let metadata = path.metadata().unwrap();
    let inode = seen.inode.unwrap();
    assert_eq!((inode, inode.number), (Inode::of(&metadata), metadata.ino()));
}

#[test]
fn a_deleted_file_is_not_confused_with_one_that_is_called_so() {
    let dir = sandbox();
    let dir = dir.path().canonicalize().unwrap();
    for name in ["f", "f (deleted)"] {
        let path = dir.join(name);
        let file = new_file(&path);
        let target = |file: &File| as_stdout(file.try_clone().unwrap()).target;
        assert_eq!(target(&file), Target::File { path: path.clone(), deleted: false });
        fs::remove_file(&path).unwrap();
        assert_eq!(target(&file), Target::File { path: path.clone(), deleted: true });
        drop(new_file(&path));
        assert_eq!(target(&file), Target::File { path: path.clone(), deleted: true });
        assert!(target(&file).to_string().ends_with(" (deleted)"));
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_file_that_never_had_a_name_is_called_so() {
    let dir = sandbox();
    let dir = dir.path().canonicalize().unwrap();
    let unnamed = File::options().write(true).custom_flags(OFlag::O_TMPFILE.bits()).open(&dir).unwrap();
    let text = as_stdout(unnamed).target.to_string();
    assert_eq!(text, format!("a file made without a name in {}", dir.display()));
}

#[test]
fn kinds_of_targets_are_told_apart() {
    let dir = sandbox();
    let path = dir.path().canonicalize().unwrap();
    assert_eq!(as_stdout(File::open(&path).unwrap()).target, Target::Directory(path.clone()));
    assert_eq!(as_stdout(File::open("/dev/zero").unwrap()).target, Target::Device("/dev/zero".into()));
    let fifo = path.join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let both = File::options().read(true).write(true).open(&fifo).unwrap();
    assert_eq!(as_stdout(both).target, Target::Fifo(fifo));
    let socket = UnixListener::bind(path.join("socket")).unwrap();
    assert!(matches!(as_stdout(std::os::fd::OwnedFd::from(socket)).target, Target::Socket(_)));
    let eventfd = EventFd::from_value(0).unwrap();
    assert_eq!(as_stdout(std::os::fd::OwnedFd::from(eventfd)).target, Target::Anon("eventfd".into()));
}

#[test]
fn a_terminal_is_a_terminal_and_its_master_is_not() {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = nix::pty::posix_openpt(flags).unwrap();
    nix::pty::grantpt(&master).unwrap();
    nix::pty::unlockpt(&master).unwrap();
    let name = nix::pty::ptsname_r(&master).unwrap();
    let terminal = nix::fcntl::open(name.as_str(), flags, nix::sys::stat::Mode::empty()).unwrap();
    assert_eq!(as_stdout(terminal).target, Target::Tty(name.into()));
    let this = descriptors(Pid::this());
    let fd = std::os::fd::AsRawFd::as_raw_fd(&master);
    assert!(matches!(this.get(fd).unwrap().target, Target::Device(_)));
}

#[test]
fn of_this_process_all_is_seen() {
    let (_dir, path, file) = sandbox_file();
    posix(&file, libc::F_WRLCK, 0, 0);
    let seen = descriptors(Pid::this());
    let own = seen.get(fd_of(&file)).unwrap();
    assert_eq!(own.inode, Some(Inode::of(&path.metadata().unwrap())));
    assert_eq!((own.access, own.close_on_exec, own.locks.len()), (Access::ReadWrite, true, 1));
}

#[test]
fn nothing_of_the_looking_is_seen() {
    alone("fds::nothing_of_the_looking_is_seen", || {
        let seen = descriptors(Pid::this());
        let listed = fs::read_dir("/proc/self/fd").unwrap().count();
        assert_eq!(seen.len(), listed - 1, "{seen}");
    });
}

#[test]
fn zombies_have_none_and_the_gone_are_gone() {
    let mut child = Idle::start();
    child.become_zombie();
    assert!(descriptors(child.pid()).is_empty());
    as_nobody(|| assert!(descriptors(child.pid()).is_empty()));
    assert!(Descriptors::of(child.end()).unwrap().is_gone());
}

#[test]
fn another_users_descriptors_are_denied() {
    let child = Idle::start();
    let error = as_nobody(|| match Uid::effective().is_root() {
        true => Descriptors::of(child.pid()),
        false => Descriptors::of(Pid::from_raw(1)),
    });
    // In a user's own container the first process may be the user's.
    let owner = Path::new("/proc/1").metadata().unwrap().uid();
    if Uid::effective().is_root() || owner != Uid::effective().as_raw() {
        let error = error.unwrap_err();
        assert!(error.is_denied());
        assert!(
            error
                .to_string()
                .ends_with("permission denied; run as the owner of the process or file, or as root")
        );
    }
}

#[test]
fn descriptors_are_told_one_a_line() {
    let child = Idle::with_stdout(Stdio::null());
    let seen = descriptors(child.pid());
    let (child_len, seen) = (seen.len(), seen.to_string());
    let lines: Vec<&str> = seen.lines().collect();
    assert!(lines[0].starts_with("  0 r    pipe "), "{seen}");
    assert_eq!(lines[1], "  1 w    /dev/null");
    assert!(lines[2].starts_with("  2 w    pipe "), "{seen}");
    assert_eq!(lines.len(), child_len);
}
