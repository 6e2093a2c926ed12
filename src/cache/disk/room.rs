//! How much the folder holds, and how it is kept below its bound.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use super::{super::store::CacheUsage, place::Place};

/// The books of one process about the folder.
///
/// Others may use it too, so the books are an estimate, and made anew from the folder itself from
/// time to time: when they say that the bound is reached, and when this process alone has written
/// an eighth of it.
pub(super) struct Room {
    bytes_max: u64,
    books: Mutex<Books>,
    /// Whether somebody is looking through the folder; one is enough.
    sweeping: AtomicBool,
    evicted: AtomicU64,
}

#[derive(Clone, Copy, Default)]
struct Books {
    /// Whether the folder was ever looked at.
    opened: bool,
    bytes: u64,
    written_since: u64,
}

impl Room {
    pub(super) fn new(bytes_max: u64) -> Self {
        Self {
            bytes_max,
            books: Mutex::default(),
            sweeping: AtomicBool::new(false),
            evicted: AtomicU64::new(0),
        }
    }

    /// The largest body that is kept.
    pub(super) const fn entry_max(&self) -> u64 {
        self.bytes_max / 2
    }

    /// Makes room for bytes that are about to be written.
    pub(super) fn reserve(&self, place: &Place, bytes: u64) -> io::Result<()> {
        let is_due = {
            let mut books = self.books();
            books.bytes = books.bytes.saturating_add(bytes);
            books.written_since = books.written_since.saturating_add(bytes);
            !books.opened
                || books.bytes > self.bytes_max
                || books.written_since > self.bytes_max / 8
        };
        if is_due && !self.sweeping.swap(true, Ordering::Acquire) {
            let swept = self.sweep(place, bytes);
            self.sweeping.store(false, Ordering::Release);
            swept?;
        }
        Ok(())
    }

    /// Gives back what was reserved for an entry that was not completed.
    pub(super) fn give_back(&self, bytes: u64) {
        let mut books = self.books();
        books.bytes = books.bytes.saturating_sub(bytes);
    }

    /// Looks through the folder and removes what was not used for longest, down to seven eighths.
    fn sweep(&self, place: &Place, about_to_write: u64) -> io::Result<()> {
        let (mut files, unfinished) = look_through(place)?;
        let mut bytes =
            about_to_write + unfinished + files.iter().map(|file| file.bytes).sum::<u64>();
        if bytes > self.bytes_max {
            files.sort_unstable_by_key(|file| file.used);
            for file in files {
                if bytes <= self.bytes_max / 8 * 7 {
                    break;
                }
                if remove(&file.path)? {
                    self.evicted.fetch_add(1, Ordering::Relaxed);
                }
                bytes -= file.bytes;
            }
        }
        *self.books() = Books { opened: true, bytes, written_since: 0 };
        Ok(())
    }

    pub(super) fn usage(&self, place: &Place) -> io::Result<CacheUsage> {
        let (files, _) = look_through(place)?;
        Ok(CacheUsage {
            entries: files.len() as u64,
            bytes: files.iter().map(|file| file.bytes).sum(),
            evicted: self.evicted.load(Ordering::Relaxed),
        })
    }

    pub(super) fn clear(&self, place: &Place) -> io::Result<()> {
        let entries = place.entries()?.into_iter().map(|(_, path)| path);
        // What is being written was asked for before; its writer finds that it is gone.
        for path in entries.chain(place.unfinished_files()?) {
            remove(&path)?;
        }
        *self.books() = Books::default();
        Ok(())
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Found {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

/// All entries, and the bytes of files that are being written. Those that nobody writes any more
/// are removed.
fn look_through(place: &Place) -> io::Result<(Vec<Found>, u64)> {
    let mut files = Vec::new();
    for (_, path) in place.entries()? {
        // Somebody else may have removed it.
        let Ok(metadata) = fs::metadata(&path) else { continue };
        let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        files.push(Found { path, bytes: on_disk(metadata.len()), used });
    }
    let mut unfinished = 0;
    for path in place.unfinished_files()? {
        let Ok(metadata) = fs::metadata(&path) else { continue };
        let age = metadata.modified().ok().and_then(|then| then.elapsed().ok());
        if age.is_some_and(|age| age > UNFINISHED_MAX) {
            remove(&path)?;
        } else {
            unfinished += on_disk(metadata.len());
        }
    }
    Ok((files, unfinished))
}

/// Removes a file and tells whether it was there.
fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Files take whole pages.
const fn on_disk(bytes: u64) -> u64 {
    bytes.next_multiple_of(4096)
}

/// A file that nothing was written to for so long is what a process left that has ended.
const UNFINISHED_MAX: Duration = Duration::from_secs(60 * 60);
