//! What calls ask of the cache, and what their replies tell of it.

use std::{fmt, time::Duration};

/// How a call uses the cache of its client.
///
/// Given per call by [`RequestBuilder::cache_mode`](crate::RequestBuilder::cache_mode) and for all
/// calls of a client by [`ClientBuilder::cache_mode`](crate::ClientBuilder::cache_mode). Directives
/// of the request's own `Cache-Control` (RFC 9111 §5.2.1) are obeyed as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CacheMode {
    /// By the rules of RFC 9111: what is fresh is used, what is stale is validated first.
    #[default]
    Default,
    /// Asks the server, and all caches on the way, for a fresh reply and stores that.
    ///
    /// Sends `Cache-Control: no-cache` and `Pragma: no-cache`, unless the request has a
    /// `Cache-Control` of its own.
    ForceRefresh,
    /// Uses what is stored only if the server confirms it.
    ///
    /// Sends `Cache-Control: max-age=0`, unless the request has a `Cache-Control` of its own. What
    /// is fresh and `immutable` (RFC 8246) needs no confirmation.
    Revalidate,
    /// Uses what is stored however old it is, even if its server wants it validated; asks only if
    /// there is nothing.
    PreferCache,
    /// Never asks the server: what may not be used as it is gives a reply of status 504.
    ///
    /// With `Cache-Control: max-stale` in the request, what is stale may be used too.
    OnlyIfCached,
    /// Neither uses nor stores anything.
    NoStore,
}

/// Where a reply came from, as its cache saw it.
///
/// [`Reply::cache`](crate::Reply::cache) has it if the client has a cache. The same is told, in the
/// form of RFC 9211, by the last element of the reply's `Cache-Status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheReport {
    pub(crate) outcome: CacheOutcome,
    pub(crate) forwarded: Option<Forwarded>,
    /// What the server answered when the reply itself was stored before.
    pub(crate) forward_status: Option<u16>,
    /// Milliseconds.
    pub(crate) age: Option<u64>,
    /// Milliseconds; negative if it is stale.
    pub(crate) fresh_for: Option<i64>,
    pub(crate) stored: Option<Result<(), NotStored>>,
}

/// Whether a reply was stored before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CacheOutcome {
    /// It was, and was fresh; nobody was asked.
    Hit,
    /// It was, and the server confirmed it.
    Revalidated,
    /// It was, and was stale: the request, the mode, or the reply's own directives allow that.
    Stale,
    /// It was not: this is what the server answered.
    Miss,
}

/// Why a request went to the server (RFC 9211 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Forwarded {
    /// The cache was told to stay out of it.
    Bypass,
    /// Its method is not answered from a cache.
    Method,
    /// There was nothing for the URL.
    UriMiss,
    /// There was a reply for the URL, but to a request with other header fields.
    VaryMiss,
    /// There was a fresh reply, but the request wants a fresher one.
    Request,
    /// There was a reply that is no longer fresh.
    Stale,
}

/// Why a reply was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotStored {
    /// Replies to this method are not stored.
    Method,
    /// The request, or the mode of the call, forbids it.
    ByRequest,
    /// The reply forbids it: `no-store`.
    ByReply,
    /// Replies with this status are not stored, or only if they say for how long they are fresh.
    Status,
    /// `Vary: *`: no other request could be answered with it.
    VariesOnEverything,
    /// It is larger than the cache keeps.
    TooLarge,
    /// Its body was not received to the end.
    Incomplete,
    /// A request that changes the resource was answered meanwhile.
    Overtaken,
    /// The store failed: no space, no permission; `Cache::last_failure` says more.
    StoreFailed,
}

impl CacheReport {
    /// Of a call that must not ask and finds nothing.
    pub(crate) const fn nothing() -> Self {
        Self {
            outcome: CacheOutcome::Miss,
            forwarded: None,
            forward_status: None,
            age: None,
            fresh_for: None,
            stored: None,
        }
    }

