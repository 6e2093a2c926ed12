//! Options of sockets that only Linux knows.

use std::{io, time::Duration};

use socket2::SockRef;

/// Has the socket use one network interface only.
pub(super) fn bind_to_interface(socket: SockRef<'_>, name: &str) -> io::Result<()> {
    socket.bind_device(Some(name.as_bytes()))
}

/// Bounds how long sent bytes may stay unacknowledged (RFC 5482).
pub(super) fn set_user_timeout(socket: SockRef<'_>, limit: Duration) -> io::Result<()> {
    socket.set_tcp_user_timeout(Some(limit))
}
