//! Replies in a folder, one file each, bounded in bytes.
//!
//! There is no index that could disagree with the folder: a file's name is its key, its time of
//! change is when it was used last. A file is written under a temporary name and renamed when it is
//! complete, so that other threads and processes see it whole or not at all, and checked when it is
//! read, so that what a crash or a bad disk leaves behind is a miss. Nothing is flushed to the disk
//! by force: losing an entry costs a request.
//!
//! `form.rs` says what a file looks like, `room.rs` how the folder is kept small.

#[cfg(not(unix))]
#[path = "access_other.rs"]
mod access;
#[cfg(unix)]
#[path = "access_unix.rs"]
mod access;
mod form;
mod heads;
mod place;
mod read;
mod room;
mod write;

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use self::{heads::Heads, place::Place, room::Room, write::DiskWriter};
use super::store::{
    CacheBody, CacheEntry, CacheHead, CacheKey, CacheStore, CacheUsage, CacheWriter,
};

/// A folder of replies; a clone is the same store.
#[derive(Clone)]
pub(super) struct DiskStore(Arc<Folder>);

struct Folder {
    place: Place,
    room: Room,
    heads: Heads,
    secret: OnceLock<[u8; 16]>,
}

impl DiskStore {
    /// Touches nothing yet.
    pub(super) fn new(path: PathBuf, bytes: u64) -> Self {
        Self(Arc::new(Folder {
            place: Place::new(path),
            room: Room::new(bytes),
            heads: Heads::new(),
            secret: OnceLock::new(),
        }))
    }

    /// Opens an entry for reading, tells its size, and notes that it is used.
    fn open(&self, key: CacheKey) -> io::Result<Option<(File, u64)>> {
        let file = match File::open(self.0.place.of(key)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let metadata = file.metadata()?;
        let now = SystemTime::now();
        let noted = metadata.modified().ok().and_then(|used| now.duration_since(used).ok());
        if noted.is_none_or(|ago| ago > NOTED_FOR) {
            // It may be another's folder, and only readable: then the order of eviction is theirs.
            drop(file.set_modified(now));
        }
        Ok(Some((file, metadata.len())))
    }
}

impl CacheStore for DiskStore {
    fn get(&self, key: CacheKey) -> io::Result<Option<CacheEntry>> {
        let Some((file, length)) = self.open(key)? else { return Ok(None) };
        let found = read::entry(file, length, &self.0.heads)?;
        if found.is_none() {
            // A crash, a bad disk, or somebody else's file: out of the way.
            tracing::debug!(%key, "a damaged entry was removed from the cache");
            self.remove(key)?;
        }
        Ok(found)
    }

    fn put(&self, key: CacheKey, length: Option<u64>) -> io::Result<Option<Box<dyn CacheWriter>>> {
        if length.is_some_and(|length| length > self.0.room.entry_max()) {
            return Ok(None);
        }
        Ok(Some(Box::new(DiskWriter::new(Arc::clone(&self.0), key))))
    }

    fn update(&self, key: CacheKey, head: &CacheHead) -> io::Result<()> {
        let path = self.0.place.of(key);
        let file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        match write::update(file, head)? {
            write::Updated::Done | write::Updated::Other => Ok(()),
            write::Updated::DoesNotFit => self.rewrite(key, head),
        }
    }

    fn remove(&self, key: CacheKey) -> io::Result<()> {
        match fs::remove_file(self.0.place.of(key)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn clear(&self) -> io::Result<()> {
        self.0.room.clear(&self.0.place)
    }

    fn usage(&self) -> io::Result<CacheUsage> {
        self.0.room.usage(&self.0.place)
    }

    fn visit(&self, each: &mut dyn FnMut(CacheKey, &CacheHead, u64)) -> io::Result<()> {
        for (key, path) in self.0.place.entries()? {
            // It may have been removed since.
            let Ok(file) = File::open(path) else { continue };
            if let Some((head, length)) = read::head(file)? {
                each(key, &head, length);
            }
        }
        Ok(())
    }

    fn secret(&self) -> io::Result<[u8; 16]> {
        if let Some(secret) = self.0.secret.get() {
            return Ok(*secret);
        }
        let secret = self.0.place.secret()?;
        Ok(*self.0.secret.get_or_init(|| secret))
    }
}

impl DiskStore {
    /// Writes an entry anew, with a head that has become too long for its place.
    fn rewrite(&self, key: CacheKey, head: &CacheHead) -> io::Result<()> {
        let Some(CacheEntry { head: old, body }) = self.get(key)? else { return Ok(()) };
        if old.id() != head.id() {
            return Ok(());
        }
        let mut writer = DiskWriter::new(Arc::clone(&self.0), key);
        match body {
            CacheBody::Whole(bytes) => writer.write(&bytes)?,
            CacheBody::Pieces(mut reader) => {
                let mut position = 0;
                while position < reader.length() {
                    let piece = reader.read_at(position)?;
                    position += piece.len() as u64;
                    writer.write(&piece)?;
                }
            }
        }
        Box::new(writer).commit(head)
    }
}

impl fmt::Debug for DiskStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskStore").field("path", &self.0.place.root()).finish_non_exhaustive()
    }
}

/// To note a use costs more than to read a small file: what was used just now is not noted again.
const NOTED_FOR: Duration = Duration::from_millis(100);
