//! Every limit in time and size, with its default.

use std::time::Duration;

use crate::phase::Budget;

/// The time budgets of a call; each is separate and can be switched off with `None`.
///
/// | budget | default | covers | why |
/// |---|---|---|---|
/// | `queue` | 30 s | waiting for a connection, or for the right to open one | a herd gets its turn, and threads that wait for each other's open replies are told |
/// | `resolve` | 10 s | looking up the host's name | two tries of the system's resolver, which waits 5 s for a name server |
/// | `connect` | 10 s | opening a TCP connection, all addresses of the name and the way through a proxy together | three lost packets (1, 2 and 4 s until the next one, RFC 6298) |
/// | `tls` | 10 s | the TLS handshake | the same |
/// | `first_byte` | 60 s | from the last byte sent to the head of the reply | as long as common servers and proxies in front of them let a request take |
/// | `idle` | 60 s | between two bytes, while sending or receiving | the same |
/// | `total` | off | the whole call, retries and body included: a deadline | how long a body takes depends on its size |
///
/// An error that says `timed out` names the budget that ran out, see
/// [`Error::budget`](crate::Error::budget).
///
/// ```
/// use std::time::Duration;
/// let timeouts = abide::Timeouts::default().total(Duration::from_secs(5)).first_byte(None);
/// let client = abide::Client::builder().timeouts(timeouts).build()?;
/// # Ok::<(), abide::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    pub(crate) queue: Option<Duration>,
    pub(crate) resolve: Option<Duration>,
    pub(crate) connect: Option<Duration>,
    pub(crate) tls: Option<Duration>,
    pub(crate) first_byte: Option<Duration>,
    pub(crate) idle: Option<Duration>,
    pub(crate) total: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            queue: Some(Duration::from_secs(30)),
            resolve: Some(Duration::from_secs(10)),
            connect: Some(Duration::from_secs(10)),
            tls: Some(Duration::from_secs(10)),
            first_byte: Some(Duration::from_secs(60)),
            idle: Some(Duration::from_secs(60)),
            total: None,
        }
    }
}

impl Timeouts {
    /// No budget at all: only cancelling ends a call that gets no answer.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            queue: None,
            resolve: None,
            connect: None,
            tls: None,
            first_byte: None,
            idle: None,
            total: None,
        }
    }

    /// Sets the longest wait for a connection; `None` switches it off.
    #[must_use]
    pub fn queue(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.queue = limit.into();
        self
    }

    /// Sets the longest look-up of a name; `None` switches it off.
    #[must_use]
    pub fn resolve(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.resolve = limit.into();
        self
    }

    /// Sets the time for connecting, all addresses and a proxy together; `None` switches it off.
    #[must_use]
    pub fn connect(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.connect = limit.into();
        self
    }

    /// Sets the time for the TLS handshake; `None` switches it off.
    #[must_use]
    pub fn tls(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.tls = limit.into();
        self
    }

    /// Sets the time from the last byte sent to the reply's head; `None` switches it off.
    #[must_use]
    pub fn first_byte(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.first_byte = limit.into();
        self
    }

    /// Sets the longest silence while sending or receiving; `None` switches it off.
    #[must_use]
    pub fn idle(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.idle = limit.into();
        self
    }

    /// Sets the deadline of the whole call, body included; `None` switches it off.
    #[must_use]
    pub fn total(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.total = limit.into();
        self
    }

    /// The deadline alone.
    #[cfg(feature = "json")]
    pub(crate) const fn only_total(self) -> Self {
        Self { total: self.total, ..Self::none() }
    }

    /// The shortest budget of any phase.
    pub(crate) fn shortest(&self) -> Option<Duration> {
        let Self { queue, resolve, connect, tls, first_byte, idle, total: _ } = *self;
        [queue, resolve, connect, tls, first_byte, idle].into_iter().flatten().min()
    }

    pub(crate) const fn of(&self, budget: Budget) -> Option<Duration> {
        match budget {
            Budget::Queue => self.queue,
            Budget::Resolve => self.resolve,
            Budget::Connect => self.connect,
            Budget::Tls => self.tls,
            Budget::FirstByte => self.first_byte,
            Budget::Idle => self.idle,
            Budget::Total => self.total,
        }
    }
}

