//! The hops of a call before its last one.

use std::fmt;

use http::{HeaderMap, Method, StatusCode};
use url::Url;

use crate::origin;

/// A hop that was answered with something that made the call ask again, such as a redirect.
#[derive(Clone)]
pub struct PastHop {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) attempts: u32,
}

impl PastHop {
    /// The method that was sent.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// The URL that was asked.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// The status of its answer.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The header fields of its answer.
    #[must_use]
    pub const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The first value of a header field of its answer, if it is there and is visible ASCII.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// How often the request of this hop was sent or tried to be sent.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }
}

impl fmt::Debug for PastHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the headers: a `Location` may hold a token, a `Set-Cookie` does.
        f.debug_struct("PastHop")
            .field("method", &self.method)
            .field("url", &format_args!("{}", origin::redacted(&self.url)))
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
