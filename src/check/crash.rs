//! `crash`: a start that is ended in the middle.

use super::catalogue::Check;
use super::lab::Lab;
use super::outcome::{Judgement, broken};
use crate::explore::sweep::{Blow, HarmKind};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "crash.next-start",
        promise: "Killed at any moment of its start, the daemon can be started again, and owns its pidfile then",
        why: "The power fails, or the machine kills the container, in the one moment in which a half-made file lies about, \
              and the daemon does not come up again before someone removes it.",
        source: "docs/explorer.md, Sweeps; pidfile(3)",
        judged: "The start is traced, and all of its processes are sent SIGKILL before one of its system calls that another \
                 process could notice, before each in turn, as `daemonproof crash` does. Then it is started once more, which \
                 must come up and own the pidfile. In the usual mode, and for some seconds; --deep adds the other modes and a \
                 start over a stale pidfile.",
        judge: next_start,
    },
    Check {
        id: "crash.sigterm",
        promise: "Told to stop at any moment of its start, the daemon ends, and can be started again",
        why: "A service manager whose start takes too long tells it to stop; the signal is lost, and it comes up after all.",
        source: "docs/explorer.md, Sweeps; daemon(7), new-style daemons, step 1",
        judged: "As crash.next-start, but with SIGTERM: all of its processes must end, and if any file is left, another start \
                 must come up all the same. Not judged for daemons that look for a signal only from time to time: in the \
                 explorer no timeout passes.",
        judge: sigterm,
    },
];

fn next_start(lab: &Lab<'_>) -> Judgement {
    judge(lab, Blow::Kill, &[HarmKind::Lasting, HarmKind::Wrong])
}

fn sigterm(lab: &Lab<'_>) -> Judgement {
    judge(lab, Blow::Terminate, &[HarmKind::Lasting, HarmKind::Wrong])
}

/// Broken if a case has such a harm.
pub(super) fn judge(lab: &Lab<'_>, blow: Blow, kinds: &[HarmKind]) -> Judgement {
    let swept = lab.swept(blow)?;
    match (swept.harm(kinds), swept.unfinished()) {
        (Some(harm), _) => broken(harm),
        (None, Some(unfinished)) => lab.not_explored(unfinished),
        (None, None) => Ok(()),
    }
}