/// The limits in number and size, client-wide.
///
/// A *route* is where a client connects to: an origin (scheme, host and port), directly or through one
/// proxy, with one client certificate or none. Each has its own bounds. What is asked of an HTTP proxy
/// without a tunnel, plain `http` that is, has the proxy as its route, whatever the origins are.
///
/// Those of a route can be set for one host too, see [`HostOptions`](crate::HostOptions).
///
/// | limit | default | why |
/// |---|---|---|
/// | `places_per_route` | 64 | connections of one HTTP/1 route, idle ones included: more than a server needs to be busy, few enough that a client is no nuisance |
/// | `http2_connections_per_route` | 8 | more than one are opened when their streams are used up, or to use more cores: with 100 streams each they carry more calls than there are threads as a rule |
/// | `http2_cores_per_route` | half the processors | cores that the connections of one HTTP/2 route may use up: one connection is one core at a time; the other half is for the threads that call |
/// | `http2_streams_per_connection` | 100 | calls that one HTTP/2 connection carries at once, if the server allows as many: what servers are recommended to allow at least (RFC 9113 §6.5.2) |
/// | `http2_stream_window` | 2 MiB | what may have come of a reply over HTTP/2 and is not read yet: 40 MB/s from a server 50 ms away |
/// | `places_total` | 256 | connections of the client, well below common limits of open files |
/// | `dials_per_route` | 16 | connections being opened for one route: while these are, others become free, so that more at once cost a herd of threads more handshakes than they save, and a distant one a single round trip |
/// | `dials_total` | 128 | the same for the client: seven dead hosts leave room for others |
/// | `header_bytes` | 256 KiB | head of a reply, and over HTTP/1.1 the informational (1xx) replies before it: many times what servers send, and little enough for each of many connections. Over HTTP/2 a larger one is a stream that breaks the rules, of kind `Protocol` |
/// | `header_count` | 100 | header lines of a reply; more is seen only from servers that go wrong |
/// | `body_bytes` | 1 GiB | body that `send()` keeps in memory, as it came and decoded, so that no server fills a machine's memory; streamed replies have no limit |
/// | `decode_ratio` | 200 | how many times larger a body above 32 MiB may be than what was sent of it |
///
/// ```
/// let limits = abide::Limits::default().places_per_route(8).body_bytes(16 << 20);
/// let client = abide::Client::builder().limits(limits).build()?;
/// # Ok::<(), abide::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub(crate) places_per_route: usize,
    pub(crate) http2_connections_per_route: usize,
    /// `None` is half the processors.
    pub(crate) http2_cores_per_route: Option<usize>,
    pub(crate) http2_streams_per_connection: usize,
    pub(crate) http2_stream_window: usize,
    pub(crate) places_total: usize,
    pub(crate) dials_per_route: usize,
    pub(crate) dials_total: usize,
    pub(crate) header_bytes: usize,
    pub(crate) header_count: usize,
    pub(crate) body_bytes: Option<u64>,
    pub(crate) decode_ratio: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            places_per_route: 64,
            http2_connections_per_route: 8,
            http2_cores_per_route: None,
            http2_streams_per_connection: 100,
            http2_stream_window: 2 << 20,
            places_total: 256,
            dials_per_route: 16,
            dials_total: 128,
            header_bytes: 256 << 10,
            header_count: HEADER_COUNT_OF_HYPER,
            body_bytes: Some(1 << 30),
            decode_ratio: Some(200),
        }
    }
}

impl Limits {
    /// Sets the most connections of a route that speaks HTTP/1; at least 1.
    #[must_use]
    pub fn places_per_route(mut self, places: usize) -> Self {
        self.places_per_route = places.max(1);
        self
    }

    /// Sets the most connections of a route that speaks HTTP/2; at least 1.
    #[must_use]
    pub fn http2_connections_per_route(mut self, connections: usize) -> Self {
        self.http2_connections_per_route = connections.max(1);
        self
    }

    /// Sets how many cores the connections of a route that speaks HTTP/2 may use up; at least 1.
    ///
    /// What calls over one HTTP/2 connection receive is taken in by one thread. When that was busy for
    /// at least 90 % of the time, in two looks 100 ms apart, and calls share the connection, another
    /// one is opened on another thread, if there are fewer than this and the other bounds allow it.
    /// Calls are then spread over them until fewer do for a second; those that are not needed any more
    /// close like other idle ones. Where the server is on the same machine, or callers do much with what they get, more
    /// than half the processors, the default, rarely helps.
    #[must_use]
    pub fn http2_cores_per_route(mut self, cores: usize) -> Self {
        self.http2_cores_per_route = Some(cores.max(1));
        self
    }

    /// Sets the most calls that one HTTP/2 connection carries at once, if the server allows as many;
    /// at least 1.
    ///
    /// More calls get another connection, or wait for one that has room.
    #[must_use]
    pub fn http2_streams_per_connection(mut self, streams: usize) -> Self {
        self.http2_streams_per_connection = streams.max(1);
        self
    }

    /// Sets how many bytes of a reply over HTTP/2 may have come that nobody has read yet (the flow-control
    /// window of RFC 9113 §5.2); at least 64 KiB, at most 2 GiB less one byte.
    ///
    /// A server sends no more than this in one round trip, so a larger one makes downloads from afar
    /// faster, and a smaller one saves memory where [open replies](crate::OpenReply) are left alone.
    ///
    /// A connection's own window is as large as those of all its streams together, so that a reply
    /// that nobody reads never holds another one up. So a connection keeps at most this times
    /// [`http2_streams_per_connection`](Self::http2_streams_per_connection) in memory: 200 MiB by
    /// default, if a hundred large replies are open on it and none is read. Where both together are
    /// more than 2 GiB, the connection carries fewer calls.
    ///
    /// ```
    /// // At most 8 MiB per connection, however many replies are left alone.
    /// let limits = abide::Limits::default()
    ///     .http2_stream_window(256 << 10)
    ///     .http2_streams_per_connection(32);
    /// # let _ = limits;
    /// ```
    #[must_use]
    pub fn http2_stream_window(mut self, bytes: usize) -> Self {
        self.http2_stream_window = bytes.clamp(64 << 10, WINDOW_MAX as usize);
        self
    }

