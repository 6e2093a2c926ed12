//! A body on its way into the cache, or out of it.

use std::{fmt, ops::Range};

use bytes::Bytes;
use http::HeaderMap;

use crate::{
    cache::{CacheReader, Saving},
    caching::NotStored,
    error::{Error, ErrorKind, Result},
    phase::Phase,
};

/// What stores a body while it is received, if something does.
#[derive(Default)]
pub(super) struct Keeping {
    /// Apart, since most bodies, which are moved about, are not stored.
    saving: Option<Box<Saving>>,
    ended: Option<Result<(), NotStored>>,
}

impl Keeping {
    pub(super) fn begin(saving: Saving) -> Self {
        Self { saving: Some(Box::new(saving)), ended: None }
    }

    /// Takes a piece that was received.
    pub(super) fn write(&mut self, piece: &Bytes) {
        if let Some(saving) = &mut self.saving {
            saving.write(piece);
        }
    }

    /// The body is complete.
    pub(super) fn finish(&mut self, trailers: &HeaderMap) {
        if let Some(saving) = self.saving.take() {
            self.ended = Some(saving.finish(trailers));
        }
    }

    /// The body will not be complete.
    pub(super) fn give_up(&mut self) {
        if self.saving.take().is_some() {
            self.ended = Some(Err(NotStored::Incomplete));
        }
    }

    /// What became of it, once that is known.
    pub(super) const fn ended(&self) -> Option<Result<(), NotStored>> {
        self.ended
    }
}

impl fmt::Debug for Keeping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeping").field("ended", &self.ended).finish_non_exhaustive()
    }
}

/// A body, or a part of one, that is read from a store.
pub(super) struct Stored {
    reader: Box<dyn CacheReader>,
    left: Range<u64>,
}

impl Stored {
    pub(super) fn new(reader: Box<dyn CacheReader>, range: Range<u64>) -> Self {
        Self { reader, left: range }
    }

    /// The next piece; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>> {
        let left = self.left.end - self.left.start;
        if left == 0 {
            return Ok(None);
        }
        let mut piece = self.reader.read_at(self.left.start).map_err(unreadable)?;
        piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        if piece.is_empty() {
            return Err(unreadable(std::io::ErrorKind::UnexpectedEof.into()));
        }
        self.left.start += piece.len() as u64;
        Ok(Some(piece))
    }
}

#[cold]
fn unreadable(error: std::io::Error) -> Error {
    let message = "the rest of the stored body cannot be read from the cache";
    Error::new(ErrorKind::Body, message).in_phase(Phase::Body).because(error)
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored").field("left", &self.left).finish_non_exhaustive()
    }
}
