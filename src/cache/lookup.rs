//! Finding the stored reply that a request selects.

use std::io;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header::COOKIE};
use url::Url;

use super::{
    Cache,
    keys::{self, Keys, Owner},
    store::{CacheBody, CacheEntry, CacheHead, CacheKey},
};
use crate::{
    caching::Forwarded,
    policy::cache::{Fields, Head},
};

/// What is asked, as far as keys are concerned.
#[derive(Clone, Copy)]
pub(crate) struct Sought<'r> {
    pub(crate) url: &'r Url,
    pub(crate) owner: Owner,
    /// The host that the request names itself.
    pub(crate) host: Option<&'r HeaderValue>,
    pub(crate) request: &'r dyn Fields,
}

/// What was found, and where.
pub(crate) struct Lookup {
    /// Of the URL.
    pub(crate) key: CacheKey,
    /// What the replies of the URL vary on, if they do.
    pub(super) signpost: Option<CacheHead>,
    pub(crate) found: Result<Found, Forwarded>,
}

/// A stored reply that the request selects.
pub(crate) struct Found {
    pub(super) key: CacheKey,
    pub(crate) stored: StoredHead,
    pub(crate) body: CacheBody,
}

/// The head of a stored reply.
#[derive(Clone)]
pub(crate) struct StoredHead(CacheHead);

impl StoredHead {
    /// `None` for what is no reply.
    pub(super) fn of(head: CacheHead) -> Option<Self> {
        head.reply().is_some().then_some(Self(head))
    }

    /// The fields of a reply that is served so many seconds old and fresh for so many; made once a
    /// second.
    pub(crate) fn served(
        &self,
        age: u64,
        left: Option<i64>,
        make: impl FnOnce() -> HeaderMap,
    ) -> std::sync::Arc<HeaderMap> {
        self.0.served((age, left), make)
    }
}

impl std::ops::Deref for StoredHead {
    type Target = Head;

    #[expect(clippy::expect_used, reason = "looked at when it is made")]
    fn deref(&self) -> &Head {
        self.0.reply().expect("only the head of a reply is made a `StoredHead`")
    }
}

impl Found {
    /// The same with a head that is not stored.
    pub(crate) fn with(self, head: Head) -> Self {
        Self { stored: StoredHead(CacheHead::of_reply(head)), ..self }
    }

    /// The same for one who does not need the body.
    pub(crate) fn without_body(&self) -> Self {
        let body = CacheBody::Whole(Bytes::new());
        Self { key: self.key, stored: self.stored.clone(), body }
    }

    pub(crate) fn into_body(self) -> (CacheKey, CacheBody) {
        (self.key, self.body)
    }
}

impl Cache {
    /// Looks for the reply that a request selects; `None` if the store cannot be used.
    pub(crate) fn look_up(&self, sought: Sought<'_>) -> Option<Lookup> {
        self.try_look_up(sought).inspect_err(|error| self.note_failure("read", error)).ok()
    }

    fn try_look_up(&self, sought: Sought<'_>) -> io::Result<Lookup> {
        let keys = self.keys()?;
        let key = keys.of_url(sought.url, sought.owner, sought.host);
        let Some(entry) = self.0.store.get(key)? else {
            return Ok(Lookup { key, signpost: None, found: Err(Forwarded::UriMiss) });
        };
        let Some(signpost) = entry.head.signpost() else {
            // What stands here answers those without credentials.
            let found = if has_credentials(sought.request) {
                Err(Forwarded::VaryMiss)
            } else {
                self.checked(key, entry, sought.url)
            };
            return Ok(Lookup { key, signpost: None, found });
        };
        let variant = keys.of_variant(key, signpost, sought.request);
        let found = match self.0.store.get(variant)? {
            Some(entry) => self.checked(variant, entry, sought.url),
            None => Err(Forwarded::VaryMiss),
        };
        Ok(Lookup { key, signpost: Some(entry.head), found })
    }

    /// Whatever a store returns, it must be a reply of that URL.
    fn checked(&self, key: CacheKey, entry: CacheEntry, url: &Url) -> Result<Found, Forwarded> {
        let CacheEntry { head, body } = entry;
        match StoredHead::of(head) {
            Some(stored) if keys::is_shown_as(url, &stored.url) => Ok(Found { key, stored, body }),
            _ => Err(Forwarded::UriMiss),
        }
    }

    /// The key under which calls that may share the reply meet.
    pub(crate) fn flight_key(&self, lookup: &Lookup, sought: Sought<'_>) -> Option<CacheKey> {
        let names = secrets(sought.request);
        if names.is_empty() {
            return Some(lookup.key);
        }
        self.keys().ok().map(|keys| keys.of_flight(lookup.key, &names, sought.request))
    }

    /// Forgets the replies to a URL, since it has changed.
    pub(crate) fn invalidate(&self, url: &Url, owner: Owner, host: Option<&HeaderValue>) {
        let removed = self.keys().and_then(|keys| self.discard(keys.of_url(url, owner, host)));
        if let Err(error) = removed {
            self.note_failure("forget", &error);
        }
    }

    /// Forgets a stored reply whose body cannot be read.
    pub(crate) fn note_damage(&self, key: CacheKey, error: &io::Error) {
        self.note_failure("read", error);
        if let Err(error) = self.0.store.remove(key) {
            self.note_failure("forget", &error);
        }
    }

    /// Forgets one stored reply.
    pub(crate) fn forget(&self, found: &Found) {
        if let Err(error) = self.0.store.remove(found.key) {
            self.note_failure("forget", &error);
        }
    }

    /// Replaces the head of a stored reply by news of it.
    pub(crate) fn update(&self, found: Found, head: Head) -> Found {
        let found = found.with(head);
        if let Err(error) = self.0.store.update(found.key, &found.stored.0) {
            self.note_failure("update", &error);
            // Its old head would be believed again.
            self.forget(&found);
        }
        found
    }

    pub(super) fn keys(&self) -> io::Result<&Keys> {
        if let Some(keys) = self.0.keys.get() {
            return Ok(keys);
        }
        let secret = self.0.store.secret()?;
        Ok(self.0.keys.get_or_init(|| Keys::new(&secret)))
    }
}

/// Whether a request tells its user by more than cookies, which the replies for all may get too.
fn has_credentials(request: &dyn Fields) -> bool {
    let mut found = false;
    request.each_secret(&mut |name| found |= *name != COOKIE);
    found
}

/// The fields that tell users apart, sorted and each once.
pub(super) fn secrets(request: &dyn Fields) -> Vec<HeaderName> {
    let mut names = Vec::new();
    request.each_secret(&mut |name| add(&mut names, name));
    names
}

/// Adds a name to a sorted list, once.
pub(super) fn add(names: &mut Vec<HeaderName>, name: &HeaderName) {
    if let Err(place) = names.binary_search_by(|known| known.as_str().cmp(name.as_str())) {
        names.insert(place, name.clone());
    }
}
