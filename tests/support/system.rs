//! What the system has in its books about TCP connections; known on Linux only.

use std::net::SocketAddr;
use std::time::Duration;

/// Whether somebody has begun to connect to `addr` and got no answer so far.
pub(super) fn is_called(addr: SocketAddr) -> bool {
    let books = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let port = format!(":{:04X}", addr.port());
    books.lines().any(|line| {
        let mut words = line.split_whitespace().skip(2);
        words.next().is_some_and(|peer| peer.ends_with(&port)) && words.next() == Some(SYN_SENT)
    })
}

/// Until when the system waits with a keep-alive question on the connection of `local`, if it asks
/// any.
pub(crate) fn keep_alive_due(local: SocketAddr) -> Option<Duration> {
    let books = std::fs::read_to_string("/proc/net/tcp").expect("the books of Linux");
    let port = format!(":{:04X}", local.port());
    let line = books.lines().find(|line| {
        let mut words = line.split_whitespace().skip(1);
        words.next().is_some_and(|own| own.ends_with(&port)) && words.nth(1) == Some(ESTABLISHED)
    });
    let timer = line.expect("the connection").split_whitespace().nth(5).expect("its timer");
    let (which, due) = timer.split_once(':').expect("a timer and its time");
    let hundredths = u64::from_str_radix(due, 16).expect("hexadecimal");
    (which == KEEP_ALIVE).then(|| Duration::from_millis(10 * hundredths))
}

const ESTABLISHED: &str = "01";
const KEEP_ALIVE: &str = "02";
const SYN_SENT: &str = "02";
