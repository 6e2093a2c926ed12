//! A reply whose body is still on its way.

use std::{
    fmt,
    io::{self, BufRead, Read},
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
};

use bytes::{Buf, Bytes};
use http::{HeaderMap, StatusCode, Version};
use url::Url;

use super::Client;
use crate::{
    call::{self, ReplyBody},
    context::CallContext,
    error::Result,
    history::PastHop,
    observer::Happening,
    origin,
    proxy::Proxy,
    reply::{Reply, ReplyHead},
    reporter::Reporter,
    runtime::wait::wait,
    threads::Held,
    timings::Timings,
};

/// The head of a reply and, through [`Read`] and [`BufRead`], its body.
///
/// However large the body is, less than a megabyte of it is in memory; over HTTP/2 there may be as
/// much more as [`Limits::http2_stream_window`](crate::Limits::http2_stream_window) allows, 2 MiB by
/// default. Budgets and feedback of the call go on: `idle` counts while a read waits, `total` includes
/// the reading. Dropping it before the end closes the connection, or with HTTP/2 resets the stream, and
/// returns at once.
///
/// # Errors
/// A body that ends too early is an error, never a short success. An [`io::Error`] from a read
/// holds the [`Error`](crate::Error) as its inner error.
pub struct OpenReply {
    /// `None` only while it is being taken apart.
    parts: Option<Parts>,
    piece: Bytes,
}

pub(super) struct Parts {
    client: Client,
    cx: CallContext,
    reporter: Reporter,
    pub(super) head: ReplyHead,
    pub(super) body: ReplyBody,
    ended: bool,
    /// Until the body has ended.
    held: Option<Held>,
}

impl OpenReply {
    pub(super) fn new(
        client: Client,
        cx: CallContext,
        reporter: Reporter,
        head: ReplyHead,
        body: ReplyBody,
    ) -> Self {
        let held = Some(Held::of(&head.url));
        let parts = Parts { client, cx, reporter, head, body, ended: false, held };
        Self { parts: Some(parts), piece: Bytes::new() }
    }

