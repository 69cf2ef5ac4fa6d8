//! The families, in the order in which they are judged and shown.

use super::catalogue::Check;
use super::{crash, detach, fault, fds, lock, monitor, pidfile, race, restart, stale, startup, stdio, stop};

pub(super) static FAMILIES: [&[Check]; 13] = [
    detach::CHECKS,
    startup::CHECKS,
    stdio::CHECKS,
    fds::CHECKS,
    pidfile::CHECKS,
    lock::CHECKS,
    stale::CHECKS,
    stop::CHECKS,
    monitor::CHECKS,
    restart::CHECKS,
    race::CHECKS,
    crash::CHECKS,
    fault::CHECKS,
];
