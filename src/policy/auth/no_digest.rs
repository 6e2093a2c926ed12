//! Digest without the feature `digest`: nobody can be a user of it.

use http::{HeaderMap, HeaderValue, Method};

use crate::{error::Result, origin::Origin};

/// Never there.
pub(crate) enum DigestAccount {}

impl DigestAccount {
    pub(crate) fn authorization(
        &self,
        _: &Origin,
        _: &Method,
        _: &str,
    ) -> Result<Option<HeaderValue>> {
        match *self {}
    }

    pub(crate) fn challenged(&self, _: &Origin, _: &HeaderMap, _: u32) -> Result<bool> {
        match *self {}
    }

    pub(crate) fn answered(&self, _: &Origin, _: &HeaderMap) {
        match *self {}
    }
}