    /// The status code; 400 and above is a reply like any other.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.parts().head.answer.status
    }

    /// The version of HTTP that is spoken.
    #[must_use]
    pub fn version(&self) -> Version {
        self.parts().head.answer.version
    }

    /// The header fields; see [`Reply::headers`].
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.parts().head.answer.headers
    }

    /// The first value of a header field, if it is there and is visible ASCII.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.parts().head.header(name)
    }

    /// The content codings that are undone while it is read; see [`Reply::decoded_from`].
    #[must_use]
    pub fn decoded_from(&self) -> Option<&str> {
        self.parts().head.decoded_from()
    }

    /// The length that `Content-Length` announced of the body as it comes, while
    /// [`decoded_from`](Self::decoded_from) names codings that are undone.
    #[must_use]
    pub fn encoded_length(&self) -> Option<u64> {
        self.parts().head.undone.as_ref()?.length
    }

    /// The length that `Content-Length` announces; not known of content that is decoded.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        self.header("content-length")?.parse().ok()
    }

    /// The URL that answered.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.parts().head.url
    }

    /// The hops before the one that answered; see [`Reply::history`].
    #[must_use]
    pub fn history(&self) -> &[PastHop] {
        &self.parts().head.history
    }

    /// The address of the other end of the connection: the proxy's, if there is one.
    #[must_use]
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.parts().head.answer.connection?.peer_addr
    }

    /// The proxy that the reply comes through, or from.
    #[must_use]
    pub fn proxy(&self) -> Option<&Proxy> {
        self.parts().head.answer.proxy.as_ref()
    }

    /// The address of this end of the connection.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.parts().head.answer.connection?.local_addr
    }

    /// A number that no other call of this process has.
    #[must_use]
    pub fn request_id(&self) -> u64 {
        self.parts().head.request_id
    }

    /// The file name that `Content-Disposition` suggests; see [`Reply::file_name`].
    #[must_use]
    pub fn file_name(&self) -> Option<String> {
        self.parts().head.file_name()
    }

    /// When the parts of the call happened, as far as it is.
    #[must_use]
    pub fn timings(&self) -> Timings {
        let parts = self.parts();
        parts.cx.watch.timings(parts.cx.started, parts.head.answer.connection)
    }

    /// The trailer fields (RFC 9110 §6.5), once the body was read to its end.
    #[must_use]
    pub fn trailers(&self) -> Option<&HeaderMap> {
        self.parts().body.trailers()
    }

    /// Makes a status of 400 and above an error that carries the whole reply.
    ///
    /// # Errors
    /// Kind [`Status`](crate::ErrorKind::Status), or what prevents the body from being received.
    pub fn error_for_status(self) -> Result<Self> {
        if !(self.status().is_client_error() || self.status().is_server_error()) {
            return Ok(self);
        }
        match self.into_reply()?.error_for_status() {
            Err(error) => Err(error),
            Ok(_) => Err(crate::Error::no_answer()),
        }
    }

    /// Receives what is left of the body and makes a [`Reply`] of it.
    ///
    /// # Errors
    /// As a read; a body above [`Limits::body_bytes`](crate::Limits::body_bytes) is of kind
    /// [`Limit`](crate::ErrorKind::Limit).
    pub fn into_reply(mut self) -> Result<Reply> {
        // Before it is taken apart: in a child process it is forgotten whole.
        self.parts().cx.same_process()?;
        let Some(parts) = self.parts.take() else { return Err(crate::Error::no_answer()) };
        let Parts { client, cx, mut reporter, head, body, ended, held: _held } = parts;
        let shown = origin::redacted(&head.url);
        let piece = std::mem::take(&mut self.piece);
        let rest = call::receive(&cx, &client.shared.means, (head, body), piece);
        let reply = wait(&cx, &mut reporter, pin!(rest));
        if !ended {
            client.ended(&cx, &mut reporter, reply.as_ref().map(Reply::status));
        }
        reply.map_err(|error| error.during(|| shown))
    }

    #[expect(clippy::expect_used, reason = "only what consumes it takes it apart")]
    pub(super) fn parts(&self) -> &Parts {
        self.parts.as_ref().expect("an open reply is whole until it is consumed")
    }

    fn next_piece(&mut self) -> Result<()> {
        let Some(parts) = &mut self.parts else { return Ok(()) };
        let Parts { client, cx, reporter, body, head, ended, held } = parts;
        cx.same_process()?;
        let piece = wait(cx, reporter, pin!(body.next(cx)));
        if !matches!(piece, Ok(Some(_))) && !std::mem::replace(ended, true) {
            *held = None;
            cx.call_ended();
            client.ended(cx, reporter, piece.as_ref().map(|_| head.answer.status));
        }
        let piece = piece.map_err(|error| error.during(|| origin::redacted(&head.url)))?;
        self.piece = piece.unwrap_or_default();
        Ok(())
    }
}

impl Read for OpenReply {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let bytes = self.fill_buf()?;
        let length = bytes.len().min(buf.len());
        buf[..length].copy_from_slice(&bytes[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for OpenReply {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.piece.is_empty() {
            self.next_piece()?;
        }
        Ok(&self.piece)
    }

    fn consume(&mut self, amount: usize) {
        self.piece.advance(amount);
    }
}

impl Drop for OpenReply {
    fn drop(&mut self) {
        let Some(parts) = self.parts.take() else { return };
        if !parts.client.is_usable_here() {
            // The other end is in the parent process; it must not be told anything.
            std::mem::forget(parts);
            return;
        }
        let Parts { cx, body, head, .. } = parts;
        // The exchange ends first, whatever the observer does.
        drop((body, head));
        cx.note_end(|| Happening::Abandoned);
        // Another panic than the one that may be passing by would end the process.
        let _ = catch_unwind(AssertUnwindSafe(|| cx.tell_observer()));
    }
}

impl fmt::Debug for OpenReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenReply")
            .field("status", &self.status())
            .field("url", &format_args!("{}", origin::redacted(self.url())))
            .finish_non_exhaustive()
    }
}
