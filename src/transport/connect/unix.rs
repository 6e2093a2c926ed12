//! Sockets that have a path in place of an address.

use std::{io, path::Path, time::Duration};

use tokio::{net::UnixStream, time::sleep};

pub(crate) type LocalStream = UnixStream;

/// Connects to whoever listens at a path.
pub(super) async fn connect(path: &Path) -> io::Result<LocalStream> {
    loop {
        match UnixStream::connect(path).await {
            // The listener's queue is full, and nothing tells when it no longer is.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(QUEUE_FULL).await,
            connected => return connected,
        }
    }
}

const QUEUE_FULL: Duration = Duration::from_millis(5);
