//! Memory in front of another store.

use std::io;

use bytes::Bytes;

use super::{
    memory::MemoryStore,
    store::{CacheBody, CacheEntry, CacheHead, CacheKey, CacheStore, CacheUsage, CacheWriter},
};
use crate::sync::Arc;

/// Everything is in the store behind; what is used and small is in memory too.
///
/// Processes that share the store behind do not see each other's memory: what one replaces or
/// removes, another may use until it is stale.
pub(super) struct LayeredStore {
    front: MemoryStore,
    behind: Arc<dyn CacheStore>,
}

impl LayeredStore {
    pub(super) fn new(front: MemoryStore, behind: Arc<dyn CacheStore>) -> Self {
        Self { front, behind }
    }
}

impl CacheStore for LayeredStore {
    fn get(&self, key: CacheKey) -> io::Result<Option<CacheEntry>> {
        if let Some(entry) = self.front.get(key)? {
            return Ok(Some(entry));
        }
        let entry = self.behind.get(key)?;
        if let Some(CacheEntry { head, body: CacheBody::Whole(body) }) = &entry {
            self.front.insert(key, head.clone(), body.clone());
        }
        Ok(entry)
    }

    fn put(&self, key: CacheKey, length: Option<u64>) -> io::Result<Option<Box<dyn CacheWriter>>> {
        let front = self.front.put(key, length)?;
        let behind = match self.behind.put(key, length) {
            Ok(behind) => behind,
            // Memory alone is better than nothing; the failure is told when it is committed.
            Err(error) if front.is_some() => {
                return Ok(Some(Box::new(Both {
                    front,
                    behind: Err(error),
                    stores: self.both(key),
                })));
            }
            Err(error) => return Err(error),
        };
        if front.is_none() && behind.is_none() {
            return Ok(None);
        }
        Ok(Some(Box::new(Both { front, behind: Ok(behind), stores: self.both(key) })))
    }

    fn update(&self, key: CacheKey, head: &CacheHead) -> io::Result<()> {
        self.front.update(key, head)?;
        self.behind.update(key, head)
    }

    fn remove(&self, key: CacheKey) -> io::Result<()> {
        let behind = self.behind.remove(key);
        self.front.remove(key)?;
        behind
    }

    fn clear(&self) -> io::Result<()> {
        let behind = self.behind.clear();
        self.front.clear()?;
        behind
    }

    fn usage(&self) -> io::Result<CacheUsage> {
        self.behind.usage()
    }

    fn visit(&self, each: &mut dyn FnMut(CacheKey, &CacheHead, u64)) -> io::Result<()> {
        self.behind.visit(each)
    }

    fn secret(&self) -> io::Result<[u8; 16]> {
        self.behind.secret()
    }
}

impl LayeredStore {
    fn both(&self, key: CacheKey) -> (MemoryStore, CacheKey) {
        (self.front.clone(), key)
    }
}

/// Writes to both; a body that outgrows memory goes behind alone.
struct Both {
    front: Option<Box<dyn CacheWriter>>,
    behind: io::Result<Option<Box<dyn CacheWriter>>>,
    stores: (MemoryStore, CacheKey),
}

impl CacheWriter for Both {
    fn write(&mut self, piece: &Bytes) -> io::Result<()> {
        self.give(|writer| writer.write(piece))
    }

    fn write_whole(&mut self, body: &Bytes) -> io::Result<()> {
        self.give(|writer| writer.write_whole(body))
    }

    fn commit(self: Box<Self>, head: &CacheHead) -> io::Result<()> {
        let Self { front, behind, stores: (memory, key) } = *self;
        // Behind first: what is in memory must not be older than what is behind it.
        let behind = behind.and_then(|behind| behind.map_or(Ok(()), |behind| behind.commit(head)));
        match front {
            Some(front) => front.commit(head)?,
            None => memory.remove(key)?,
        }
        behind
    }
}

impl Both {
    fn give(&mut self, give: impl Fn(&mut dyn CacheWriter) -> io::Result<()>) -> io::Result<()> {
        if let Some(front) = &mut self.front
            && give(&mut **front).is_err()
        {
            self.front = None;
        }
        if let Ok(Some(behind)) = &mut self.behind
            && let Err(error) = give(&mut **behind)
        {
            self.behind = Err(error);
        }
        match (&self.front, &mut self.behind) {
            (None, Err(error)) => Err(std::mem::replace(error, io::ErrorKind::Other.into())),
            (None, Ok(None)) => Err(super::memory::too_large()),
            _ => Ok(()),
        }
    }
}
