//! What a client is told about its cache.

use super::ClientBuilder;
use crate::{cache::Cache, caching::CacheMode};

impl ClientBuilder {
    /// Keeps replies, and answers later calls with them; without this nothing is kept.
    ///
    /// ```
    /// use abide::{Cache, Client};
    /// let client = Client::builder().cache(Cache::memory(64 << 20)).build()?;
    /// # Ok::<(), abide::Error>(())
    /// ```
    pub fn cache(mut self, cache: Cache) -> Self {
        self.caching.cache = Some(cache);
        self
    }

    /// Sets how calls use the cache that do not say; by the rules of RFC 9111 by default.
    pub fn cache_mode(mut self, mode: CacheMode) -> Self {
        self.caching.mode = mode;
        self
    }
}
