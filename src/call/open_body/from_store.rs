//! Bodies that come from a store, or go into one.

use std::ops::Range;

use bytes::Bytes;

use super::{Keeping, OpenBody, State, Stored};
use crate::{
    cache::{CacheReader, Saving},
    caching::NotStored,
    trailers::Trailers,
};

impl OpenBody {
    /// A part of a body that lies in a store.
    pub(in crate::call) fn stored_at(
        reader: Box<dyn CacheReader>,
        range: Range<u64>,
        trailers: Trailers,
    ) -> Self {
        let state = State::Stored(Stored::new(reader, range), trailers);
        let mut body = Self::of(state);
        body.uncounted = Some(0);
        body
    }

    /// Stores it, now if it is complete, else while it is received; tells what became of that if it
    /// is known.
    pub(in crate::call) fn keep(&mut self, mut saving: Saving) -> Option<Result<(), NotStored>> {
        match &mut self.state {
            State::Complete(bytes, trailers) => {
                match is_compact(bytes) {
                    true => saving.write_whole(bytes),
                    false => saving.write(bytes),
                }
                Some(saving.finish(trailers))
            }
            State::Receiving(_) => {
                if let Some(keeping) = self.keeping() {
                    *keeping = Keeping::begin(saving);
                }
                None
            }
            _ => Some(Err(NotStored::Incomplete)),
        }
    }

    /// How long it is, if all of it is there.
    pub(in crate::call) fn length(&self) -> Option<u64> {
        match &self.state {
            State::Complete(bytes, _) => Some(bytes.len() as u64),
            _ => None,
        }
    }
}

/// Whether the bytes are all, or nearly all, that their memory holds.
fn is_compact(bytes: &mut Bytes) -> bool {
    match std::mem::take(bytes).try_into_mut() {
        Ok(buffer) => {
            let unused = buffer.capacity() - buffer.len();
            *bytes = buffer.freeze();
            unused <= bytes.len() / 8
        }
        // A part of what came over the wire at once.
        Err(shared) => {
            *bytes = shared;
            false
        }
    }
}