    /// Sets the most connections of the client; at least 1.
    #[must_use]
    pub fn places_total(mut self, places: usize) -> Self {
        self.places_total = places.max(1);
        self
    }

    /// Sets the most connections being opened for one route at once; at least 1.
    #[must_use]
    pub fn dials_per_route(mut self, dials: usize) -> Self {
        self.dials_per_route = dials.max(1);
        self
    }

    /// Sets the most connections being opened by the client at once; at least 1.
    #[must_use]
    pub fn dials_total(mut self, dials: usize) -> Self {
        self.dials_total = dials.max(1);
        self
    }

    /// Sets the largest head of a reply in bytes; at least 8 KiB.
    #[must_use]
    pub fn header_bytes(mut self, bytes: usize) -> Self {
        self.header_bytes = bytes.max(8 << 10);
        self
    }

    /// Sets the most header lines of a reply; at most 16384.
    #[must_use]
    pub const fn header_count(mut self, count: usize) -> Self {
        self.header_count = if count < HEADER_COUNT_MAX { count } else { HEADER_COUNT_MAX };
        self
    }

    /// Sets the largest body that `send()` keeps in memory; `None` switches it off.
    #[must_use]
    pub fn body_bytes(mut self, bytes: impl Into<Option<u64>>) -> Self {
        self.body_bytes = bytes.into();
        self
    }

    /// Sets how many times larger a decoded body may be than what was sent, streamed ones too;
    /// `None` switches it off.
    ///
    /// A body of up to 32 MiB may be as repetitive as it likes. Beyond that, content is not worth
    /// more than this; an attack that fills memory or disk is.
    #[must_use]
    pub fn decode_ratio(mut self, times: impl Into<Option<u32>>) -> Self {
        self.decode_ratio = times.into();
        self
    }
}

/// How much an HTTP/2 connection takes on.
#[cfg(feature = "http2")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Windows {
    /// Streams at once.
    pub(crate) streams: usize,
    /// Bytes that may have come and are not read yet, of one stream.
    pub(crate) stream: u32,
    /// The same of all of them. It is as large as theirs together, so that what one reader leaves
    /// never blocks another.
    pub(crate) connection: u32,
}

#[cfg(feature = "http2")]
impl Limits {
    pub(crate) fn windows(&self) -> Windows {
        let stream = u32::try_from(self.http2_stream_window).unwrap_or(WINDOW_MAX).min(WINDOW_MAX);
        let most = WINDOW_MAX / stream;
        let streams = u32::try_from(self.http2_streams_per_connection).unwrap_or(most).min(most);
        Windows { streams: streams as usize, stream, connection: stream * streams }
    }
}

/// What hyper has room for on the stack.
pub(crate) const HEADER_COUNT_OF_HYPER: usize = 100;
/// Well below what a map of headers has room for, above which it panics.
const HEADER_COUNT_MAX: usize = 16_384;
/// The largest window that there is (RFC 9113 §6.9.1).
const WINDOW_MAX: u32 = (1 << 31) - 1;

#[cfg(all(test, feature = "http2"))]
mod tests {
    use super::*;

    #[track_caller]
    fn check(window: usize, streams: usize, expected: (usize, u32, u32)) {
        let limits = Limits::default();
        let limits = limits.http2_stream_window(window).http2_streams_per_connection(streams);
        let Windows { streams, stream, connection } = limits.windows();
        assert_eq!((streams, stream, connection), expected);
    }

    #[test]
    fn rfc_9113_section_6_9_1_a_connection_has_room_for_the_windows_of_all_its_streams() {
        const MIB: u32 = 1 << 20;
        check(2 << 20, 100, (100, 2 * MIB, 200 * MIB));
        check(0, 0, (1, 64 << 10, 64 << 10));
        check(64 << 10, 1, (1, 64 << 10, 64 << 10));
        check((64 << 10) + 1, 3, (3, (64 << 10) + 1, 3 * ((64 << 10) + 1)));
        check(1 << 30, 1, (1, 1 << 30, 1 << 30));
        check(1 << 30, 2, (1, 1 << 30, 1 << 30));
        check(usize::MAX, 100, (1, WINDOW_MAX, WINDOW_MAX));
        check(64 << 10, usize::MAX, (32_767, 64 << 10, 32_767 << 16));
    }

    #[test]
    fn the_defaults_are_those_of_the_table() {
        let Windows { streams, stream, connection } = Limits::default().windows();
        assert_eq!((streams, stream, connection), (100, 2 << 20, 200 << 20));
    }
}
