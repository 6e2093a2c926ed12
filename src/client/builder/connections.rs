//! Options about connections: how many to whom, how long they live, what they speak.

use std::time::Duration;

use super::ClientBuilder;
use crate::host_options::HostOptions;
#[cfg(feature = "http2")]
use crate::host_options::Pings;

impl ClientBuilder {
    /// Sets what is different for one host: bounds, and what it speaks.
    ///
    /// The host is written as in a URL; with a port (`"api.example:8443"`) only URLs with that port
    /// are meant. A second call for the same host replaces the first.
    ///
    /// # Errors
    /// [`build`](Self::build) refuses what is no host.
    ///
    /// # Examples
    /// ```
    /// use abide::{Client, HostOptions};
    /// let client = Client::builder()
    ///     .host_options("busy.example", HostOptions::default().places(200))
    ///     .host_options("gentle.example:8080", HostOptions::default().places(2))
    ///     .build()?;
    /// # Ok::<(), abide::Error>(())
    /// ```
    pub fn host_options(mut self, host: &str, options: HostOptions) -> Self {
        if let Err(error) = self.config.connections.hosts.set(host, options) {
            self.error.get_or_insert(error);
        }
        self
    }

    /// Sets how long a connection may be idle; 90 s by default, `None` is for ever.
    pub fn idle_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.config.connections.lifespan.idle_max = limit.into();
        self
    }

    /// Sets how old a connection may be; for ever (`None`) by default, since servers have limits
    /// of their own.
    ///
    /// An older one takes no more calls and is closed as soon as it carries none. With a limit,
    /// calls follow a name to its new addresses though connections are never idle for long.
    pub fn connection_lifetime(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.config.connections.lifespan.age_max = limit.into();
        self
    }

    /// Sets how many calls a connection may carry; any number (`None`) by default.
    ///
    /// A few more than a server allows would meet connections that it is about to close.
    pub fn connection_uses(mut self, limit: impl Into<Option<u64>>) -> Self {
        self.config.connections.lifespan.uses_max = limit.into();
        self
    }

    /// Speaks HTTP/2 from the first byte to servers of plain `http` (RFC 9113 §3.3).
    ///
    /// They must be known to understand it. Servers of `https` are asked in the TLS handshake.
    /// [`HostOptions::http2_prior_knowledge`] says so for one host.
    #[cfg(feature = "http2")]
    pub const fn http2_prior_knowledge(mut self) -> Self {
        self.config.connections.http2_prior_knowledge = true;
        self
    }

    /// Sets how dead HTTP/2 connections are found; after 15 s, and 10 s more, by default.
    ///
    /// When calls wait and nothing has come for `interval`, new calls avoid the connection and the
    /// server is asked by a PING (RFC 9113 §6.7). When it does not answer within `patience` the
    /// connection is closed; its calls fail, or are sent again where that is safe. Idle connections
    /// are not asked. `None` switches it off.
    #[cfg(feature = "http2")]
    pub fn http2_keep_alive(
        mut self,
        interval: impl Into<Option<Duration>>,
        patience: Duration,
    ) -> Self {
        let interval = interval.into();
        self.config.connections.http2_pings = Pings { interval, patience };
        self
    }
}
