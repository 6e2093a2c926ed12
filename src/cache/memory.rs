//! Replies in memory, bounded in bytes; what is used again survives what is read once.

use std::{
    fmt,
    hash::{BuildHasher, Hasher},
    io,
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::{Bytes, BytesMut};
use quick_cache::{
    Lifecycle, OptionsBuilder, Weighter,
    sync::{Cache, EntryAction},
};

use super::store::{
    CacheBody, CacheEntry, CacheHead, CacheKey, CacheStore, CacheUsage, CacheWriter, random,
};
use crate::sync::Arc;

/// The entries; a clone is the same store.
#[derive(Clone)]
pub(super) struct MemoryStore {
    entries: Arc<Entries>,
    /// An entry beyond this would push out too many others.
    entry_max: u64,
    evicted: CountEvictions,
    secret: [u8; 16],
}

type Entries = Cache<u128, Kept, ByWeight, SpreadAlready, CountEvictions>;

#[derive(Clone)]
struct Kept {
    head: CacheHead,
    body: Bytes,
    weight: u64,
}

impl Kept {
    fn new(head: CacheHead, body: Bytes) -> Self {
        let weight = head.memory() as u64 + body.len() as u64 + OVERHEAD;
        Self { head, body, weight }
    }
}

impl MemoryStore {
    pub(super) fn new(bytes: u64) -> Self {
        let shards = if bytes >= SHARD_MIN * SHARDS { SHARDS } else { 1 };
        let likely = usize::try_from(bytes / LIKELY_BYTES).unwrap_or(usize::MAX);
        let mut options = OptionsBuilder::new();
        options
            .weight_capacity(bytes)
            .shards(usize::try_from(shards).unwrap_or(1))
            .estimated_items_capacity(likely.clamp(128, 1 << 20));
        #[expect(clippy::expect_used, reason = "both capacities have been set above")]
        let options = options.build().expect("capacities are all that has to be set");
        let evicted = CountEvictions::default();
        let entries = Cache::with_options(options, ByWeight, SpreadAlready, evicted.clone());
        let entry_max = bytes / shards / 2;
        Self { entries: Arc::new(entries), entry_max, evicted, secret: random() }
    }

    /// Whether a body of that length would be kept.
    pub(super) const fn wants(&self, length: u64) -> bool {
        length <= self.entry_max
    }

    pub(super) fn insert(&self, key: CacheKey, head: CacheHead, body: Bytes) -> bool {
        let kept = Kept::new(head, body);
        let is_wanted = kept.weight <= self.entry_max;
        if is_wanted {
            self.entries.insert(key.0, kept);
        }
        is_wanted
    }
}

impl CacheStore for MemoryStore {
    fn get(&self, key: CacheKey) -> io::Result<Option<CacheEntry>> {
        let found = self.entries.get(&key.0);
        Ok(found.map(|kept| CacheEntry { head: kept.head, body: CacheBody::Whole(kept.body) }))
    }

    fn put(&self, key: CacheKey, length: Option<u64>) -> io::Result<Option<Box<dyn CacheWriter>>> {
        if !self.wants(length.unwrap_or(0)) {
            return Ok(None);
        }
        let expected = usize::try_from(length.unwrap_or(0)).unwrap_or(0).min(RESERVE_MAX);
        Ok(Some(Box::new(MemoryWriter {
            store: self.clone(),
            key,
            expected,
            whole: Bytes::new(),
            body: BytesMut::new(),
        })))
    }

    fn update(&self, key: CacheKey, head: &CacheHead) -> io::Result<()> {
        self.entries.entry(&key.0, None, |_, kept| {
            if kept.head.id() == head.id() {
                *kept = Kept::new(head.clone(), kept.body.clone());
            }
            EntryAction::Retain(())
        });
        Ok(())
    }

    fn remove(&self, key: CacheKey) -> io::Result<()> {
        self.entries.remove(&key.0);
        Ok(())
    }

    fn clear(&self) -> io::Result<()> {
        self.entries.clear();
        Ok(())
    }

    fn usage(&self) -> io::Result<CacheUsage> {
        Ok(CacheUsage {
            entries: self.entries.len() as u64,
            bytes: self.entries.weight(),
            evicted: self.evicted.0.load(Ordering::Relaxed),
        })
    }

    fn visit(&self, each: &mut dyn FnMut(CacheKey, &CacheHead, u64)) -> io::Result<()> {
        for (key, kept) in self.entries.iter() {
            each(CacheKey(key), &kept.head, kept.body.len() as u64);
        }
        Ok(())
    }

    fn secret(&self) -> io::Result<[u8; 16]> {
        Ok(self.secret)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

struct MemoryWriter {
    store: MemoryStore,
    key: CacheKey,
    expected: usize,
    whole: Bytes,
    /// A copy: a piece may be a small part of a large buffer, which it would keep alive.
    body: BytesMut,
}

impl CacheWriter for MemoryWriter {
    fn write(&mut self, piece: &Bytes) -> io::Result<()> {
        if !self.store.wants((self.body.len() + piece.len()) as u64) {
            return Err(too_large());
        }
        if self.body.is_empty() {
            self.body.reserve(self.expected);
        }
        self.body.extend_from_slice(piece);
        Ok(())
    }

    fn write_whole(&mut self, body: &Bytes) -> io::Result<()> {
        if !self.store.wants(body.len() as u64) {
            return Err(too_large());
        }
        self.whole = body.clone();
        Ok(())
    }

    fn commit(self: Box<Self>, head: &CacheHead) -> io::Result<()> {
        // No more than it needs is kept.
        let body = if self.body.is_empty() {
            self.whole
        } else if self.body.capacity() - self.body.len() > self.body.len() / 8 {
            Bytes::copy_from_slice(&self.body)
        } else {
            self.body.freeze()
        };
        self.store.insert(self.key, head.clone(), body).then_some(()).ok_or_else(too_large)
    }
}

pub(super) fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "larger than the cache keeps")
}

#[derive(Clone)]
struct ByWeight;

impl Weighter<u128, Kept> for ByWeight {
    fn weight(&self, _: &u128, kept: &Kept) -> u64 {
        kept.weight
    }
}

#[derive(Clone, Default)]
struct CountEvictions(Arc<AtomicU64>);

impl Lifecycle<u128, Kept> for CountEvictions {
    /// Dropped when the lock of the entries was let go.
    type RequestState = Vec<Kept>;

    fn on_evict(&self, state: &mut Vec<Kept>, _: u128, kept: Kept) {
        self.0.fetch_add(1, Ordering::Relaxed);
        state.push(kept);
    }
}

/// Keys are hashes already.
#[derive(Clone, Default)]
struct SpreadAlready;

impl BuildHasher for SpreadAlready {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded(0)
    }
}

