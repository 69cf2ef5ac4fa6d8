//! Claims about who a process acts as.

use daemonproof::observe::View;
use daemonproof::prelude::*;
use nix::unistd::{Gid, Pid, Uid, getgroups};

use crate::support::{Prepared, fails, holds};

const NOBODY: u32 = 65534;
const NET_BIND_SERVICE: u64 = 1 << 10;

/// A process that gives up everything that it can, and then calls `more`.
fn unprivileged(more: &str) -> Prepared {
    let script = format!(
        "import os, signal\nif os.getuid() == 0:\n    os.setgroups([4])\n    os.setgid({NOBODY})\n    {more}\n\
         print('ready', flush=True)\nsignal.pause()"
    );
    Prepared::python(&script)
}

#[test]
fn a_process_is_whom_it_became() {
    let process = unprivileged("os.setuid(65534)");
    // Who is not root cannot become another.
    let is_root = Uid::current().is_root();
    let user = if is_root { Uid::from_raw(NOBODY) } else { Uid::current() };
    let group = if is_root { Gid::from_raw(NOBODY) } else { Gid::current() };
    let list = if is_root { vec![Gid::from_raw(4)] } else { getgroups().unwrap() };
    let view = process.view();
    holds(&view, uid(user).and(gid(group)).and(groups(list.iter().rev().copied())));
    holds(&view, no_capabilities().and(capabilities(0)));
    fails(&view, uid(Uid::from_raw(54321)));
    fails(&view, gid(Gid::from_raw(54321)));
    fails(&view, groups(list.into_iter().chain([Gid::from_raw(54321)])));
    fails(&view, capabilities(NET_BIND_SERVICE));
}

#[test]
fn this_process_is_as_the_kernel_says() {
    let view = View::of(Pid::this());
    holds(&view, uid(Uid::current()).and(gid(Gid::current())).and(groups(getgroups().unwrap())));
    let process = view.process().as_ref().unwrap().as_ref().present().unwrap();
    holds(&view, capabilities(process.capabilities.permitted));
    fails(&view, capabilities(process.capabilities.permitted ^ NET_BIND_SERVICE));
}

#[test]
fn who_can_come_back_has_not_changed_user() {
    let process = unprivileged("os.seteuid(65534)");
    if Uid::current().is_root() {
        let said = fails(&process.view(), uid(Uid::from_raw(NOBODY)));
        assert!(said.contains("saved       0"), "{said}");
        // They are not in force, but can be.
        fails(&process.view(), no_capabilities());
    } else {
        holds(&process.view(), uid(Uid::current()));
    }
}
