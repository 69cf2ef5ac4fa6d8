//! Claims about a process.

use std::path::PathBuf;

use super::{Claim, Finding};
use crate::observe::{Fact, Observed, Process, Target, View};

/// A claim about a process that exists; one that is gone, or hidden, does not fulfil it.
fn of_process(
    text: impl Into<std::borrow::Cow<'static, str>>,
    judge: impl Fn(&Process) -> Finding + Send + Sync + 'static,
) -> Claim<View> {
    Claim::new(text, move |view: &View| match view.process() {
        Ok(Observed::Present(process)) => judge(process),
        Ok(Observed::Gone) => Finding::new(false).with("process", format_args!("pid {} is gone", view.pid())),
        Err(error) => Finding::new(false).with("error", error),
    })
}

/// It leads its session, as after setsid(2).
pub fn session_leader() -> Claim<View> {
    of_process("it leads its session", |process| {
        Finding::new(process.is_session_leader()).with("pid", process.pid).with("session", process.sid)
    })
}

/// It exists and has not ended; a zombie has.
pub fn alive() -> Claim<View> {
    of_process("it is alive", |process| Finding::new(!process.is_zombie()).with("state", process.state))
}

/// Its short name is `name`, cut off after 15 bytes as the kernel does.
pub fn comm(name: impl Into<String>) -> Claim<View> {
    let name: String = name.into();
    of_process(format!("its comm is {name:?}"), move |process| {
        let cut = &name.as_bytes()[..name.len().min(15)];
        Finding::new(process.comm.as_encoded_bytes() == cut).with("comm", process.comm.display())
    })
}

/// It has ended, but has not been reaped.
pub fn zombie() -> Claim<View> {
    of_process("it is a zombie", |process| Finding::new(process.is_zombie()).with("state", process.state))
}

/// Its working directory is `directory`, without symbolic links.
pub fn cwd(directory: impl Into<PathBuf>) -> Claim<View> {
    let directory = directory.into();
    of_process(format!("its working directory is {}", directory.display()), move |process| {
        let finding = Finding::new(process.cwd.known() == Some(&directory));
        match &process.cwd {
            Fact::Known(path) => finding.with("working directory", path.display()),
            Fact::Denied => finding.with("working directory", "hidden: permission denied"),
            Fact::Absent => finding.with("working directory", "none"),
        }
    })
}

/// Its standard input, output and error are `/dev/null`.
pub fn stdio_is_null() -> Claim<View> {
    Claim::new("its standard streams are /dev/null", |view: &View| match view.descriptors() {
        Ok(Observed::Present(all)) => {
            let streams = [0, 1, 2].map(|fd| all.get(fd));
            let null =
                streams.iter().all(|stream| stream.is_some_and(|stream| stream.target == Target::Null));
            let finding = Finding::new(null);
            ["stdin", "stdout", "stderr"].into_iter().zip(streams).fold(finding, |finding, (name, stream)| {
                match stream {
                    Some(stream) => finding.with(name, &stream.target),
                    None => finding.with(name, "closed"),
                }
            })
        }
        Ok(Observed::Gone) => Finding::new(false).with("process", format_args!("pid {} is gone", view.pid())),
        Err(error) => Finding::new(false).with("error", error),
    })
}
