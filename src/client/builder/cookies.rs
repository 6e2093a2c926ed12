//! What a client is told about cookies.

use super::ClientBuilder;
use crate::cookies::CookieJar;

impl ClientBuilder {
    /// Sends and keeps the cookies of a jar in all calls that bring none of their own; without one
    /// there are no cookies.
    ///
    /// Several clients may have the same jar.
    pub fn cookies(mut self, jar: impl Into<CookieJar>) -> Self {
        self.config.cookies = Some(jar.into());
        self
    }
}
