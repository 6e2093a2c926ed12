//! The header fields of a reply: its own, or shared with other replies made of the same stored one.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

use http::HeaderMap;

/// Reads like a map; who changes shared fields gets a copy.
#[derive(Clone, Debug)]
pub(crate) enum ReplyHeaders {
    Own(HeaderMap),
    #[cfg_attr(not(feature = "cache"), expect(dead_code, reason = "only what is stored is shared"))]
    Shared(Arc<HeaderMap>),
}

impl ReplyHeaders {
    pub(crate) fn into_own(self) -> HeaderMap {
        match self {
            Self::Own(headers) => headers,
            Self::Shared(headers) => Arc::unwrap_or_clone(headers),
        }
    }
}

impl From<HeaderMap> for ReplyHeaders {
    fn from(headers: HeaderMap) -> Self {
        Self::Own(headers)
    }
}

impl Default for ReplyHeaders {
    fn default() -> Self {
        Self::Own(HeaderMap::new())
    }
}

impl Deref for ReplyHeaders {
    type Target = HeaderMap;

    fn deref(&self) -> &HeaderMap {
        match self {
            Self::Own(headers) => headers,
            Self::Shared(headers) => headers,
        }
    }
}

impl DerefMut for ReplyHeaders {
    fn deref_mut(&mut self) -> &mut HeaderMap {
        if let Self::Shared(headers) = self {
            *self = Self::Own(HeaderMap::clone(headers));
        }
        match self {
            Self::Own(headers) => headers,
            Self::Shared(headers) => Arc::make_mut(headers),
        }
    }
}
