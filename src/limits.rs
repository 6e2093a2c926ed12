//! Every limit in time and size, with its default.

use std::time::Duration;

use crate::phase::Budget;

/// The time budgets of a call; each is separate and can be switched off with `None`.
///
/// | budget | default | covers |
/// |---|---|---|
/// | `queue` | 30 s | waiting for a connection while all places are taken |
/// | `resolve` | 10 s | looking up the host's name |
/// | `connect` | 10 s | opening a TCP connection, all addresses of the name and the way through a proxy together |
/// | `tls` | 10 s | the TLS handshake |
/// | `first_byte` | 60 s | from the last byte sent to the head of the reply |
/// | `idle` | 60 s | between two bytes, while sending or receiving |
/// | `total` | off | the whole call, retries and body included: a deadline |
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
/// Those of connections can be set for one host too, see
/// [`HostOptions`](crate::HostOptions).
///
/// | limit | default | why |
/// |---|---|---|
/// | `places_per_route` | 64 | connections to one HTTP/1 origin, idle ones included: more than a server needs to be busy, few enough that a client is no nuisance |
/// | `http2_connections_per_route` | 8 | each carries up to 100 calls at once; more are opened when they are full, or to use more cores |
/// | `http2_cores_per_route` | half the processors | cores that the connections to one HTTP/2 origin may use up: one connection is one core at a time; the other half is for the threads that call |
/// | `places_total` | 256 | connections of the client, well below common limits of open files |
/// | `dials_per_route` | 16 | connections being opened to one origin: while these are, others become free, so that more at once cost a herd of threads more handshakes than they save, and a distant one a single round trip |
/// | `dials_total` | 128 | the same for the client: seven dead origins leave room for others |
/// | `header_bytes` | 256 KiB | head of a reply; also what informational (1xx) replies may take while it is awaited |
/// | `header_count` | 100 | header lines of a reply; more is seen only from servers that go wrong |
/// | `body_bytes` | 1 GiB | body that `send()` keeps in memory, as it came and decoded; streamed replies have no limit |
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
    /// Sets the most connections to one origin that speaks HTTP/1; at least 1.
    #[must_use]
    pub fn places_per_route(mut self, places: usize) -> Self {
        self.places_per_route = places.max(1);
        self
    }

    /// Sets the most connections to one origin that speaks HTTP/2; at least 1.
    #[must_use]
    pub fn http2_connections_per_route(mut self, connections: usize) -> Self {
        self.http2_connections_per_route = connections.max(1);
        self
    }

    /// Sets how many cores the connections to one origin that speaks HTTP/2 may use up; at least 1.
    ///
    /// What calls over one HTTP/2 connection receive is taken in by one thread. When that has had no
    /// idle moment for 200 ms and calls share the connection, another one is opened on another
    /// thread, if there are fewer than this and the other bounds allow it. Calls are then spread over
    /// them until fewer do for a second; those that are not needed any more close like other
    /// idle ones. Where the server is on the same machine, or callers do much with what they get, more
    /// than half the processors, the default, rarely helps.
    #[must_use]
    pub fn http2_cores_per_route(mut self, cores: usize) -> Self {
        self.http2_cores_per_route = Some(cores.max(1));
        self
    }

    /// Sets the most connections of the client; at least 1.
    #[must_use]
    pub fn places_total(mut self, places: usize) -> Self {
        self.places_total = places.max(1);
        self
    }

    /// Sets the most connections being opened to one origin at once; at least 1.
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

    /// Sets the most header lines of a reply.
    #[must_use]
    pub const fn header_count(mut self, count: usize) -> Self {
        self.header_count = count;
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

/// What hyper has room for on the stack.
pub(crate) const HEADER_COUNT_OF_HYPER: usize = 100;
