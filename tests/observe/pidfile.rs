use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use daemonproof::observe::{FileKind, Inode, Locker, Pidfile, PidfileContent};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc::F_WRLCK;
use nix::sys::stat::Mode;
use nix::unistd::{Pid, getegid, geteuid, mkfifo};

use crate::support::{as_nobody, ofd, posix, sandbox, sandbox_file};

fn content(path: impl AsRef<Path>) -> PidfileContent {
    Pidfile::at(path.as_ref()).content
}

#[test]
fn a_pidfile_is_described_with_its_owner() {
    let (_dir, path, file) = sandbox_file();
    fs::write(&path, "812\n").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o4640)).unwrap();
    posix(&file, F_WRLCK, 0, 0);
    let seen = Pidfile::at(&path);
    assert_eq!(
        (seen.pid(), seen.locker_pid()),
        (Some(Pid::from_raw(812)), Some(Pid::this()))
    );
    assert_eq!(
        (seen.path.as_path(), seen.symlink.as_ref()),
        (path.as_path(), None)
    );
    let metadata = path.metadata().unwrap();
    let facts = seen.file.clone().unwrap();
    assert_eq!((facts.mode, facts.size), (0o4640, 4));
    assert_eq!(
        (facts.uid, facts.gid),
        (geteuid().as_raw(), getegid().as_raw())
    );
    assert_eq!(
        (facts.inode, facts.mtime),
        (Inode::of(&metadata), metadata.modified().ok())
    );
    let [uid, gid] = [metadata.uid(), metadata.gid()];
    let told = format!(
        ": pid 812, mode 4640, owner {uid}:{gid}, 4 bytes, write-locked by pid {}",
        Pid::this()
    );
    assert_eq!(seen.to_string(), format!("{}{told}", path.display()));
    // Looking has not dropped the lock.
    assert_eq!(Pidfile::at(&path), seen);
}

#[test]
fn the_locker_may_have_no_pid() {
    let (_dir, path, file) = sandbox_file();
    assert_eq!(Pidfile::at(&path).locker, None);
    ofd(&file, F_WRLCK, 0, 0);
    let seen = Pidfile::at(&path);
    assert_eq!(
        (seen.locker, seen.locker_pid()),
        (Some(Locker::FileDescription), None)
    );
    assert_eq!(seen.content, PidfileContent::Empty);
    assert!(
        seen.to_string()
            .ends_with(" 0 bytes, write-locked by an open file description"),
        "{seen}"
    );
}

#[test]
fn what_is_no_file_is_a_value() {
    let dir = sandbox();
    let at = |name: &str| dir.path().join(name);
    mkfifo(&at("fifo"), Mode::S_IRWXU).unwrap();
    let _socket = UnixListener::bind(at("socket")).unwrap();
    assert_eq!(content(at("missing")), PidfileContent::Missing);
    assert_eq!(content(at("no/dir")), PidfileContent::Missing);
    assert_eq!(
        content(dir.path()),
        PidfileContent::NotRegular(FileKind::Directory)
    );
    assert_eq!(
        content(at("fifo")),
        PidfileContent::NotRegular(FileKind::Fifo)
    );
    assert_eq!(
        content(at("socket")),
        PidfileContent::NotRegular(FileKind::Socket)
    );
    assert_eq!(
        content("/dev/null"),
        PidfileContent::NotRegular(FileKind::Device)
    );
    assert_eq!(
        content(at("fifo").join("x")),
        PidfileContent::Unreadable(Errno::ENOTDIR)
    );
    assert_eq!(
        content(at(&"x".repeat(300))),
        PidfileContent::Unreadable(Errno::ENAMETOOLONG)
    );
    assert_eq!(
        content("nul\0byte"),
        PidfileContent::Unreadable(Errno::EINVAL)
    );
    let seen = Pidfile::at(at("fifo"));
    assert!(seen.file.is_some() && seen.pid().is_none() && !seen.is_missing());
}

