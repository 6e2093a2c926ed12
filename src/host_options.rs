//! What is different for one host, and how long connections live.

use std::time::Duration;

use crate::{
    limits::Limits,
    origin::{Origin, Way},
    per_host::PerHost,
    threads::processors,
};

/// What is different for one host; what is not set is as for the client.
///
/// The bounds count for each of the host's routes on its own, see [`Limits`]. They are
/// about hosts that the client connects to: where plain `http` is asked of an HTTP proxy, those of the
/// proxy's host hold, and the host behind it has none.
///
/// ```
/// use abide::{Client, HostOptions};
/// let gentle = HostOptions::default().places(2).dials(1);
/// let client = Client::builder().host_options("tiles.example.org", gentle).build()?;
/// # Ok::<(), abide::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostOptions {
    places: Option<usize>,
    http2_connections: Option<usize>,
    http2_cores: Option<usize>,
    dials: Option<usize>,
    http2_prior_knowledge: Option<bool>,
}

impl HostOptions {
    /// Sets the most connections to an origin that speaks HTTP/1; at least 1.
    #[must_use]
    pub fn places(mut self, places: usize) -> Self {
        self.places = Some(places.max(1));
        self
    }

    /// Sets the most connections to an origin that speaks HTTP/2; at least 1.
    #[must_use]
    pub fn http2_connections(mut self, connections: usize) -> Self {
        self.http2_connections = Some(connections.max(1));
        self
    }

    /// Sets how many cores the connections to an origin that speaks HTTP/2 may use up; at least 1,
    /// see [`Limits::http2_cores_per_route`](crate::Limits::http2_cores_per_route).
    #[must_use]
    pub fn http2_cores(mut self, cores: usize) -> Self {
        self.http2_cores = Some(cores.max(1));
        self
    }

    /// Sets the most connections being opened at once; at least 1.
    #[must_use]
    pub fn dials(mut self, dials: usize) -> Self {
        self.dials = Some(dials.max(1));
        self
    }

    /// Says whether plain `http` to this host is HTTP/2 from the first byte
    /// (RFC 9113 §3.3); see also
    /// [`ClientBuilder::http2_prior_knowledge`](crate::ClientBuilder::http2_prior_knowledge).
    #[cfg(feature = "http2")]
    #[must_use]
    pub const fn http2_prior_knowledge(mut self, knows: bool) -> Self {
        self.http2_prior_knowledge = Some(knows);
        self
    }
}

/// What the user said about connections.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionOptions {
    pub(crate) hosts: PerHost<HostOptions>,
    pub(crate) lifespan: Lifespan,
    pub(crate) http2_prior_knowledge: bool,
    pub(crate) http2_pings: Pings,
}

/// The bounds of one route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RouteBounds {
    pub(crate) places: usize,
    pub(crate) http2_connections: usize,
    pub(crate) http2_cores: usize,
    pub(crate) dials: usize,
}

/// When a connection ends though nothing is wrong with it; `None` is never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lifespan {
    /// Without a call for so long.
    pub(crate) idle_max: Option<Duration>,
    /// So long after it was opened, calls that it carries then excepted.
    pub(crate) age_max: Option<Duration>,
    /// After so many calls.
    pub(crate) uses_max: Option<u64>,
}

impl Default for Lifespan {
    fn default() -> Self {
        Self { idle_max: Some(Duration::from_secs(90)), age_max: None, uses_max: None }
    }
}

/// How a silent HTTP/2 connection is found to be dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pings {
    /// With calls on it and no byte for so long it is asked by a PING; `None` is never.
    pub(crate) interval: Option<Duration>,
    /// Without an answer for so long it is closed.
    pub(crate) patience: Duration,
}

impl Default for Pings {
    fn default() -> Self {
        Self { interval: Some(Duration::from_secs(15)), patience: Duration::from_secs(10) }
    }
}

impl ConnectionOptions {
    pub(crate) fn bounds(&self, origin: &Origin, limits: &Limits) -> RouteBounds {
        let own = self.hosts.get(origin).copied().unwrap_or_default();
        RouteBounds {
            places: own.places.unwrap_or(limits.places_per_route),
            http2_connections: own.http2_connections.unwrap_or(limits.http2_connections_per_route),
            http2_cores: (own.http2_cores.or(limits.http2_cores_per_route))
                .unwrap_or_else(|| (processors() / 2).max(1)),
            dials: own.dials.unwrap_or(limits.dials_per_route),
        }
    }

    /// Whether an origin is spoken to in HTTP/2 without asking it (RFC 9113 §3.3).
    pub(crate) fn knows_http2(&self, way: &Way) -> bool {
        let own = self.hosts.get(&way.origin).and_then(|own| own.http2_prior_knowledge);
        // What a proxy speaks that is asked to forward, nobody knows before.
        let is_plain = !way.origin.secure && way.forwarder().is_none();
        is_plain && own.unwrap_or(self.http2_prior_knowledge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(url: &str) -> Origin {
        Origin::of(&url.parse().expect("a URL")).expect("an origin")
    }

    fn options(host: &str, own: HostOptions) -> ConnectionOptions {
        let mut options = ConnectionOptions::default();
        options.hosts.set(host, own).expect("a host");
        options
    }

    #[test]
    fn a_host_has_its_own_bounds_and_the_clients_for_the_rest() {
        let options = options("a:81", HostOptions::default().places(2).http2_cores(3).dials(0));
        let limits = Limits::default().places_per_route(5).http2_connections_per_route(6);
        let limits = limits.http2_cores_per_route(4);
        let bounds = |url| {
            let RouteBounds { places, http2_connections, http2_cores, dials } =
                options.bounds(&origin(url), &limits);
            (places, http2_connections, http2_cores, dials)
        };
        assert_eq!(bounds("http://a:81/path"), (2, 6, 3, 1));
        assert_eq!(bounds("http://a/"), (5, 6, 4, 16));
    }

    #[cfg(feature = "http2")]
    #[test]
    fn rfc_9113_section_3_3_only_plain_origins_are_known_to_speak_http2() {
        let way = |url| Way::to(origin(url), None);
        let mut options = options("old", HostOptions::default().http2_prior_knowledge(false));
        options.http2_prior_knowledge = true;
        assert!(options.knows_http2(&way("http://new/")));
        assert!(!options.knows_http2(&way("http://old/")));
        assert!(!options.knows_http2(&way("https://new/")));
        let proxy = |url| Some(crate::proxy::Proxy::new(url).expect("a proxy"));
        let through = |url| Way::to(origin("http://new/"), proxy(url));
        assert!(options.knows_http2(&through("socks5://p")));
        assert!(!options.knows_http2(&through("http://p")));
    }
}
