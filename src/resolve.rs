//! How names become addresses.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    sync::Arc,
    time::Duration,
};

use crate::per_host::PerHost;

/// Looks up the addresses of a host name.
///
/// Runs on the client's resolver threads (16, and a few more while some are stuck), so it may
/// block; a look-up that takes longer than the `resolve` budget is given up by the calls that wait
/// for it. Answers are remembered as [`NameCache`] says.
pub trait Resolve: Send + Sync + 'static {
    /// Looks up `host`, a name without port; addresses come in order of preference.
    ///
    /// # Errors
    /// Whatever went wrong; it becomes the source of an error of kind
    /// [`Resolve`](crate::ErrorKind::Resolve). An empty list is an error too.
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// How long a client remembers what it found out about names.
///
/// | | default | why |
/// |---|---|---|
/// | `found` | 5 s | a burst of calls makes one look-up, and a host that moves is followed at once |
/// | `not_found` | 0 | the system does not tell a name that does not exist from a failure that is over in a moment; a retry must be able to find it |
///
/// The system's resolver tells no time to live, so it plays no part; and it may have a cache of its
/// own. Connections that are open are not looked up again. At most 1024 names are remembered.
/// Calls that need one name at the same time share one look-up, remembered or not.
///
/// ```
/// use std::time::Duration;
/// let cache = abide::NameCache::default().found(Duration::from_secs(60));
/// let client = abide::Client::builder().name_cache(cache).build()?;
/// # Ok::<(), abide::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameCache {
    pub(crate) found: Duration,
    pub(crate) not_found: Duration,
}

impl NameCache {
    /// Remembers nothing.
    #[must_use]
    pub const fn off() -> Self {
        Self { found: Duration::ZERO, not_found: Duration::ZERO }
    }

    /// Sets how long addresses are remembered; zero is not at all.
    #[must_use]
    pub const fn found(mut self, time: Duration) -> Self {
        self.found = time;
        self
    }

    /// Sets how long it is remembered that a look-up failed; zero is not at all.
    #[must_use]
    pub const fn not_found(mut self, time: Duration) -> Self {
        self.not_found = time;
        self
    }
}

impl Default for NameCache {
    fn default() -> Self {
        Self { found: Duration::from_secs(5), not_found: Duration::ZERO }
    }
}

/// What the user said about names.
#[derive(Clone, Debug)]
pub(crate) struct NameOptions {
    pub(crate) source: NameSource,
    pub(crate) cache: NameCache,
    /// Addresses of hosts that are not looked up; port 0 stands for the URL's.
    pub(crate) fixed: PerHost<Box<[SocketAddr]>>,
}

/// Who looks names up.
#[derive(Clone, Debug)]
pub(crate) enum NameSource {
    Given(Arc<dyn Resolve>),
    /// At these name servers, or at the system's if there are none.
    #[cfg(feature = "hickory")]
    Hickory {
        servers: Box<[SocketAddr]>,
    },
}

impl Default for NameOptions {
    fn default() -> Self {
        Self {
            source: NameSource::Given(Arc::new(SystemResolver)),
            cache: NameCache::default(),
            fixed: PerHost::default(),
        }
    }
}

/// The system's resolver, `getaddrinfo`.
#[derive(Clone, Copy)]
pub(crate) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
    }
}

impl fmt::Debug for dyn Resolve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolve")
    }
}
