//! A stream that counts, and that survives a failed write long enough to read the answer.

use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::{connect::is_tls_failure, pool::Place};
use crate::traffic::Traffic;

/// Counts the plain-text bytes of a stream each way, and holds its place while it is open.
///
/// With HTTP/1.1 a server that refuses an upload answers and resets. The write then fails before the answer was
/// read, so a write error only stops the writing: it is noted, further writes wait for ever, and
/// reading goes on until it gives the answer, the end, or the error.
#[derive(Debug)]
pub(crate) struct Watched<S> {
    stream: S,
    traffic: Arc<Traffic>,
    /// Whether reading goes on after a failed write: not where the writer waits for its end.
    reads_on: bool,
    /// How writing failed, until the last words of the peer were read.
    failed: Option<io::Error>,
    /// Given back when the socket is closed, so it comes after the stream.
    _place: Place,
}

impl<S> Watched<S> {
    pub(crate) const fn new(
        stream: S,
        traffic: Arc<Traffic>,
        reads_on: bool,
        place: Place,
    ) -> Self {
        Self { stream, traffic, reads_on, failed: None, _place: place }
    }
}

impl<S: AsyncRead + Unpin> Watched<S> {
    fn written(
        &mut self,
        cx: &mut Context<'_>,
        result: io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        match result {
            Ok(bytes) => {
                self.traffic.add_sent(bytes);
                Poll::Ready(Ok(bytes))
            }
            Err(_) if self.reads_on => {
                self.traffic.note_write_failure();
                Poll::Pending
            }
            Err(error) if is_closed(&error) => {
                self.failed = Some(error);
                self.poll_last_words(cx)
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Fails as writing has failed, when all has been read that came before the peer closed.
    ///
    /// A server that refuses the client's certificate in TLS 1.3 says so and resets, and what is
    /// written then fails before its alert is read.
    fn poll_last_words(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut space = [0; 1024];
        loop {
            let mut words = ReadBuf::new(&mut space);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut words)) {
                Ok(()) if words.filled().is_empty() => break,
                Ok(()) => {}
                Err(error) => {
                    self.note(&error);
                    break;
                }
            }
        }
        let failed = self.failed.take().unwrap_or_else(|| io::ErrorKind::BrokenPipe.into());
        Poll::Ready(Err(failed))
    }
}

impl<S> Watched<S> {
    fn note(&self, error: &io::Error) {
        if is_tls_failure(error) {
            self.traffic.note_tls_failure(error);
        }
    }
}

fn is_closed(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

/// A stream that can be made to forget what it has not sent yet.
pub(crate) trait ResetOnClose {
    /// Has the peer told at once when the stream is closed, by a reset.
    fn reset_on_close(&self);
}

impl<S: ResetOnClose> ResetOnClose for Watched<S> {
    fn reset_on_close(&self) {
        self.stream.reset_on_close();
    }
}

/// The peer sends on and on without getting further: a head without end, framing without content.
#[derive(Debug)]
pub(super) struct Excessive;

impl fmt::Display for Excessive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too many bytes without progress")
    }
}

impl std::error::Error for Excessive {}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.traffic.is_excessive() {
            // Looked at before a read, so that one large read with much content in it is fine.
            return Poll::Ready(Err(io::Error::other(Excessive)));
        }
        let (before, space) = (buf.filled().len(), buf.remaining());
        let most = self.traffic.readable(space);
        let read = if most < space {
            Pin::new(&mut (&mut self.stream).take(most as u64)).poll_read(cx, buf)
        } else {
            Pin::new(&mut self.stream).poll_read(cx, buf)
        };
        if let Err(error) = ready!(read) {
            self.note(&error);
            return Poll::Ready(Err(error));
        }
        let bytes = buf.filled().len() - before;
        if bytes > 0 {
            self.traffic.add_received(bytes);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.traffic.write_failed() {
            return Poll::Pending;
        }
        if self.failed.is_some() {
            return self.poll_last_words(cx);
        }
        let result = ready!(Pin::new(&mut self.stream).poll_write(cx, buf));
        self.written(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.traffic.write_failed() {
            return Poll::Pending;
        }
        if self.failed.is_some() {
            return self.poll_last_words(cx);
        }
        let result = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, bufs));
        self.written(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.traffic.write_failed() {
            return Poll::Pending;
        }
        if self.failed.is_some() {
            return self.poll_last_words(cx).map_ok(|_| ());
        }
        match ready!(Pin::new(&mut self.stream).poll_flush(cx)) {
            Ok(()) => Poll::Ready(Ok(())),
            Err(error) => self.written(cx, Err(error)).map_ok(|_| ()),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
