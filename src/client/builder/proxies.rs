//! Options about proxies.

use super::ClientBuilder;
use crate::proxy_config::ProxyConfig;

impl ClientBuilder {
    /// Sets which proxy is used for what; by default the environment says so, as for curl.
    ///
    /// Takes a [`Proxy`](crate::Proxy), which is then used for everything, or a [`ProxyConfig`].
    /// Either replaces what the environment says; see [`ProxyConfig::from_environment`].
    ///
    /// # Examples
    /// ```
    /// let proxy = abide::Proxy::new("socks5h://localhost:9050")?;
    /// let client = abide::Client::builder().proxy(proxy).build()?;
    /// # Ok::<(), abide::Error>(())
    /// ```
    pub fn proxy(mut self, proxy: impl Into<ProxyConfig>) -> Self {
        self.config.proxies = proxy.into();
        self
    }

    /// Uses no proxy, whatever the environment says.
    pub fn no_proxy(self) -> Self {
        self.proxy(ProxyConfig::none())
    }
}
