//! What a store of replies has to do.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    io,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};

use crate::policy::cache::{Head, Record, Signpost};

/// Keeps heads and bodies of replies under keys; all rules are somebody else's.
///
/// Every method runs on the thread of the call that needs it and may block it; none is called while
/// a lock of abide is held. An error never fails a call: the call goes to the network, and the
/// error is counted and told by [`Cache::last_failure`](crate::Cache::last_failure). What
/// was stored may be forgotten at any time, but must never be returned changed.
pub trait CacheStore: Send + Sync + 'static {
    /// What is stored under the key.
    ///
    /// # Errors
    /// If the store cannot be read; a damaged entry is better removed and not found.
    fn get(&self, key: CacheKey) -> io::Result<Option<CacheEntry>>;

    /// Begins to store a body of `length` bytes, if that is known; `None` if the store does not
    /// want it, because it is too large.
    ///
    /// # Errors
    /// If nothing can be written.
    fn put(&self, key: CacheKey, length: Option<u64>) -> io::Result<Option<Box<dyn CacheWriter>>>;

    /// Replaces the head of an entry if the body under the key is still the one with this head's
    /// [`id`](CacheHead::id), and else does nothing.
    ///
    /// # Errors
    /// If it cannot be written; the entry then has its old head, or is gone.
    fn update(&self, key: CacheKey, head: &CacheHead) -> io::Result<()>;

    /// Removes what is stored under the key, if there is something.
    ///
    /// # Errors
    /// If it may still be there.
    fn remove(&self, key: CacheKey) -> io::Result<()>;

    /// Removes everything.
    ///
    /// # Errors
    /// If something may still be there.
    fn clear(&self) -> io::Result<()>;

    /// How much is stored.
    ///
    /// # Errors
    /// If that cannot be found out.
    fn usage(&self) -> io::Result<CacheUsage>;

    /// Shows every entry's key, head and number of body bytes, in any order.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn visit(&self, each: &mut dyn FnMut(CacheKey, &CacheHead, u64)) -> io::Result<()>;

    /// What the keys are made with, the same for all who share the store; random by default.
    ///
    /// Two who know it can tell that an entry is for the same URL or the same credentials, so it is
    /// as secret as the entries.
    ///
    /// # Errors
    /// If there is none and none can be made; nothing is stored then.
    fn secret(&self) -> io::Result<[u8; 16]> {
        Ok(random())
    }
}

/// Receives a body; only [`commit`](Self::commit) makes it visible, dropping forgets it.
pub trait CacheWriter: Send {
    /// Takes the next piece.
    ///
    /// # Errors
    /// If it cannot be kept; nothing more is written then.
    fn write(&mut self, piece: &Bytes) -> io::Result<()>;

    /// Takes the whole body at once, which has its memory for itself: it may be kept as it is.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    fn write_whole(&mut self, body: &Bytes) -> io::Result<()> {
        self.write(body)
    }

    /// Replaces what is stored under the key by the head and all that was written, at once.
    ///
    /// # Errors
    /// If that failed; what was stored before is there or gone.
    fn commit(self: Box<Self>, head: &CacheHead) -> io::Result<()>;
}

/// An entry that was found.
#[derive(Debug)]
#[non_exhaustive]
pub struct CacheEntry {
    /// What is known of the reply.
    pub head: CacheHead,
    /// Its body.
    pub body: CacheBody,
}

/// The body of an entry.
#[non_exhaustive]
pub enum CacheBody {
    /// All of it.
    Whole(Bytes),
    /// A way to read it.
    Pieces(Box<dyn CacheReader>),
}

/// Reads a body that is not in memory; it stays what it is when the entry is replaced meanwhile.
pub trait CacheReader: Send {
    /// How many bytes there are in all.
    fn length(&self) -> u64;

    /// Some bytes from this position on, at least one before the end.
    ///
    /// # Errors
    /// If they cannot be read, or are not those that were written.
    fn read_at(&mut self, position: u64) -> io::Result<Bytes>;

    /// All bytes.
    ///
    /// # Errors
    /// As [`read_at`](Self::read_at).
    fn read_all(&mut self) -> io::Result<Bytes> {
        let length = usize::try_from(self.length()).map_err(io::Error::other)?;
        let mut whole = BytesMut::with_capacity(length);
        while whole.len() < length {
            let piece = self.read_at(whole.len() as u64)?;
            if piece.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }
}

/// Names an entry: a number that is made of the request's URL, and of the fields that the replies
/// for it vary on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CacheKey(pub(super) u128);

impl CacheKey {
    /// The key as a number that is evenly distributed.
    #[must_use]
    pub const fn as_u128(self) -> u128 {
        self.0
    }

