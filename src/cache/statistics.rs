//! What a cache tells of itself.

use std::{io, time::Duration};

use http::StatusCode;

use super::store::CacheHead;
use crate::{
    policy::cache::Now,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// What has become of the calls of a cache, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStatistics {
    /// Calls answered by a fresh reply, without asking.
    pub hits: u64,
    /// Calls answered by a stale reply, as they or the reply allowed.
    pub stale: u64,
    /// Calls answered by a stored reply that the server confirmed.
    pub revalidated: u64,
    /// Calls answered by the server.
    pub misses: u64,
    /// Calls that waited for another call's request for the same.
    pub waited: u64,
    /// Replies that were stored.
    pub stored: u64,
    /// Times that the store failed.
    pub failures: u64,
}

/// One of the events that are counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Counted {
    Hit,
    Stale,
    Revalidated,
    Miss,
    Waited,
    Stored,
}

#[derive(Default)]
pub(super) struct Counters {
    counts: [AtomicU64; 6],
    failures: AtomicU64,
    /// The last failure; held for a look or a change only.
    last: Mutex<Option<String>>,
}

impl Counters {
    pub(super) fn count(&self, what: Counted) {
        self.counts[what as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn fail(&self, doing: &str, error: &io::Error) {
        let message = format!("could not {doing}: {error}");
        let is_first = self.failures.fetch_add(1, Ordering::Relaxed) == 0;
        if is_first {
            tracing::warn!(%error, doing, "the cache does not work; calls go to the network");
        } else {
            tracing::debug!(%error, doing, "the cache failed");
        }
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(message);
    }

    pub(super) fn last_failure(&self) -> Option<String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn statistics(&self) -> CacheStatistics {
        let of = |what: Counted| self.counts[what as usize].load(Ordering::Relaxed);
        CacheStatistics {
            hits: of(Counted::Hit),
            stale: of(Counted::Stale),
            revalidated: of(Counted::Revalidated),
            misses: of(Counted::Miss),
            waited: of(Counted::Waited),
            stored: of(Counted::Stored),
            failures: self.failures.load(Ordering::Relaxed),
        }
    }
}

/// A stored reply, as [`Cache::entries`](super::Cache::entries) lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CachedReply {
    /// Without user information and fragment; its query may be a secret.
    pub url: String,
    /// The status of the reply.
    pub status: StatusCode,
    /// How long the body is, as it came over the wire.
    pub body_bytes: u64,
    /// How old the reply is.
    pub age: Duration,
    /// For how long it is still fresh; zero if it is stale.
    pub fresh_for: Duration,
}

impl CachedReply {
    pub(super) fn of(head: &CacheHead, body_bytes: u64, now: Now) -> Option<Self> {
        let head = head.reply()?;
        let lifetime = &head.lifetime;
        Some(Self {
            url: head.url.to_string(),
            status: head.status,
            body_bytes,
            age: Duration::from_millis(lifetime.age(now).unwrap_or(lifetime.initial_age)),
            fresh_for: Duration::from_millis(u64::try_from(lifetime.left(now)).unwrap_or(0)),
        })
    }
}