#[test]
fn who_waits_at_a_fifo_goes_on_waiting() {
    let dir = sandbox();
    let path = dir.path().join("fifo");
    mkfifo(&path, Mode::S_IRWXU).unwrap();
    let opening = std::thread::spawn({
        let path = path.clone();
        move || nix::fcntl::open(&path, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty()).map(drop)
    });
    for _ in 0..50 {
        assert_eq!(content(&path), PidfileContent::NotRegular(FileKind::Fifo));
    }
    assert!(!opening.is_finished());
    // Opened for both, which never waits.
    let _both = File::options().read(true).write(true).open(&path).unwrap();
    opening.join().unwrap().unwrap();
}

#[test]
fn a_symbolic_link_is_followed_and_told() {
    let (dir, path, _file) = sandbox_file();
    fs::write(&path, "7\n").unwrap();
    let at = |name: &str| dir.path().join(name);
    symlink("f", at("link")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    symlink("loop", at("loop")).unwrap();
    let seen = Pidfile::at(at("link"));
    assert_eq!(
        (seen.pid(), seen.symlink.as_deref()),
        (Some(Pid::from_raw(7)), Some(Path::new("f")))
    );
    assert_eq!(seen.file, Pidfile::at(&path).file);
    let seen = Pidfile::at(at("dangling"));
    assert!(seen.is_missing() && seen.symlink.is_some());
    assert!(seen.to_string().ends_with("/dangling -> nowhere: missing"));
    assert_eq!(
        content(at("loop")),
        PidfileContent::Unreadable(Errno::ELOOP)
    );
}

#[test]
fn what_may_not_be_read_is_described_all_the_same() {
    let (dir, path, file) = sandbox_file();
    fs::write(&path, "7\n").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    let seen = as_nobody(|| Pidfile::at(&path));
    assert_eq!(seen.content, PidfileContent::Unreadable(Errno::EACCES));
    assert_eq!(
        seen.file.as_ref().map(|facts| (facts.mode, facts.size)),
        Some((0, 2))
    );
    assert!(
        seen.to_string()
            .contains(": unreadable (Permission denied), mode 0000, "),
        "{seen}"
    );
    fs::set_permissions(dir.path(), Permissions::from_mode(0o000)).unwrap();
    let seen = as_nobody(|| Pidfile::at(&path));
    assert_eq!(
        (seen.content, seen.file),
        (PidfileContent::Unreadable(Errno::EACCES), None)
    );
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    drop(file);
}

#[test]
fn of_a_huge_file_only_the_beginning_is_read() {
    let (_dir, path, file) = sandbox_file();
    fs::write(&path, "7\n").unwrap();
    file.set_len(1 << 30).unwrap();
    let seen = Pidfile::at(&path);
    assert_eq!(
        (seen.pid(), seen.file.map(|facts| facts.size)),
        (Some(Pid::from_raw(7)), Some(1 << 30))
    );
    fs::write(&path, "7".repeat(1 << 20)).unwrap();
    let PidfileContent::Malformed(bytes) = content(&path) else {
        panic!("{:?}", content(&path))
    };
    assert!(bytes.len() < 1 << 15);
}

#[test]
fn postgresqls_further_lines_are_kept() {
    let (_dir, path, _file) = sandbox_file();
    fs::write(&path, "812\n/var/lib/data\n1700000000\n5432\n").unwrap();
    let rest = b"/var/lib/data\n1700000000\n5432\n".to_vec();
    assert_eq!(
        content(&path),
        PidfileContent::Pid {
            pid: Pid::from_raw(812),
            newline: true,
            rest
        }
    );
}

#[test]
fn a_file_that_is_replaced_all_the_time_is_one_or_the_other() {
    let dir = sandbox();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("d.pid"), "1\n").unwrap();
    std::thread::scope(|scope| {
        let replacing = scope.spawn(|| {
            for pid in 1..500 {
                fs::write(at("tmp"), format!("{pid}\n")).unwrap();
                fs::rename(at("tmp"), at("d.pid")).unwrap();
            }
        });
        while !replacing.is_finished() {
            let seen = Pidfile::at(at("d.pid"));
            assert!(seen.pid().is_some_and(|pid| pid.as_raw() < 500), "{seen}");
        }
    });
}
