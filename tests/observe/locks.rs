//! Locks of every kind, held by real processes.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};

use daemonproof::observe::{
    Descriptors, Inode, LockKind, LockMode, LockRange, Locker, lock_state, locks_on, posix_write_locker,
    posix_write_locker_of,
};
use nix::fcntl::{Flock, FlockArg};
use nix::libc::{F_RDLCK, F_UNLCK, F_WRLCK};
use nix::unistd::Pid;
use rstest::rstest;

use crate::support::{Idle, alone, as_nobody, fd_of, new_file, ofd, posix, sandbox, sandbox_file};

const WHOLE: LockRange = LockRange { start: 0, end: None };

#[test]
fn a_posix_lock_shows_with_its_owner_only() {
    let (_dir, path, file) = sandbox_file();
    // The child shares the open file description as its standard output.
    let child = Idle::with_stdout(file.try_clone().unwrap());
    posix(&file, F_WRLCK, 0, 0);
    let held = locks_on(&path, &[child.pid(), Pid::this()]).unwrap();
    let [held] = held[..] else { panic!("{held:?}") };
    assert_eq!((held.pid, held.fd), (Pid::this(), fd_of(&file)));
    let lock = held.lock;
    assert_eq!((lock.kind, lock.mode, lock.range), (LockKind::Posix, LockMode::Write, WHOLE));
    assert_eq!((lock.pid(), lock.is_write()), (Some(Pid::this()), true));
    assert_eq!(lock_state(&path).unwrap().held, [lock]);
}

#[test]
fn an_flock_shows_with_all_who_share_it() {
    let (_dir, path, file) = sandbox_file();
    let file = Flock::lock(file, FlockArg::LockSharedNonblock).unwrap();
    let child = Idle::with_stdout(file.try_clone().unwrap());
    let both = locks_on(&path, &[child.pid(), Pid::this()]).unwrap();
    let holders: Vec<_> = both.iter().map(|held| (held.pid, held.fd)).collect();
    assert_eq!(holders, [(child.pid(), 1), (Pid::this(), fd_of(&file))]);
    let lock = both[0].lock;
    assert_eq!((lock.kind, lock.mode, lock.range), (LockKind::Flock, LockMode::Read, WHOLE));
    assert_eq!((lock, lock.pid()), (both[1].lock, Some(Pid::this())));
}

#[test]
fn an_flock_is_held_until_the_last_who_shares_it_closes_it() {
    alone("locks::an_flock_is_held_until_the_last_who_shares_it_closes_it", || {
        let (_dir, path, file) = sandbox_file();
        let file = Flock::lock(file, FlockArg::LockExclusiveNonblock).unwrap();
        let child = Idle::with_stdout(file.try_clone().unwrap());
        close_without_unlock(file);
        assert_eq!(locks_on(&path, &[Pid::this()]).unwrap(), []);
        // It still names the process that took it.
        let held = locks_on(&path, &[child.pid()]).unwrap();
        assert_eq!(held[0].lock.pid(), Some(Pid::this()));
        assert!(lock_state(&path).unwrap().is_write_locked());
        drop(child);
        assert!(!lock_state(&path).unwrap().is_locked());
    });
}

#[test]
fn an_ofd_lock_shows_with_all_who_share_it_and_names_nobody() {
    let (_dir, path, file) = sandbox_file();
    let child = Idle::with_stdout(file.try_clone().unwrap());
    ofd(&file, F_WRLCK, 5, 7);
    let both = locks_on(&path, &[Pid::this(), child.pid()]).unwrap();
    let holders: Vec<_> = both.iter().map(|held| (held.pid, held.fd)).collect();
    assert_eq!(holders, [(Pid::this(), fd_of(&file)), (child.pid(), 1)]);
    let lock = both[1].lock;
    assert_eq!((lock.kind, lock.mode, lock.pid()), (LockKind::Ofd, LockMode::Write, None));
    assert_eq!(lock.range, LockRange { start: 5, end: Some(11) });
    assert_eq!(lock_state(&path).unwrap().held, [lock]);
    assert_eq!(posix_write_locker(&path).unwrap(), Some(Locker::FileDescription));
}

#[test]
fn locks_of_other_files_do_not_show() {
    let dir = sandbox();
    let [one, other] = ["one", "other"].map(|name| dir.path().join(name));
    let files = [&one, &other].map(new_file);
    posix(&files[0], F_WRLCK, 0, 0);
    assert_eq!(locks_on(&other, &[Pid::this()]).unwrap(), []);
    assert!(!lock_state(&other).unwrap().is_locked());
    assert_eq!(posix_write_locker(&other).unwrap(), None);
    // A file is known by its inode, not by its name.
    fs::rename(&one, &other).unwrap();
    assert_eq!(locks_on(&other, &[Pid::this()]).unwrap().len(), 1);
    assert!(lock_state(&other).unwrap().is_write_locked());
}

