//! What a request is told about cookies.

use super::RequestBuilder;
use crate::cookies::{CookieChoice, CookieJar};

impl RequestBuilder<'_> {
    /// Sends and keeps the cookies of this jar instead of the client's.
    ///
    /// A `Cookie` of the request's own is sent too, in front, and in place of those of the same
    /// name.
    pub fn cookies(self, jar: impl Into<CookieJar>) -> Self {
        self.change(|request| {
            request.cookies = CookieChoice::Own(jar.into());
            Ok(())
        })
    }

    /// Sends and keeps no cookies but those of the request's own `Cookie`.
    pub fn no_cookies(self) -> Self {
        self.change(|request| {
            request.cookies = CookieChoice::None;
            Ok(())
        })
    }
}
