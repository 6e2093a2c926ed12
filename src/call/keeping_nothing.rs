//! In place of bodies in a cache, when abide is built without one.

use bytes::Bytes;
use http::HeaderMap;

use crate::{caching::NotStored, error::Result};

/// Stores nothing.
#[derive(Debug, Default)]
pub(super) struct Keeping(());

impl Keeping {
    pub(super) const fn write(&self, _: &Bytes) {}

    pub(super) const fn finish(&self, _: &HeaderMap) {}

    pub(super) const fn give_up(&self) {}

    pub(super) const fn ended(&self) -> Option<Result<(), NotStored>> {
        None
    }
}

/// No body comes from a store.
#[derive(Debug)]
pub(super) enum Stored {}

impl Stored {
    pub(super) const fn next(&self) -> Result<Option<Bytes>> {
        match *self {}
    }
}
