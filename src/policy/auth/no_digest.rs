//! Digest without the feature `digest`: nobody can be a user of it.

use std::sync::Arc;

use http::HeaderMap;

use crate::{digest::Session, error::Result, origin::Origin};

/// Never there.
pub(crate) enum DigestAccount {}

impl DigestAccount {
    pub(crate) const fn session(&self, _: &Origin) -> Option<Arc<Session>> {
        match *self {}
    }

    pub(crate) fn challenged(
        &self,
        _: &Origin,
        _: &HeaderMap,
        _: u32,
    ) -> Result<Option<Arc<Session>>> {
        match *self {}
    }

    pub(crate) fn answered(&self, _: &Origin, _: &HeaderMap) {
        match *self {}
    }

    pub(crate) fn keep(&self, _: &Origin, _: Arc<Session>) {
        match *self {}
    }
}
