//! The cache of a client, and what calls are told about it.

use super::{Client, OpenReply, RequestBuilder};
use crate::{
    cache::Cache,
    caching::{CacheMode, CacheReport},
};

impl Client {
    /// The client's cache, to look into it and to take care of it.
    ///
    /// ```
    /// # use abide::{Cache, Client};
    /// # let client = Client::builder().cache(Cache::memory(64 << 20)).build()?;
    /// if let Some(cache) = client.cache() {
    ///     cache.remove("http://localhost:8080/capabilities")?;
    ///     println!("{} bytes in use", cache.usage()?.bytes);
    /// }
    /// # Ok::<(), abide::Error>(())
    /// ```
    #[must_use]
    pub fn cache(&self) -> Option<&Cache> {
        self.shared.means.caching().cache.as_ref()
    }
}

impl RequestBuilder<'_> {
    /// Sets how the call uses the client's cache; as the client says by default.
    ///
    /// ```no_run
    /// # use abide::{Cache, CacheMode, Client};
    /// # let client = Client::builder().cache(Cache::memory(64 << 20)).build()?;
    /// let reply = client
    ///     .get("http://localhost:8080/capabilities")
    ///     .cache_mode(CacheMode::ForceRefresh)
    ///     .send()?;
    /// # Ok::<(), abide::Error>(())
    /// ```
    pub fn cache_mode(self, mode: CacheMode) -> Self {
        self.change(|request| {
            request.cache_mode = Some(mode);
            Ok(())
        })
    }
}

impl OpenReply {
    /// Where the reply came from, if the client has a cache; whether it was stored is known when
    /// its body was read to the end.
    #[must_use]
    pub fn cache(&self) -> Option<CacheReport> {
        let parts = self.parts();
        let mut report = parts.head.answer.cache?;
        report.stored = parts.body.stored().or(report.stored);
        Some(report)
    }
}
