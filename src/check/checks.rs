//! The families, in the order in which they are judged and shown.

use super::catalogue::Check;
use super::{detach, fds, lock, monitor, pidfile, restart, stale, startup, stdio, stop};

pub(super) static FAMILIES: [&[Check]; 10] = [
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
];
