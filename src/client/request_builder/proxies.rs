//! What a request is told about its proxy.

use super::RequestBuilder;
use crate::{proxy::Proxy, proxy_config::ProxyChoice};

impl RequestBuilder<'_> {
    /// Sends the call, and every hop of it, through this proxy, whatever the client's rules say.
    ///
    /// Connections are not shared with calls that go another way or with other credentials. A
    /// header `Proxy-Authorization` of the call is said to its HTTP proxy, in place of the proxy's
    /// credentials, when a tunnel is asked for too; it is never sent to an origin.
    ///
    /// # Examples
    /// ```no_run
    /// let proxy = abide::Proxy::new("http://proxy.example:3128")?;
    /// let reply = abide::client().get("https://example.com/").proxy(&proxy).send()?;
    /// assert_eq!(reply.proxy(), Some(&proxy));
    /// # Ok::<(), abide::Error>(())
    /// ```
    pub fn proxy(self, proxy: &Proxy) -> Self {
        self.change(|request| {
            request.proxy = ProxyChoice::Through(proxy.clone());
            Ok(())
        })
    }

    /// Sends the call, and every hop of it, without a proxy, whatever the client's rules say.
    pub fn no_proxy(self) -> Self {
        self.change(|request| {
            request.proxy = ProxyChoice::Direct;
            Ok(())
        })
    }
}
