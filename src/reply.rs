//! What the server answered.

use std::{fmt, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, Version, header};
use url::Url;

use crate::{
    answer_head::AnswerHead,
    caching::{CacheReport, NotStored},
    charset, content_disposition,
    error::{Error, Result},
    history::PastHop,
    origin,
    proxy::Proxy,
    reply_headers::ReplyHeaders,
    timings::Timings,
    trailers::Trailers,
};

/// A complete reply: head, body, trailers and how it came.
///
/// Cloning copies one pointer; clones may be read by any number of threads.
///
/// ```no_run
/// let reply = abide::get("http://localhost:8080/")?.error_for_status()?;
/// println!("{} {}", reply.status(), reply.text());
/// # Ok::<(), abide::Error>(())
/// ```
#[derive(Clone)]
pub struct Reply(Arc<Contents>);

#[derive(Default)]
struct Contents {
    head: ReplyHead,
    body: Bytes,
    trailers: Trailers,
    timings: Timings,
}

/// What is known of a reply before its body.
#[derive(Clone, Debug)]
pub(crate) struct ReplyHead {
    pub(crate) answer: Box<AnswerHead>,
    pub(crate) url: Url,
    pub(crate) request_id: u64,
    pub(crate) history: Vec<PastHop>,
    pub(crate) undone: Option<Undone>,
}

/// What the head said of the content before its codings were undone.
#[derive(Clone, Debug)]
pub(crate) struct Undone {
    pub(crate) codings: HeaderValue,
    pub(crate) length: Option<u64>,
}

impl ReplyHead {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.answer.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn decoded_from(&self) -> Option<&str> {
        self.undone.as_ref()?.codings.to_str().ok()
    }

    /// Takes over what became of storing the body, once that is known.
    pub(crate) fn note_stored(&mut self, stored: Option<Result<(), NotStored>>) {
        if let Some(report) = &mut self.answer.cache
            && stored.is_some()
        {
            report.stored = stored;
        }
    }

    pub(crate) fn file_name(&self) -> Option<String> {
        let value = self.answer.headers.get(header::CONTENT_DISPOSITION)?;
        content_disposition::file_name(value.as_bytes())
    }
}

impl Reply {
    pub(crate) fn new(head: ReplyHead, body: Bytes, trailers: Trailers, timings: Timings) -> Self {
        Self(Arc::new(Contents { head, body, trailers, timings }))
    }

    /// The status code; 400 and above is a reply like any other.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.head.answer.status
    }

    /// The version of HTTP that was spoken.
    #[must_use]
    pub fn version(&self) -> Version {
        self.0.head.answer.version
    }

    /// The header fields as they came, but for a body that was decoded: it has no
    /// `Content-Encoding` and no `Content-Length`, which told of something else; see
    /// [`decoded_from`](Self::decoded_from).
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.0.head.answer.headers
    }

    /// The first value of a header field, if it is there and is visible ASCII.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.head.header(name)
    }

    /// The trailer fields, sent after the body (RFC 9110 §6.5).
    #[must_use]
    pub fn trailers(&self) -> &HeaderMap {
        &self.0.trailers
    }

    /// The URL that answered.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0.head.url
    }

    /// The hops before the one that answered, the first one first: what was redirected.
    #[must_use]
    pub fn history(&self) -> &[PastHop] {
        &self.0.head.history
    }

    /// The content codings that were undone, as `Content-Encoding` named them.
    #[must_use]
    pub fn decoded_from(&self) -> Option<&str> {
        self.0.head.decoded_from()
    }

    /// How long the body was as it came, if it was decoded.
    #[must_use]
    pub fn encoded_length(&self) -> Option<u64> {
        self.0.head.undone.as_ref()?.length
    }

    /// The body: as it came, or decoded if it came in a content coding that the client had
    /// offered.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.0.body
    }

    /// The body as text.
    ///
    /// The encoding is taken from a byte order mark, the `charset` of `Content-Type`, or a
    /// `<meta>` in the first 1024 bytes, else UTF-8; what cannot be decoded becomes U+FFFD.
    /// Without the feature `charset` it is always UTF-8.
    #[must_use]
    pub fn text(&self) -> String {
        charset::decode(self.header(header::CONTENT_TYPE.as_str()), &self.0.body)
    }

    /// The body read as JSON.
    ///
    /// # Errors
    /// Kind [`Decode`](crate::ErrorKind::Decode) if it is not JSON or not of that shape.
    #[cfg(feature = "json")]
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.0.body).map_err(|e| {
            Error::new(crate::error::ErrorKind::Decode, "the body is not the expected JSON")
                .because(e)
                .during(|| origin::redacted(self.url()))
        })
    }

    /// Makes a status of 400 and above an error that carries the reply.
    ///
    /// # Errors
    /// Kind [`Status`](crate::ErrorKind::Status); see [`Error::reply`].
    pub fn error_for_status(self) -> Result<Self> {
        if self.status().is_client_error() || self.status().is_server_error() {
            let shown = origin::redacted(self.url());
            return Err(Error::from_status(self).during(|| shown));
        }
        Ok(self)
    }

    /// The address of the other end of the connection: the proxy's, if there is one.
    #[must_use]
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.0.head.answer.connection?.peer_addr
    }

    /// The proxy that the reply came through, or from.
    #[must_use]
    pub fn proxy(&self) -> Option<&Proxy> {
        self.0.head.answer.proxy.as_ref()
    }

    /// The address of this end of the connection.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.0.head.answer.connection?.local_addr
    }

    /// A number that no other call of this process has, from 1; 0 for an empty reply.
    #[must_use]
    pub fn request_id(&self) -> u64 {
        self.0.head.request_id
    }

    /// How often the request of the last hop was sent or tried to be sent.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.head.answer.attempts
    }

    /// Whether the connection had carried another call before.
    #[must_use]
    pub fn reused_connection(&self) -> bool {
        self.0.head.answer.connection.is_some_and(|connection| connection.is_reused)
    }

    /// Where the reply came from, if the client has a cache.
    #[must_use]
    pub fn cache(&self) -> Option<CacheReport> {
        self.0.head.answer.cache
    }

    /// The file name that `Content-Disposition` suggests, safe to use in a folder (RFC 6266).
    ///
    /// `filename*` (RFC 8187) wins over `filename`; only the last part of a path is kept.
    #[must_use]
    pub fn file_name(&self) -> Option<String> {
        self.0.head.file_name()
    }

    /// When the parts of the call happened.
    #[must_use]
    pub fn timings(&self) -> &Timings {
        &self.0.timings
    }

    /// A reply that no server sent: status 200, nothing in it, request id 0.
    pub(crate) fn empty() -> Self {
        static EMPTY: std::sync::LazyLock<Reply> =
            std::sync::LazyLock::new(|| Reply(Arc::new(Contents::default())));
        EMPTY.clone()
    }
}

impl Default for ReplyHead {
    fn default() -> Self {
        Self {
            answer: Box::new(AnswerHead::local(
                StatusCode::OK,
                Version::HTTP_11,
                ReplyHeaders::default(),
            )),
            url: NOWHERE.clone(),
            request_id: 0,
            history: Vec::new(),
            undone: None,
        }
    }
}

static NOWHERE: std::sync::LazyLock<Url> = std::sync::LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "a constant that a test reads")]
    Url::parse("about:blank").expect("a constant URL")
});

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.status())
            .field("version", &self.version())
            .field("url", &format_args!("{}", origin::redacted(self.url())))
            .field("body_bytes", &self.0.body.len())
            .finish_non_exhaustive()
    }
}
