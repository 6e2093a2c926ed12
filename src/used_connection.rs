//! Over which connection a reply came.

use std::net::SocketAddr;

use http::Version;

use crate::tls_version::TlsVersion;

/// The connection that a reply came over; see [`Timings::connection`](crate::Timings::connection).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsedConnection {
    pub(crate) number: u64,
    pub(crate) is_reused: bool,
    pub(crate) protocol: Version,
    pub(crate) tls_version: Option<TlsVersion>,
    pub(crate) peer_addr: Option<SocketAddr>,
    pub(crate) local_addr: Option<SocketAddr>,
}

impl UsedConnection {
    /// A number that no other connection of this process has, from 1.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Whether it had carried another exchange before.
    #[must_use]
    pub const fn is_reused(&self) -> bool {
        self.is_reused
    }

    /// The version of HTTP that the reply came in.
    #[must_use]
    pub const fn protocol(&self) -> Version {
        self.protocol
    }

    /// The version of TLS that is spoken with whoever answered, if any is.
    #[must_use]
    pub const fn tls_version(&self) -> Option<TlsVersion> {
        self.tls_version
    }

    /// The address of the other end: the proxy's, if there is one; a Unix socket has none.
    #[must_use]
    pub const fn peer_addr(&self) -> Option<SocketAddr> {
        self.peer_addr
    }

    /// The address of this end; a Unix socket has none.
    #[must_use]
    pub const fn local_addr(&self) -> Option<SocketAddr> {
        self.local_addr
    }
}