struct Folded(u64);

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut number = [0; 8];
            number[..chunk.len()].copy_from_slice(chunk);
            self.0 ^= u64::from_le_bytes(number);
        }
    }

    fn write_u128(&mut self, number: u128) {
        self.0 ^= (number >> 64) as u64 ^ number as u64;
    }
}

/// What an entry takes besides head and body.
const OVERHEAD: u64 = 128;
const SHARDS: u64 = 4;
const SHARD_MIN: u64 = 2 << 20;
const LIKELY_BYTES: u64 = 8 << 10;
const RESERVE_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::cache::{Record, Signpost};

    fn head(id: u64) -> CacheHead {
        let url = "http://host/".into();
        CacheHead::new(Record::Signpost(Signpost { id, url, fields: Vec::new() }))
    }

    fn put(store: &MemoryStore, key: u128, length: usize) -> bool {
        let body = Bytes::from(vec![7; length]);
        let Some(mut writer) = store.put(CacheKey(key), Some(length as u64)).expect("memory")
        else {
            return false;
        };
        writer.write(&body).is_ok() && writer.commit(&head(1)).is_ok()
    }

    /// Keys as a hash would make them.
    fn key(number: u128) -> u128 {
        number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
    }

    #[test]
    fn no_more_than_its_bytes_are_kept() {
        let store = MemoryStore::new(1 << 20);
        for number in 0..1000 {
            assert!(put(&store, key(number), 10_000));
        }
        let usage = store.usage().expect("memory");
        assert!(usage.bytes <= 1 << 20, "{usage:?}");
        assert!(usage.entries >= 80 && usage.evicted >= 800, "{usage:?}");
    }

    #[test]
    fn a_body_may_take_half_and_no_more() {
        let store = MemoryStore::new(1 << 20);
        assert!(put(&store, 1, 500_000));
        assert!(!put(&store, 2, 530_000));
        let mut writer = store.put(CacheKey(3), None).expect("memory").expect("wanted");
        let piece = Bytes::from(vec![0; 300_000]);
        writer.write(&piece).expect("half");
        writer.write(&piece).expect_err("more than half");
    }

    #[test]
    fn a_body_that_has_its_memory_for_itself_is_kept_as_it_is() {
        let store = MemoryStore::new(1 << 20);
        let body = Bytes::from(vec![7; 1000]);
        for is_whole in [true, false] {
            let mut writer = store.put(CacheKey(1), Some(1000)).expect("memory").expect("wanted");
            let written = if is_whole { writer.write_whole(&body) } else { writer.write(&body) };
            written.expect("written");
            writer.commit(&head(1)).expect("committed");
            let entry = store.get(CacheKey(1)).expect("memory").expect("an entry");
            let CacheBody::Whole(kept) = entry.body else { panic!("it is in memory") };
            assert_eq!(kept, body);
            assert_eq!(kept.as_ptr() == body.as_ptr(), is_whole);
        }
        let mut writer = store.put(CacheKey(2), None).expect("memory").expect("wanted");
        writer.write_whole(&Bytes::from(vec![7; 600_000])).expect_err("more than half");
    }

    #[test]
    fn what_is_used_survives_what_is_read_once() {
        let store = MemoryStore::new(1 << 20);
        for number in 0..20 {
            put(&store, key(number), 10_000);
        }
        for number in 20..2000 {
            put(&store, key(number), 10_000);
            let used = CacheKey(key(number % 20));
            drop(store.get(used));
        }
        let kept =
            (0..20).filter(|&number| store.get(CacheKey(key(number))).expect("memory").is_some());
        assert!(kept.count() >= 18);
    }

    #[test]
    fn an_update_is_for_the_body_that_it_is_about() {
        let store = MemoryStore::new(1 << 20);
        put(&store, 1, 10);
        store.update(CacheKey(1), &head(2)).expect("memory");
        assert_eq!(store.get(CacheKey(1)).expect("memory").expect("stored").head.id(), 1);
        store.update(CacheKey(9), &head(1)).expect("memory");
        assert!(store.get(CacheKey(9)).expect("memory").is_none());
    }
}
