//! When the parts of a call happened.

use std::time::Duration;

use crate::used_connection::UsedConnection;

/// Times of a reply, each measured from the start of the call, and the connection it came over.
///
/// With redirects and retries they tell of the last exchange. The look-up, connecting and TLS are
/// known only if this call had the connection dialed that carried it. A reply that the cache or an
/// interceptor gave has no connection and none of the times of one.
///
/// ```no_run
/// let reply = abide::get("https://localhost:8443/")?;
/// let timings = reply.timings();
/// if let Some(connection) = timings.connection() {
///     println!(
///         "{:?} over connection {} to {:?}, {:?}, reused: {}",
///         connection.protocol(),
///         connection.number(),
///         connection.peer_addr(),
///         connection.tls_version(),
///         connection.is_reused(),
///     );
/// }
/// println!("first byte after {:?}, last after {:?}", timings.first_byte(), timings.last_byte());
/// # Ok::<(), abide::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    pub(crate) resolve_started: Option<Duration>,
    pub(crate) connect_started: Option<Duration>,
    pub(crate) tls_started: Option<Duration>,
    pub(crate) dialed: Option<Duration>,
    pub(crate) send_started: Duration,
    pub(crate) sent: Option<Duration>,
    pub(crate) first_byte: Option<Duration>,
    pub(crate) last_byte: Option<Duration>,
    pub(crate) connection: Option<UsedConnection>,
}

impl Timings {
    /// When the call left the queue: a connection was free, or the dial for it began.
    #[must_use]
    pub fn queued(&self) -> Duration {
        self.resolve_started.or(self.connect_started).unwrap_or(self.send_started)
    }

    /// When the addresses were known; a Unix socket has none and is known at once.
    #[must_use]
    pub fn resolved(&self) -> Option<Duration> {
        self.connect_started
    }

    /// When the TCP connection was open, and a proxy had opened the way on.
    #[must_use]
    pub fn connected(&self) -> Option<Duration> {
        self.connect_started.and_then(|_| self.tls_started.or(self.dialed))
    }

    /// When the TLS handshake was done.
    #[must_use]
    pub fn tls_done(&self) -> Option<Duration> {
        self.tls_started.and(self.dialed)
    }

    /// When the request, body included, was handed to the connection.
    #[must_use]
    pub fn sent(&self) -> Option<Duration> {
        self.sent
    }

    /// When the head of the reply was there.
    #[must_use]
    pub fn first_byte(&self) -> Option<Duration> {
        self.first_byte
    }

    /// When the body was complete; not known while a streamed reply is being read.
    #[must_use]
    pub fn last_byte(&self) -> Option<Duration> {
        self.last_byte
    }

    /// The connection that the reply came over: which one, whether it was reused, what was spoken
    /// and with whom.
    #[must_use]
    pub const fn connection(&self) -> Option<&UsedConnection> {
        self.connection.as_ref()
    }
}
