//! What the system has in its books about TCP connections; known on Linux only.

use std::net::SocketAddr;

/// Whether somebody has begun to connect to `addr` and got no answer so far.
pub(super) fn is_called(addr: SocketAddr) -> bool {
    let books = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let port = format!(":{:04X}", addr.port());
    books.lines().any(|line| {
        let mut words = line.split_whitespace().skip(2);
        words.next().is_some_and(|peer| peer.ends_with(&port)) && words.next() == Some(SYN_SENT)
    })
}

const SYN_SENT: &str = "02";
