//! What a client tells about itself.

use std::fmt;

use crate::{error::ErrorKind, origin::Route};

/// A snapshot of a client's connections and calls, and what they come to so far.
///
/// The connections, the queue and what went over connections are read in one step, so they fit
/// together: `open` is `idle` and `active`, and the routes add up to the whole. Taking it holds the
/// pool's lock for as long as it takes to go through the connections once; it costs no running call
/// anything else. Totals count from the making of the client and never decrease.
///
/// ```
/// let client = abide::Client::new();
/// let stats = client.stats();
/// println!("{} open, {} waiting", stats.open(), stats.queued());
/// for route in stats.routes() {
///     println!("{}: {} of {} busy", route.route(), route.active(), route.open());
/// }
/// for (kind, count) in stats.failures_by_kind() {
///     println!("{count} calls failed: {kind:?}");
/// }
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Stats {
    pub(crate) connections: Connections,
    pub(crate) routes: Vec<RouteStats>,
    pub(crate) connections_opened: u64,
    pub(crate) retries: u64,
    pub(crate) carried: Carried,
    pub(crate) calls: u64,
    pub(crate) failures: [u64; ErrorKind::ALL.len()],
}

/// Numbers of one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Connections {
    pub(crate) open: usize,
    pub(crate) idle: usize,
    pub(crate) queued: usize,
    pub(crate) dialing: usize,
}

impl Connections {
    const fn active(&self) -> usize {
        self.open.saturating_sub(self.idle)
    }

    pub(crate) const fn add(&mut self, other: &Self) {
        self.open += other.open;
        self.idle += other.idle;
        self.queued += other.queued;
        self.dialing += other.dialing;
    }
}

/// What connections have carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    pub(crate) exchanges: u64,
    pub(crate) reuses: u64,
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

impl Carried {
    /// Adds what one connection has carried so far.
    pub(crate) const fn add_connection(&mut self, exchanges: u64, sent: u64, received: u64) {
        self.exchanges += exchanges;
        self.reuses += exchanges.saturating_sub(1);
        self.sent += sent;
        self.received += received;
    }
}

impl Stats {
    /// The routes that have connections or calls that wait, sorted by their names.
    #[must_use]
    pub fn routes(&self) -> &[RouteStats] {
        &self.routes
    }

    /// Connections open now.
    #[must_use]
    pub const fn open(&self) -> usize {
        self.connections.open
    }

    /// Open connections that carry no call.
    #[must_use]
    pub const fn idle(&self) -> usize {
        self.connections.idle
    }

    /// Open connections that carry calls, or are just being closed.
    #[must_use]
    pub const fn active(&self) -> usize {
        self.connections.active()
    }

    /// Calls that wait for a connection.
    #[must_use]
    pub const fn queued(&self) -> usize {
        self.connections.queued
    }

    /// Connections being opened.
    #[must_use]
    pub const fn dialing(&self) -> usize {
        self.connections.dialing
    }

    /// Connections opened so far.
    #[must_use]
    pub const fn connections_opened(&self) -> u64 {
        self.connections_opened
    }

    /// Calls made so far: those that run, that were answered from the cache, and that failed too.
    #[must_use]
    pub const fn calls(&self) -> u64 {
        self.calls
    }

    /// Requests that connections were given so far: a call makes one for each hop and attempt, or
    /// none if the cache has its answer.
    #[must_use]
    pub const fn exchanges(&self) -> u64 {
        self.carried.exchanges
    }

    /// Exchanges on connections that had carried another one before.
    #[must_use]
    pub const fn reuses(&self) -> u64 {
        self.carried.reuses
    }

    /// How often a request was made again: because its connection was dead, a
    /// [`RetryPolicy`](crate::RetryPolicy) says so, or a proxy asked for credentials.
    ///
    /// Redirects and answers to challenges of the origin are further hops, and not counted here.
    #[must_use]
    pub const fn retries(&self) -> u64 {
        self.retries
    }

    /// Bytes sent on connections: heads, bodies and framing, before TLS.
    #[must_use]
    pub const fn bytes_sent(&self) -> u64 {
        self.carried.sent
    }

    /// Bytes received on connections: heads, bodies and framing, before decoding, after TLS.
    #[must_use]
    pub const fn bytes_received(&self) -> u64 {
        self.carried.received
    }

    /// Calls that have failed.
    ///
    /// A reply is no failure, whatever its status; an open reply counts when its body fails.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures.iter().sum()
    }

    /// Calls that have failed with an error of this kind.
    #[must_use]
    pub const fn failures_of(&self, kind: ErrorKind) -> u64 {
        self.failures[kind as usize]
    }

    /// The kinds of errors that calls have failed with, and how many each.
    pub fn failures_by_kind(&self) -> impl Iterator<Item = (ErrorKind, u64)> + '_ {
        let counts = ErrorKind::ALL.into_iter().zip(self.failures);
        counts.filter(|(_, count)| *count > 0)
    }
}

impl fmt::Debug for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connections, routes, connections_opened, retries, carried, calls, failures: _ } =
            self;
        let failures: Vec<_> = self.failures_by_kind().collect();
        f.debug_struct("Stats")
            .field("connections", connections)
            .field("routes", routes)
            .field("connections_opened", connections_opened)
            .field("calls", calls)
            .field("carried", carried)
            .field("retries", retries)
            .field("failures", &failures)
            .finish()
    }
}

/// What there is of one route at the moment of a [`Stats`].
#[derive(Clone, PartialEq, Eq)]
pub struct RouteStats {
    pub(crate) way: Route,
    pub(crate) connections: Connections,
    pub(crate) speaks_http2: bool,
}

impl RouteStats {
    /// Where the connections lead: `https://host:443`, and how if not straight, as in
    /// `https://host:443 through socks5://proxy:1080` or `http://host:80 at /run/api.sock`; `by
    /// http://proxy:3128` is a proxy that forwards requests, to whatever origin.
    ///
    /// It shows no user, password, path or query. Routes that differ only by the client
    /// certificate that is shown have the same name.
    #[must_use]
    pub fn route(&self) -> String {
        self.way.to_string()
    }

    /// Whether HTTP/2 was spoken when a connection was last opened, or will be by prior knowledge.
    #[must_use]
    pub const fn is_http2(&self) -> bool {
        self.speaks_http2
    }

    /// Connections open now.
    #[must_use]
    pub const fn open(&self) -> usize {
        self.connections.open
    }

    /// Open connections that carry no call.
    #[must_use]
    pub const fn idle(&self) -> usize {
        self.connections.idle
    }

    /// Open connections that carry calls, or are just being closed.
    #[must_use]
    pub const fn active(&self) -> usize {
        self.connections.active()
    }

    /// Calls that wait for a connection.
    #[must_use]
    pub const fn queued(&self) -> usize {
        self.connections.queued
    }

    /// Connections being opened.
    #[must_use]
    pub const fn dialing(&self) -> usize {
        self.connections.dialing
    }
}

impl fmt::Debug for RouteStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteStats")
            .field("route", &format_args!("{}", self.way))
            .field("connections", &self.connections)
            .field("speaks_http2", &self.speaks_http2)
            .finish()
    }
}