    pub(crate) const fn forwarded_as(forwarded: Forwarded) -> Self {
        Self { forwarded: Some(forwarded), ..Self::nothing() }
    }

    /// Whether the reply was stored before.
    #[must_use]
    pub const fn outcome(&self) -> CacheOutcome {
        self.outcome
    }

    /// Whether no server was asked.
    #[must_use]
    pub const fn is_hit(&self) -> bool {
        self.forwarded.is_none() && !matches!(self.outcome, CacheOutcome::Miss)
    }

    /// Why the server was asked, if it was.
    #[must_use]
    pub const fn forwarded(&self) -> Option<Forwarded> {
        self.forwarded
    }

    /// How old a stored reply is, counted from when its server made it.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.age.map(Duration::from_millis)
    }

    /// For how long a stored reply is still fresh; zero if it is stale.
    #[must_use]
    pub fn fresh_for(&self) -> Option<Duration> {
        let left = self.fresh_for?;
        Some(Duration::from_millis(u64::try_from(left).unwrap_or(0)))
    }

    /// What is left of the lifetime when the whole seconds of the age are taken from it; not less
    /// than a lifetime can be long.
    pub(crate) fn seconds_left(&self) -> Option<i64> {
        let left = self.fresh_for?;
        let seconds = left.div_euclid(1000) + i64::from(left.rem_euclid(1000) > 0);
        Some(seconds.max(-(1 << 31)))
    }

    /// Whether what the server answered was stored; of a streamed reply known when it has ended.
    #[must_use]
    pub const fn is_stored(&self) -> bool {
        matches!(self.stored, Some(Ok(())))
    }

    /// Why what the server answered was not stored, if it was not.
    #[must_use]
    pub const fn not_stored(&self) -> Option<NotStored> {
        match self.stored {
            Some(Err(why)) => Some(why),
            _ => None,
        }
    }
}

/// The element of `Cache-Status` (RFC 9211 §2).
impl fmt::Display for CacheReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("abide")?;
        if self.is_hit() {
            f.write_str("; hit")?;
        }
        if let Some(forwarded) = self.forwarded {
            write!(f, "; fwd={}", forwarded.token())?;
        }
        if let Some(status) = self.forward_status {
            write!(f, "; fwd-status={status}")?;
        }
        if let Some(seconds) = self.seconds_left() {
            write!(f, "; ttl={seconds}")?;
        }
        if self.is_stored() {
            f.write_str("; stored")?;
        }
        Ok(())
    }
}

impl Forwarded {
    const fn token(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Request => "request",
            Self::Stale => "stale",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9211_2_the_report_is_an_element_of_cache_status() {
        let miss = CacheReport::forwarded_as(Forwarded::UriMiss);
        assert_eq!(miss.to_string(), "abide; fwd=uri-miss");
        let stored = CacheReport { stored: Some(Ok(())), ..miss };
        assert_eq!(stored.to_string(), "abide; fwd=uri-miss; stored");
        let hit = CacheReport {
            outcome: CacheOutcome::Hit,
            forwarded: None,
            age: Some(1_500),
            fresh_for: Some(58_500),
            ..miss
        };
        assert_eq!(hit.to_string(), "abide; hit; ttl=59");
        let stale = CacheReport { outcome: CacheOutcome::Stale, fresh_for: Some(-1_500), ..hit };
        assert_eq!(stale.to_string(), "abide; hit; ttl=-1");
        assert_eq!(stale.fresh_for(), Some(Duration::ZERO));
        let unknown = CacheReport { fresh_for: Some(i64::MIN), ..stale };
        assert_eq!(unknown.to_string(), "abide; hit; ttl=-2147483648");
        let confirmed = CacheReport {
            outcome: CacheOutcome::Revalidated,
            forward_status: Some(304),
            ..CacheReport::forwarded_as(Forwarded::Stale)
        };
        assert_eq!(confirmed.to_string(), "abide; fwd=stale; fwd-status=304");
        assert!(hit.is_hit() && stale.is_hit() && !confirmed.is_hit() && !miss.is_hit());
    }
}
