//! What a request is told about redirects, and what must not follow them.

use http::{HeaderName, HeaderValue};

use super::RequestBuilder;
use crate::redirects::RedirectPolicy;

impl RequestBuilder<'_> {
    /// Sets which redirects are followed; the client's policy by default.
    pub fn redirects(self, policy: RedirectPolicy) -> Self {
        self.change(|request| {
            request.redirects = Some(policy);
            Ok(())
        })
    }

    /// Adds a header field whose value is a secret: it is not shown when debugging, not kept in
    /// HTTP/2's table, and never follows a redirect to another origin.
    ///
    /// Otherwise as [`header`](Self::header). See
    /// [`ClientBuilder::secret_headers`](crate::ClientBuilder::secret_headers) for names that are
    /// always secret.
    pub fn secret_header<N, V>(self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName>,
        N::Error: Into<http::Error>,
        V: TryInto<HeaderValue>,
        V::Error: Into<http::Error>,
    {
        self.change(|request| {
            let (name, mut value) = super::checked(name, value)?;
            value.set_sensitive(true);
            request.add(name, value);
            Ok(())
        })
    }
}
