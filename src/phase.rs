//! Where a call is, and which of its time budgets covers that.

use std::fmt;

/// Where a call is, or was when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[repr(u8)]
pub enum Phase {
    /// Waiting for a connection that is free, or for the right to open one.
    Queue,
    /// Looking up the addresses of the host's name.
    Resolve,
    /// Opening a TCP connection, and asking a proxy for the way on.
    Connect,
    /// In the TLS handshake.
    Tls,
    /// Sending the request.
    Send,
    /// The request is sent; waiting for the head of the reply.
    FirstByte,
    /// Receiving the body of the reply.
    Body,
    /// Waiting before another attempt, see [`RetryPolicy`](crate::RetryPolicy).
    BackOff,
}

/// Number of phases, for tables indexed by them.
pub(crate) const PHASES: usize = 8;

impl Phase {
    pub(crate) const ALL: [Self; PHASES] = [
        Self::Queue,
        Self::Resolve,
        Self::Connect,
        Self::Tls,
        Self::Send,
        Self::FirstByte,
        Self::Body,
        Self::BackOff,
    ];
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queue => "waiting in the queue for a connection",
            Self::Resolve => "resolving the name",
            Self::Connect => "connecting",
            Self::Tls => "in the TLS handshake",
            Self::Send => "sending the request",
            Self::FirstByte => "waiting for the reply",
            Self::Body => "receiving the body",
            Self::BackOff => "waiting to try again",
        })
    }
}

/// A limit in time; see [`Timeouts`](crate::Timeouts) for the defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Budget {
    /// Waiting for a connection.
    Queue,
    /// Looking up a name.
    Resolve,
    /// Opening a TCP connection, all addresses of the name and the way through a proxy together.
    Connect,
    /// The TLS handshake.
    Tls,
    /// From the last byte sent to the head of the reply.
    FirstByte,
    /// Between two bytes, in either direction.
    Idle,
    /// The whole call, body included.
    Total,
}

impl Budget {
    /// The name of the setter in [`Timeouts`](crate::Timeouts).
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::FirstByte => "first_byte",
            Self::Idle => "idle",
            Self::Total => "total",
        }
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
