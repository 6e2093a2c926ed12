//! What a client is told about redirects.

use http::HeaderName;

use super::ClientBuilder;
use crate::{error::Error, redirects::RedirectPolicy};

impl ClientBuilder {
    /// Sets which redirects calls follow that bring no policy of their own; up to ten by default.
    pub fn redirects(mut self, policy: RedirectPolicy) -> Self {
        self.config.redirects.policy = policy;
        self
    }

    /// Asks no URL but https ones, neither first nor after a redirect.
    ///
    /// A first URL that is not https is an error of kind
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest), a redirect to one an error of kind
    /// [`Redirect`](crate::ErrorKind::Redirect); nothing is sent to it.
    pub fn https_only(mut self, https_only: bool) -> Self {
        self.config.redirects.https_only = https_only;
        self
    }

    /// Makes header fields of these names secret, whoever sets them: they are not shown when
    /// debugging, not kept in HTTP/2's table, and never follow a redirect to another origin.
    ///
    /// `Authorization`, `Cookie` and `Proxy-Authorization` always are. A name that cannot be one is
    /// reported by [`build`](Self::build).
    ///
    /// ```
    /// let client = abide::Client::builder().secret_headers(["x-api-key"]).build()?;
    /// # Ok::<(), abide::Error>(())
    /// ```
    pub fn secret_headers<N>(mut self, names: impl IntoIterator<Item = N>) -> Self
    where
        N: TryInto<HeaderName>,
        N::Error: Into<http::Error>,
    {
        for name in names {
            match name.try_into() {
                Ok(name) => self.config.redirects.secret_names.push(name),
                Err(e) => {
                    let error = Error::invalid("a secret header's name is not a token");
                    let error = error.because(e.into());
                    self.error.get_or_insert(error);
                }
            }
        }
        self
    }
}
