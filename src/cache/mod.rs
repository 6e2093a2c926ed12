//! Where replies are kept: the stores, the keys, and what many calls share about them.
//!
//! The rules are in `policy/cache/` and the walk of a call in `call/cached.rs`; here is what they
//! use. `store.rs` says what a store has to do, `lookup.rs` how a reply is found, `saving.rs` how
//! it gets there, `flights.rs` how many calls that miss the same make one request. No lock is held
//! while a store works.

mod clock;
#[cfg(feature = "disk-cache")]
mod disk;
mod flights;
mod keys;
mod layered;
mod lookup;
mod memory;
mod saving;
mod statistics;
mod store;

use std::{fmt, io, sync::OnceLock};

use url::Url;

pub use self::{
    clock::Clock,
    statistics::{CacheStatistics, CachedReply},
    store::{
        CacheBody, CacheEntry, CacheHead, CacheKey, CacheReader, CacheStore, CacheUsage,
        CacheWriter,
    },
};
use self::{
    clock::SystemClock, flights::Flights, keys::Keys, layered::LayeredStore, memory::MemoryStore,
    saving::Epochs, statistics::Counters,
};
pub(crate) use self::{
    flights::{Landed, Leader, Turn},
    keys::Owner,
    lookup::{Found, Lookup, Sought, StoredHead},
    saving::{Begun, Epoch, Saving, Times},
    statistics::Counted,
};
use crate::{
    error::{Error, ErrorKind, Result},
    policy::cache::Now,
    sync::Arc,
};

/// A private cache of replies (RFC 9111): in memory, in a folder, or both.
///
/// Given to a client by [`ClientBuilder::cache`](crate::ClientBuilder::cache); without that a
/// client has none. A clone is the same cache, and one cache may serve several clients.
///
/// What a reply's headers allow is stored, as it came over the wire, and answers later calls of
/// any thread. What is fresh costs no request and crosses no thread; what is stale is validated.
/// A reply without a lifetime of its own is fresh for a tenth of the time since `Last-Modified`, a
/// week at most (RFC 9111 §4.2.2), and without that always validated. A reply to a request with
/// credentials only ever answers requests with the same ones. Many calls that miss the same at once
/// make one request and share its reply.
///
/// A cache never makes a call fail: if the store fails, the call goes to the network, and
/// [`last_failure`](Self::last_failure) tells.
///
/// ```
/// use abide::{Cache, Client};
/// let client = Client::builder().cache(Cache::memory(64 << 20)).build()?;
/// # Ok::<(), abide::Error>(())
/// ```
#[derive(Clone)]
pub struct Cache(Arc<Shared>);

struct Shared {
    store: Arc<dyn CacheStore>,
    clock: Arc<dyn Clock>,
    keys: OnceLock<Keys>,
    flights: Arc<Flights>,
    epochs: Epochs,
    counters: Counters,
}

impl Cache {
    /// A cache of at most so many bytes in memory, heads and overhead included.
    ///
    /// A body larger than about an eighth of it is not kept. What is used again survives what is
    /// used once, however much of that there is.
    #[must_use]
    pub fn memory(bytes: u64) -> Self {
        Self::store(MemoryStore::new(bytes))
    }

    /// A cache of at most so many bytes in a folder, which is made when it is needed.
    ///
    /// Several processes may use the folder at once; each keeps the bound, give or take an eighth.
    /// What was not used for longest is removed first. A crash loses at most what is being
    /// written, and a damaged file is a miss. The folder is for its owner alone; what is in it is
    /// not encrypted. A body larger than half the bound is not kept; a large one is never in
    /// memory as a whole.
    #[cfg(feature = "disk-cache")]
    #[must_use]
    pub fn disk(path: impl Into<std::path::PathBuf>, bytes: u64) -> Self {
        Self::store(disk::DiskStore::new(path.into(), bytes))
    }

    /// A cache in a store of one's own.
    #[must_use]
    pub fn store(store: impl CacheStore) -> Self {
        Self::new(Arc::new(store), Arc::new(SystemClock))
    }

