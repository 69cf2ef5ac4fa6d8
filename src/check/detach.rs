//! `detach`: the daemon leaves whoever started it.

use super::catalogue::Check;
use super::facts::{Facts, is_busy};
use super::lab::{Lab, Up};
use super::outcome::{Judgement, No, broken, cannot_tell, does_not_apply};
use super::run::Start;
use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "detach.returns",
        promise: "The command that detaches the daemon returns, with status 0, once the daemon runs",
        why: "A boot script or a shell that starts the daemon would wait for ever.",
        source: "daemon(7), SysV daemons, step 15; Open vSwitch, lib/daemon-unix.c, daemonize_start",
        judged: "The daemon is started detached; its command must end within the timeout.",
        judge: returns,
    },
    Check {
        id: "detach.new-session",
        promise: "A detached daemon runs in a session of its own",
        why: "In the session of whoever started it, it is killed or stopped by that terminal: a closed SSH \
              connection or a Ctrl-C takes it along.",
        source: "daemon(7), SysV daemons, step 6; PEP 3143; setsid(2)",
        judged: "The session of the daemon, as /proc shows it, is not the session of its starter.",
        judge: new_session,
    },
    Check {
        id: "detach.no-terminal",
        promise: "A detached daemon has no controlling terminal",
        why: "It would be sent SIGHUP when the terminal hangs up, and could be stopped by reading from it.",
        source: "daemon(7), SysV daemons, step 7; PEP 3143, detach_process; credentials(7)",
        judged: "The daemon is started detached from a session with a pseudo-terminal; /proc must show none for \
                 it afterwards.",
        judge: no_terminal,
    },
    Check {
        id: "detach.working-directory",
        promise: "A detached daemon leaves the directory in which it was started",
        why: "The file system of that directory could not be unmounted for as long as the daemon runs.",
        source: "daemon(7), SysV daemons, step 11; PEP 3143, working_directory; daemon(3)",
        judged: "The daemon is started detached where the caller is, or in a directory of its own if that is the root; \
                 /proc/PID/cwd must lead elsewhere.",
        judge: working_directory,
    },
    Check {
        id: "detach.no-chdir",
        promise: "A detached daemon that is told to keep its working directory does",
        why: "Relative names in its configuration would lead elsewhere.",
        source: "Open vSwitch, --no-chdir; daemon(3), nochdir",
        judged: "Started detached with the argument for it, /proc/PID/cwd must be where it was started.",
        judge: no_chdir,
    },
];

fn up<'a>(lab: &'a Lab<'_>) -> Result<&'a Up, No> {
    lab.driving.detached()?;
    Ok(&lab.usual()?.up)
}

fn returns(lab: &Lab<'_>) -> Judgement {
    lab.driving.detached()?;
    let usual = lab.usual();
    if let Some(what) = lab.not_detached.get() {
        return broken(what.as_str());
    }
    match usual?.up.returned {
        true => Ok(()),
        false => broken(format!(
            "the daemon runs, but its command has not returned within {:?}",
            lab.driving.timeout
        )),
    }
}

fn new_session(lab: &Lab<'_>) -> Judgement {
    let up = up(lab)?;
    let daemon = up.facts.member(up.facts.daemon).map(|member| member.process.sid);
    match daemon == Some(up.starters_session) {
        true => broken(format!(
            "{} is still in its starter's session {}",
            up.facts.name(up.facts.daemon),
            up.starters_session
        )),
        false => Ok(()),
    }
}

fn no_terminal(lab: &Lab<'_>) -> Judgement {
    let mode = lab.driving.detached()?;
    lab.usual()?;
    let failed = |what: &str, error: nix::Error| {
        No::DoesNotApply(format!("no pseudo-terminal can be made: {what}: {error}"))
    };
    let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)
        .map_err(|error| failed("posix_openpt", error))?;
    grantpt(&master).map_err(|error| failed("grantpt", error))?;
    unlockpt(&master).map_err(|error| failed("unlockpt", error))?;
    let name = ptsname_r(&master).map_err(|error| failed("ptsname", error))?;
    let terminal = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(OFlag::O_NOCTTY.bits())
        .open(&name)
        .map_err(|error| No::DoesNotApply(format!("failed to open {name}: {error}")))?;
    let run = lab.start(Start::new(mode).options(|options| options.terminal(terminal)))?;
    lab.must_run(&run, run.outcome()?)?;
    let facts = run.settled_when(|facts| terminal_of(facts).is_none())?;
    let broken_by = terminal_of(&facts);
    drop(run);
    match broken_by {
        Some(pid) => broken(format!("{} still has the starter's terminal {name}", facts.name(pid))),
        None => Ok(()),
    }
}

fn terminal_of(facts: &Facts) -> Option<nix::unistd::Pid> {
    let with = facts.members.iter().find(|member| member.process.has_controlling_terminal());
    with.map(|member| member.process.pid)
}

fn working_directory(lab: &Lab<'_>) -> Judgement {
    let up = up(lab)?;
    let member = up.facts.member(up.facts.daemon);
    let Some(cwd) = member.and_then(|member| member.process.cwd.known()) else {
        return cannot_tell("the daemon's working directory may not be looked at");
    };
    match *cwd == up.directory {
        true => {
            broken(format!("its working directory is still the one it was started in, {}", cwd.display()))
        }
        false => Ok(()),
    }
}

fn no_chdir(lab: &Lab<'_>) -> Judgement {
    let mode = lab.driving.detached()?;
    let Some(argument) = &lab.driving.no_chdir else {
        return does_not_apply("no argument is known that keeps the working directory (--no-chdir)");
    };
    lab.usual()?;
    let run = lab.start(Start::new(mode).extra(argument))?;
    lab.must_run(&run, run.outcome()?)?;
    // Some move only after they have reported.
    let at_rest = |facts: &Facts| facts.member(facts.daemon).is_some_and(|member| !is_busy(&member.process));
    let facts = run.settled_when(at_rest)?;
    let cwd = facts.member(facts.daemon).and_then(|member| member.process.cwd.known().cloned());
    match cwd {
        Some(cwd) if cwd != run.directory => broken(format!(
            "with {} its working directory is {}, not the one it was started in",
            argument.display(),
            cwd.display()
        )),
        Some(_) => Ok(()),
        None => cannot_tell("the daemon's working directory may not be looked at"),
    }
}
