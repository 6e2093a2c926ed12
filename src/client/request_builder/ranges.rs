//! What a request says about ranges.

use super::RequestBuilder;

impl RequestBuilder<'_> {
    /// Refuses the whole where a `Range` was asked for: an answer of 200 ends the call as soon as
    /// its head is there, with an error of kind [`Status`](crate::ErrorKind::Status).
    ///
    /// A server may ignore a `Range` (RFC 9110 §14.2), and its whole content may be far more than
    /// was wanted. Without a `Range`, and for a `HEAD`, this says nothing.
    ///
    /// ```no_run
    /// let client = abide::Client::new();
    /// let call = client.get("http://localhost:8080/large.tif").header("range", "bytes=0-16383");
    /// assert_eq!(call.only_partial(true).send()?.status(), 206);
    /// # Ok::<(), abide::Error>(())
    /// ```
    pub fn only_partial(self, only_partial: bool) -> Self {
        self.change(|request| {
            request.only_partial = only_partial;
            Ok(())
        })
    }
}
