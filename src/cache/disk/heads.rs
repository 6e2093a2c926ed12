//! The heads that were read last, so that what is asked for often is not made of its bytes each time.

use quick_cache::sync::Cache;

use super::{super::store::CacheHead, form::Slot};

/// Heads by what proves their bytes; the bytes themselves are read and checked all the same.
pub(super) struct Heads(Option<Cache<(u64, u64, u64), CacheHead>>);

impl Heads {
    pub(super) fn new() -> Self {
        Self(Some(Cache::new(COUNT_MAX)))
    }

    /// Remembers nothing.
    pub(super) const fn none() -> Self {
        Self(None)
    }

    /// The head that stands in a place of the file with that salt.
    pub(super) fn decode(&self, salt: u64, slot: Slot<'_>) -> Option<CacheHead> {
        let Slot { sequence, checksum, head } = slot;
        let Some(recent) = self.0.as_ref().filter(|_| head.len() <= BYTES_MAX) else {
            return CacheHead::decode(head);
        };
        let name = (salt, sequence, checksum);
        if let Some(known) = recent.get(&name) {
            return Some(known);
        }
        let decoded = CacheHead::decode(head)?;
        recent.insert(name, decoded.clone());
        Some(decoded)
    }
}

/// A few hundred kilobytes in all, as heads usually are.
const COUNT_MAX: usize = 256;
/// What is longer is not kept in memory.
const BYTES_MAX: usize = 4 << 10;