    /// Keeps what is used often in at most so many bytes of memory as well.
    ///
    /// ```
    /// # #[cfg(feature = "disk-cache")] {
    /// let cache = abide::Cache::disk("/var/cache/surveyor", 1 << 30).memory_in_front(32 << 20);
    /// # }
    /// ```
    #[must_use]
    pub fn memory_in_front(self, bytes: u64) -> Self {
        let layered = LayeredStore::new(MemoryStore::new(bytes), Arc::clone(&self.0.store));
        Self::new(Arc::new(layered), Arc::clone(&self.0.clock))
    }

    /// Has another clock tell the time.
    #[must_use]
    pub fn clock(self, clock: impl Clock) -> Self {
        Self::new(Arc::clone(&self.0.store), Arc::new(clock))
    }

    fn new(store: Arc<dyn CacheStore>, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared {
            store,
            clock,
            keys: OnceLock::new(),
            flights: Arc::default(),
            epochs: Epochs::default(),
            counters: Counters::default(),
        }))
    }

    /// How many replies are stored, and how many bytes they take; looks at each file on disk.
    ///
    /// # Errors
    /// Kind [`Internal`](ErrorKind::Internal) if the store cannot tell.
    pub fn usage(&self) -> Result<CacheUsage> {
        self.0.store.usage().map_err(|error| failed("its size be told", error))
    }

    /// What is stored, in any order.
    ///
    /// # Errors
    /// Kind [`Internal`](ErrorKind::Internal) if the store cannot be read.
    pub fn entries(&self) -> Result<Vec<CachedReply>> {
        let now = self.now();
        let mut entries = Vec::new();
        let mut add = |_, head: &CacheHead, body| {
            entries.extend(CachedReply::of(head, body, now));
        };
        self.0.store.visit(&mut add).map_err(|error| failed("its entries be listed", error))?;
        Ok(entries)
    }

    /// Removes all replies for a URL, to whomever; user information and fragment do not matter.
    ///
    /// # Errors
    /// Kind [`InvalidRequest`](ErrorKind::InvalidRequest) if that is no URL,
    /// [`Internal`](ErrorKind::Internal) if something may still be there.
    pub fn remove(&self, url: impl AsRef<str>) -> Result<()> {
        let url = Url::parse(url.as_ref()).map_err(|error| {
            Error::invalid("what is to be removed from the cache is no URL").because(error)
        })?;
        let shown = keys::shown(&url);
        let mut keys = Vec::new();
        let mut collect = |key, head: &CacheHead, _| {
            if head.url() == &*shown {
                keys.push(key);
            }
        };
        self.0
            .store
            .visit(&mut collect)
            .and_then(|()| keys.into_iter().try_for_each(|key| self.discard(key)))
            .map_err(|error| failed("a reply be removed", error))
    }

    /// Removes everything.
    ///
    /// # Errors
    /// Kind [`Internal`](ErrorKind::Internal) if something may still be there.
    pub fn clear(&self) -> Result<()> {
        self.0.epochs.advance_all();
        self.0.store.clear().map_err(|error| failed("it be cleared", error))
    }

    /// What has become of calls, since the cache was made.
    #[must_use]
    pub fn statistics(&self) -> CacheStatistics {
        self.0.counters.statistics()
    }

    /// Why the store failed last, if it ever did.
    #[must_use]
    pub fn last_failure(&self) -> Option<String> {
        self.0.counters.last_failure()
    }

    pub(crate) fn now(&self) -> Now {
        clock::now(&*self.0.clock)
    }

    pub(crate) fn count(&self, what: Counted) {
        self.0.counters.count(what);
    }

    pub(crate) fn flights(&self) -> &Arc<Flights> {
        &self.0.flights
    }

    /// Notes a failure of the store; the first of its kind is told to the user.
    fn note_failure(&self, doing: &str, error: &io::Error) {
        self.0.counters.fail(doing, error);
    }

    fn discard(&self, key: CacheKey) -> io::Result<()> {
        self.0.epochs.advance(key);
        self.0.store.remove(key)
    }
}

#[cold]
fn failed(what: &str, error: io::Error) -> Error {
    Error::new(ErrorKind::Internal, format!("the cache did not let {what}")).because(error)
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("statistics", &self.statistics()).finish_non_exhaustive()
    }
}
