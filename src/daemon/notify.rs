//! The service manager's notification socket: sd_notify(3).

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, sendto, socket};
use nix::unistd::getpid;
use std::env;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;

/// Where the service manager listens.
#[derive(Debug, Clone)]
pub(super) struct NotifySocket {
    address: UnixAddr,
}

impl NotifySocket {
    /// From `NOTIFY_SOCKET`: a path, or `@` and an abstract name. `None` if there is none, or none that can
    /// be used: then no service manager listens.
    pub(super) fn from_env() -> Option<Self> {
        let name = env::var_os("NOTIFY_SOCKET")?;
        let address = match name.as_bytes() {
            [b'@', name @ ..] => UnixAddr::new_abstract(name),
            [b'/', ..] => UnixAddr::new(name.as_os_str()),
            _ => return None,
        };
        address.ok().map(|address| Self { address })
    }

    /// Says that the service is ready and that the calling process is its main one.
    pub(super) fn ready(&self) {
        if let Err(errno) = self.send(format!("READY=1\nMAINPID={}", getpid()).as_bytes()) {
            log::warn!("failed to notify the service manager: {}", errno.desc());
        }
    }

    /// Sends one datagram, without waiting. Async-signal-safe.
    pub(super) fn send(&self, message: &[u8]) -> Result<(), Errno> {
        let flags = SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Unix, SockType::Datagram, flags, None)?;
        let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
        sendto(socket.as_raw_fd(), message, &self.address, flags).map(drop)
    }
}
