//! Stands in for options of sockets that only Linux knows; building a client refuses them before.

use std::{io, time::Duration};

use socket2::SockRef;

pub(super) fn bind_to_interface(_: SockRef<'_>, _: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn set_user_timeout(_: SockRef<'_>, _: Duration) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
