//! Storing a reply while it is received.

use std::io;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, Version, header::COOKIE};

use super::{
    Cache, Counted, keys,
    lookup::{Lookup, Sought, add, secrets},
    store::{CacheHead, CacheKey, CacheWriter, random_number},
};
use crate::{
    caching::NotStored,
    policy::cache::{Head, Lifetime, Now, ReplyDirectives, Signpost, Vary, dated, storable},
    sync::atomic::{AtomicU64, Ordering},
};

/// When a request was sent and its reply came.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    pub(crate) requested: Now,
    pub(crate) received: Now,
}

/// What a reply to be stored begins with.
#[derive(Clone, Copy)]
pub(crate) struct Begun<'r> {
    pub(crate) times: Times,
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
    pub(crate) headers: &'r HeaderMap,
    pub(crate) directives: &'r ReplyDirectives,
    pub(crate) length: Option<u64>,
}

/// A reply on its way into the store; dropping it stores nothing.
pub(crate) struct Saving {
    cache: Cache,
    writer: Result<Box<dyn CacheWriter>, NotStored>,
    /// Written first, so that the reply can be found.
    signpost: Option<(CacheKey, CacheHead)>,
    head: Head,
    epoch: Epoch,
}

impl Cache {
    /// Begins to store a reply that may be stored.
    pub(crate) fn save(
        &self,
        lookup: Option<&Lookup>,
        sought: Sought<'_>,
        epoch: Epoch,
        begun: Begun<'_>,
    ) -> Result<Saving, NotStored> {
        let url = epoch.key;
        let placed =
            match lookup {
                Some(lookup) => self.place(url, lookup.signpost.clone(), sought, begun),
                None => self.0.store.get(url).and_then(|entry| {
                    self.place(url, entry.map(|entry| entry.head), sought, begun)
                }),
            };
        let (key, signpost) = placed.map_err(|error| self.not_stored("write", &error))?;
        let writer = self
            .0
            .store
            .put(key, begun.length)
            .map_err(|error| self.not_stored("write", &error))?
            .ok_or(NotStored::TooLarge)?;
        let Begun { times, status, version, headers, directives, length: _ } = begun;
        let lifetime = Lifetime::of(status, headers, directives, times.requested, times.received);
        let mut headers = storable::kept(headers, directives);
        dated::note_received(&mut headers, times.received);
        let head = Head {
            id: random_number(),
            url: keys::shown(sought.url),
            status,
            version,
            headers,
            trailers: HeaderMap::new(),
            lifetime,
        };
        Ok(Saving { cache: self.clone(), writer: Ok(writer), signpost, head, epoch })
    }

    /// Where a reply goes that varies on what its headers say and on credentials: beside others
    /// that its signpost leads to, or to its URL's own place.
    fn place(
        &self,
        url: CacheKey,
        old: Option<CacheHead>,
        sought: Sought<'_>,
        begun: Begun<'_>,
    ) -> io::Result<Place> {
        let mut fields = match Vary::of(begun.headers) {
            Vary::On(fields) => fields,
            Vary::OnEverything => Vec::new(),
        };
        for secret in secrets(sought.request) {
            // What is for everybody may depend on no cookie.
            if secret != COOKIE || !begun.directives.public {
                add(&mut fields, &secret);
            }
        }
        let keys = self.keys()?;
        let old_fields = old.as_ref().and_then(|old| Some(&old.signpost()?.fields));
        if let (Some(old), Some(old_fields)) = (&old, old_fields) {
            if fields.iter().all(|name| old_fields.contains(name)) {
                let signpost = old.signpost();
                let key = signpost.map(|old| keys.of_variant(url, old, sought.request));
                return Ok((key.unwrap_or(url), None));
            }
            // Replies that vary on different things take turns else in making each other lost.
            if old_fields.len() + fields.len() <= FIELDS_MAX {
                old_fields.iter().for_each(|name| add(&mut fields, name));
            }
        }
        if fields.is_empty() {
            return Ok((url, None));
        }
        let new = Signpost { id: random_number(), url: keys::shown(sought.url), fields };
        let key = keys.of_variant(url, &new, sought.request);
        Ok((key, Some((url, CacheHead::of_signpost(new)))))
    }

    fn not_stored(&self, doing: &str, error: &io::Error) -> NotStored {
        if error.kind() == io::ErrorKind::FileTooLarge {
            return NotStored::TooLarge;
        }
        self.note_failure(doing, error);
        NotStored::StoreFailed
    }

    /// What to compare with when a reply that is asked for now has come.
    pub(crate) fn epoch(&self, sought: Sought<'_>) -> Option<Epoch> {
        let keys = self.keys().inspect_err(|error| self.note_failure("open", error)).ok()?;
        let key = keys.of_url(sought.url, sought.owner, sought.host);
        Some(Epoch { key, number: self.0.epochs.of(key) })
    }
}

impl Saving {
    /// Takes the next piece of the body.
    pub(crate) fn write(&mut self, piece: &Bytes) {
        self.give(|writer| writer.write(piece));
    }

    /// Takes the whole body, which has its memory for itself.
    pub(crate) fn write_whole(&mut self, body: &Bytes) {
        self.give(|writer| writer.write_whole(body));
    }

    fn give(&mut self, give: impl FnOnce(&mut dyn CacheWriter) -> io::Result<()>) {
        if let Ok(writer) = &mut self.writer
            && let Err(error) = give(&mut **writer)
        {
            // What was written is dropped at once: it may take the last room there is.
            self.writer = Err(self.cache.not_stored("write", &error));
        }
    }

    /// Stores the reply, whose body was received to the end.
    pub(crate) fn finish(mut self, trailers: &HeaderMap) -> Result<(), NotStored> {
        let writer = self.writer?;
        if self.cache.0.epochs.of(self.epoch.key) != self.epoch.number {
            return Err(NotStored::Overtaken);
        }
        self.head.trailers.clone_from(trailers);
        let store = &self.cache.0.store;
        let signpost = self.signpost.map_or(Ok(()), |(key, head)| {
            let writer = store.put(key, Some(0))?;
            writer.map_or(Ok(()), |writer| writer.commit(&head))
        });
        let is_useful = !self.head.lifetime.is_always_stale();
        signpost
            .and_then(|()| writer.commit(&CacheHead::of_reply(self.head)))
            .map_err(|error| self.cache.not_stored("write", &error))?;
        self.cache.count(Counted::Stored);
        if is_useful {
            self.cache.0.flights.useful(self.epoch.key);
        }
        Ok(())
    }
}

/// A key, and the signpost that has to be written for it to be found.
type Place = (CacheKey, Option<(CacheKey, CacheHead)>);

/// Counts the changes to each URL, or to several whose keys happen to fall together.
pub(super) struct Epochs(Box<[AtomicU64; PLACES]>);

/// The state of a URL when it was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Epoch {
    pub(super) key: CacheKey,
    number: u64,
}

impl Epochs {
    fn of(&self, key: CacheKey) -> u64 {
        self.place(key).load(Ordering::Acquire)
    }

    pub(super) fn advance(&self, key: CacheKey) {
        self.place(key).fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn advance_all(&self) {
        for place in self.0.iter() {
            place.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn place(&self, key: CacheKey) -> &AtomicU64 {
        &self.0[(key.0 % PLACES as u128) as usize]
    }
}

impl Default for Epochs {
    fn default() -> Self {
        Self(Box::new([const { AtomicU64::new(0) }; PLACES]))
    }
}

const PLACES: usize = 256;
/// More than any server that makes sense says.
const FIELDS_MAX: usize = 16;
