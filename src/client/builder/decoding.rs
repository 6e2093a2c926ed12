//! Whether a client decodes replies.

use super::ClientBuilder;

impl ClientBuilder {
    /// Whether replies are asked for in content codings and decoded; they are by default.
    ///
    /// Offered is what the features `gzip` (with deflate), `brotli` and `zstd` can undo, unless the
    /// request has an `Accept-Encoding` of its own or a `Range`; only what was offered is decoded.
    /// The reply then has neither `Content-Encoding` nor `Content-Length`:
    /// [`Reply::decoded_from`](crate::Reply::decoded_from) and
    /// [`encoded_length`](crate::Reply::encoded_length) tell what they were. Data that are wrong or
    /// end too early are an error of kind [`Decode`](crate::ErrorKind::Decode); see
    /// [`Limits::decode_ratio`](crate::Limits::decode_ratio) for those that are too good to be true.
    pub fn decoding(mut self, decodes: bool) -> Self {
        self.config.decodes = decodes;
        self
    }
}
