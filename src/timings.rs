//! When the parts of a call happened.

use std::time::Duration;

/// Times of a reply, each measured from the start of the call.
///
/// With retries they tell of the last attempt. The look-up, connecting and TLS are known only if
/// this call had the connection dialed that carried it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    pub(crate) resolve_started: Option<Duration>,
    pub(crate) connect_started: Option<Duration>,
    pub(crate) tls_started: Option<Duration>,
    pub(crate) send_started: Duration,
    pub(crate) sent: Option<Duration>,
    pub(crate) first_byte: Option<Duration>,
    pub(crate) last_byte: Option<Duration>,
}

impl Timings {
    /// When the call left the queue: a connection was free, or the dial for it began.
    #[must_use]
    pub fn queued(&self) -> Duration {
        self.resolve_started.or(self.connect_started).unwrap_or(self.send_started)
    }

    /// When the addresses were known.
    #[must_use]
    pub fn resolved(&self) -> Option<Duration> {
        self.connect_started
    }

    /// When the TCP connection was open.
    #[must_use]
    pub fn connected(&self) -> Option<Duration> {
        self.connect_started.map(|_| self.tls_started.unwrap_or(self.send_started))
    }

    /// When the TLS handshake was done.
    #[must_use]
    pub fn tls_done(&self) -> Option<Duration> {
        self.tls_started.map(|_| self.send_started)
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
}
