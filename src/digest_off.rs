//! Digest without the feature `digest`: no challenge can be answered.

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::{error::Result, secret::Secret};

/// Never there.
#[derive(Debug)]
pub(crate) enum Session {}

impl Session {
    pub(crate) fn answering(
        _: &HeaderMap,
        _: HeaderName,
        _: &str,
        _: &Secret,
    ) -> Result<Option<Self>> {
        Ok(None)
    }

    pub(crate) const fn is_stale(&self) -> bool {
        match *self {}
    }

    pub(crate) const fn answer(&self, _: &Method, _: &str) -> Result<HeaderValue> {
        match *self {}
    }

    pub(crate) fn renewed(&self, _: &HeaderMap, _: HeaderName) -> Option<Self> {
        match *self {}
    }
}
