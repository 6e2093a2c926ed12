//! Options about what is told of calls.

use http::HeaderName;

use super::ClientBuilder;
use crate::error::Error;

impl ClientBuilder {
    /// Has the spans of exchanges tell the values of header fields of these names; by default they
    /// tell of none.
    ///
    /// The names are for both ways: `http.request.header` and `http.response.header` list what was
    /// sent and what came, and `user_agent.original` is told if `User-Agent` is among them. Secrets
    /// stay secret: values of `Authorization`, `Proxy-Authorization`, `Cookie`, `Set-Cookie`, of
    /// [`secret_headers`](Self::secret_headers) and those that are marked sensitive are told as
    /// `***`, and URLs without user information and query. A second call adds to the first. A name
    /// that cannot be one is reported by [`build`](Self::build).
    ///
    /// ```
    /// let client = abide::Client::builder().log_headers(["content-type", "server"]).build()?;
    /// # Ok::<(), abide::Error>(())
    /// ```
    pub fn log_headers<N>(mut self, names: impl IntoIterator<Item = N>) -> Self
    where
        N: TryInto<HeaderName>,
        N::Error: Into<http::Error>,
    {
        for name in names {
            match name.try_into() {
                Ok(name) => self.config.view.logged_headers.push(name),
                Err(e) => {
                    let error = Error::invalid("the name of a header to be logged is not a token");
                    let error = error.because(e.into());
                    self.error.get_or_insert(error);
                }
            }
        }
        self
    }
}
