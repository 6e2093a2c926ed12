//! Options about names: who looks them up, what is remembered, and what need not be asked.

use std::{net::SocketAddr, sync::Arc};

use super::ClientBuilder;
use crate::{
    error::Error,
    resolve::{NameCache, NameSource, Resolve},
};

impl ClientBuilder {
    /// Sets who looks names up; the system by default.
    pub fn resolver(mut self, resolver: impl Resolve) -> Self {
        self.config.names.source = NameSource::Given(Arc::new(resolver));
        self
    }

    /// Sets how long names are remembered; addresses for 5 s by default, failures not at all.
    pub fn name_cache(mut self, cache: NameCache) -> Self {
        self.config.names.cache = cache;
        self
    }

    /// Sets the addresses of a host, which is then not looked up.
    ///
    /// The host is written as in a URL; with a port (`"api.example:8443"`) only URLs with that port
    /// are meant. An address with port 0 is called at the URL's port, another at its own. They are
    /// tried in the order given, IPv6 and IPv4 in turn. Nothing else changes: `Host`, TLS and
    /// cookies know the name only. A second call for the same host replaces the first.
    ///
    /// # Errors
    /// [`build`](Self::build) refuses what is no host, and an empty list.
    ///
    /// # Examples
    /// ```
    /// use std::net::{Ipv4Addr, SocketAddr};
    /// let client = abide::Client::builder()
    ///     .resolve_to("api.example", [SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))])
    ///     .build()?;
    /// # Ok::<(), abide::Error>(())
    /// ```
    pub fn resolve_to(self, host: &str, addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        let addresses: Box<[SocketAddr]> = addresses.into_iter().collect();
        self.change(|config| {
            if addresses.is_empty() {
                return Err(Error::invalid(format!("`resolve_to` got no address for `{host}`")));
            }
            config.names.fixed.set(host, addresses)
        })
    }
}