    /// The key of that number.
    #[must_use]
    pub const fn from_u128(number: u128) -> Self {
        Self(number)
    }
}

impl fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CacheKey({self})")
    }
}

/// 32 hexadecimal digits.
impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What is stored besides a body; cheap to clone.
#[derive(Clone)]
pub struct CacheHead(Arc<Kept>);

/// The age of a reply and what is left of its lifetime, in seconds.
pub(super) type Told = (u64, Option<i64>);

struct Kept {
    record: Record,
    /// The fields of the last reply that was served, and what they tell of its time: within a second
    /// all are the same. Held for a look or a change only.
    served: Mutex<Option<(Told, Arc<HeaderMap>)>>,
}

impl CacheHead {
    /// The head as bytes, for a store that has to write it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.0.record.encode()
    }

    /// Reads what [`encode`](Self::encode) made; `None` if it is something else.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        Record::decode(bytes).map(Self::new)
    }

    /// A number that differs for each body that is stored.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.0.record.id()
    }

    /// The URL of the reply, without user information and fragment; its query may be a secret.
    #[must_use]
    pub fn url(&self) -> &str {
        self.0.record.url()
    }

    /// The status of the reply; `None` for the note of which fields the replies of a URL vary on.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.reply().map(|head| head.status)
    }

    /// The header fields of the reply that are kept.
    #[must_use]
    pub fn headers(&self) -> Option<&HeaderMap> {
        self.reply().map(|head| &head.headers)
    }

    /// About how many bytes it takes in memory.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.0.record.memory()
    }

    pub(super) fn new(record: Record) -> Self {
        Self(Arc::new(Kept { record, served: Mutex::default() }))
    }

    /// The fields of a reply that tells this of its time; made once a second.
    pub(super) fn served(&self, told: Told, make: impl FnOnce() -> HeaderMap) -> Arc<HeaderMap> {
        let served = || self.0.served.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((last, headers)) = &*served()
            && *last == told
        {
            return Arc::clone(headers);
        }
        let headers = Arc::new(make());
        *served() = Some((told, Arc::clone(&headers)));
        headers
    }

    pub(super) fn of_reply(head: Head) -> Self {
        Self::new(Record::Reply(head))
    }

    pub(super) fn of_signpost(signpost: Signpost) -> Self {
        Self::new(Record::Signpost(signpost))
    }

    pub(crate) fn reply(&self) -> Option<&Head> {
        match &self.0.record {
            Record::Reply(head) => Some(head),
            Record::Signpost(_) => None,
        }
    }

    pub(super) fn signpost(&self) -> Option<&Signpost> {
        match &self.0.record {
            Record::Signpost(signpost) => Some(signpost),
            Record::Reply(_) => None,
        }
    }
}

impl CacheEntry {
    /// An entry for what a store found.
    #[must_use]
    pub const fn new(head: CacheHead, body: CacheBody) -> Self {
        Self { head, body }
    }
}

/// How much a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheUsage {
    /// Stored replies, and notes of which fields the replies of a URL vary on.
    pub entries: u64,
    /// What they take, heads included.
    pub bytes: u64,
    /// How many were removed to make room.
    pub evicted: u64,
}

impl fmt::Debug for CacheHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither query nor headers: there may be secrets among them.
        let path = self.url().split('?').next().unwrap_or_default();
        f.debug_struct("CacheHead").field("url", &path).field("status", &self.status()).finish()
    }
}

impl fmt::Debug for CacheBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, length) = match self {
            Self::Whole(bytes) => ("Whole", bytes.len() as u64),
            Self::Pieces(reader) => ("Pieces", reader.length()),
        };
        f.debug_tuple(kind).field(&length).finish()
    }
}

/// Random bytes as good as those that keep hash maps safe.
pub(super) fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&random_number().to_le_bytes());
    bytes[8..].copy_from_slice(&random_number().to_le_bytes());
    bytes
}

pub(super) fn random_number() -> u64 {
    RandomState::new().hash_one(0)
}