#[test]
fn only_a_write_lock_is_reported_as_a_writers() {
    let (_dir, path, file) = sandbox_file();
    assert_eq!(posix_write_locker(&path).unwrap(), None);
    posix(&file, F_RDLCK, 0, 0);
    assert_eq!(posix_write_locker(&path).unwrap(), None);
    let state = lock_state(&path).unwrap();
    assert!(state.is_locked() && !state.is_write_locked());
    posix(&file, F_WRLCK, 3, 1);
    assert_eq!(posix_write_locker(&path).unwrap(), Some(Locker::Process(Pid::this())));
    assert!(lock_state(&path).unwrap().is_write_locked());
    // To itself a process is no obstacle.
    assert_eq!(posix_write_locker_of(&file).unwrap(), None);
    posix(&file, F_UNLCK, 0, 0);
    assert_eq!(posix_write_locker(&path).unwrap(), None);
}

#[rstest]
#[case::all_for_writing(F_WRLCK, 0, 0)]
#[case::a_byte_for_writing(F_WRLCK, 3, 1)]
#[case::all_for_reading(F_RDLCK, 0, 0)]
#[case::a_byte_for_reading(F_RDLCK, 3, 1)]
fn looking_drops_no_lock_of_this_process(#[case] kind: i32, #[case] start: i64, #[case] len: i64) {
    let (_dir, path, file) = sandbox_file();
    posix(&file, kind, start, len);
    let locker = (kind == F_WRLCK).then_some(Locker::Process(Pid::this()));
    for _ in 0..10 {
        assert_eq!(posix_write_locker(&path).unwrap(), locker);
        assert_eq!(lock_state(&path).unwrap().held.len(), 1);
        assert_eq!(locks_on(&path, &[Pid::this()]).unwrap().len(), 1);
        let descriptors = Descriptors::of(Pid::this()).unwrap().present().unwrap();
        let inode = Some(Inode::of(&file.metadata().unwrap()));
        assert!(descriptors.iter().filter(|descriptor| descriptor.inode == inode).count() <= 2);
    }
    // The hazard is real: what others do, open and close, drops it.
    drop(File::open(&path).unwrap());
    assert_eq!(locks_on(&path, &[Pid::this()]).unwrap(), []);
}

#[test]
fn looking_keeps_no_descriptor_of_this_process_open() {
    alone("locks::looking_keeps_no_descriptor_of_this_process_open", || {
        // It is open here, so it is looked at through another descriptor table.
        let (dir, path, _file) = sandbox_file();
        let other = dir.path().join("other");
        for _ in 0..200 {
            let lock = Flock::lock(new_file(&other), FlockArg::LockExclusiveNonblock).unwrap();
            assert_eq!(posix_write_locker(&path).unwrap(), None);
            close_without_unlock(lock);
            assert!(!lock_state(&other).unwrap().is_locked(), "a copy is left");
            fs::remove_file(&other).unwrap();
        }
    });
}

#[test]
fn a_lock_is_seen_whatever_else_is_locked_and_unlocked_meanwhile() {
    let (dir, path, file) = sandbox_file();
    ofd(&file, F_WRLCK, 0, 0);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for other in 0..3 {
            let other = new_file(dir.path().join(other.to_string()));
            let stop = &stop;
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    (0..5).for_each(|at| ofd(&other, F_WRLCK, 2 * at, 1));
                    ofd(&other, F_UNLCK, 0, 0);
                }
            });
        }
        let seen = (0..300).filter(|_| lock_state(&path).unwrap().is_write_locked());
        let seen = seen.count();
        stop.store(true, Ordering::Relaxed);
        assert_eq!(seen, 300);
    });
}

#[test]
fn a_missing_file_is_not_locked() {
    let dir = sandbox();
    let path = dir.path().join("missing");
    assert_eq!(posix_write_locker(&path).unwrap(), None);
    assert_eq!(locks_on(&path, &[Pid::this()]).unwrap(), []);
    assert_eq!(lock_state(&path).unwrap().to_string(), "not locked");
}

#[test]
fn a_process_that_is_gone_holds_nothing() {
    let (_dir, path, file) = sandbox_file();
    let child = Idle::with_stdout(file.try_clone().unwrap());
    ofd(&file, F_WRLCK, 0, 0);
    let pid = child.pid();
    assert_eq!(locks_on(&path, &[pid]).unwrap().len(), 1);
    drop(child);
    assert_eq!(locks_on(&path, &[pid]).unwrap(), []);
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_to_the_question_that_needs_it() {
    let (_dir, path, file) = sandbox_file();
    posix(&file, F_WRLCK, 0, 0);
    fs::set_permissions(&path, Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(path.parent().unwrap(), Permissions::from_mode(0o755)).unwrap();
    as_nobody(|| {
        assert!(posix_write_locker(&path).unwrap_err().is_denied());
        assert!(lock_state(&path).unwrap().is_write_locked());
    });
}

/// Closes the file but does not unlock it, which `Flock` does when it is dropped.
fn close_without_unlock(lock: Flock<File>) {
    let fd = fd_of(&lock);
    std::mem::forget(lock);
    nix::unistd::close(fd).unwrap();
}
