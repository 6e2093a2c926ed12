//! Whether the reply of one request is decoded.

use super::RequestBuilder;

impl RequestBuilder<'_> {
    /// Whether the reply is asked for in content codings and decoded; as the client by default.
    ///
    /// See [`ClientBuilder::decoding`](crate::ClientBuilder::decoding).
    pub fn decoding(self, decodes: bool) -> Self {
        self.change(|request| {
            request.decodes = Some(decodes);
            Ok(())
        })
    }
}
