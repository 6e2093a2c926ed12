//! The trailer fields of a body.

use std::{ops::Deref, sync::LazyLock};

use http::HeaderMap;

/// Reads like a map; small, because hardly any body has some (RFC 9110 §6.5).
#[derive(Clone, Debug, Default)]
pub(crate) struct Trailers(Option<Box<HeaderMap>>);

impl From<HeaderMap> for Trailers {
    fn from(fields: HeaderMap) -> Self {
        Self((!fields.is_empty()).then(|| Box::new(fields)))
    }
}

impl Deref for Trailers {
    type Target = HeaderMap;

    fn deref(&self) -> &HeaderMap {
        static NONE: LazyLock<HeaderMap> = LazyLock::new(HeaderMap::new);
        self.0.as_deref().unwrap_or_else(|| &NONE)
    }
}
