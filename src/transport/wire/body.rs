//! The body of a request as hyper takes it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use crate::{
    error::Error,
    phase::Phase,
    transport::{bridge::Upload, pipe},
    watch::Watch,
};

/// Hands an upload to hyper in pieces, and tells the watch how far it is.
#[derive(Debug)]
pub(crate) struct WireBody {
    upload: Upload,
    watch: Arc<Watch>,
    position: u64,
    ended: bool,
}

impl WireBody {
    pub(super) fn new(upload: Upload, watch: Arc<Watch>) -> Self {
        let mut body = Self { upload, watch, position: 0, ended: false };
        if body.nothing_left() {
            body.ended = true;
            body.watch.skip_sending();
        }
        body
    }

    fn nothing_left(&self) -> bool {
        match &self.upload {
            Upload::Empty => true,
            Upload::Bytes(bytes) => bytes.is_empty(),
            Upload::Pipe { length, .. } => *length == Some(self.position),
        }
    }

    /// Everything is sent: from now on it is the server's turn.
    fn end(&mut self) {
        self.ended = true;
        self.watch.advance(Phase::Send, Phase::FirstByte);
    }

    fn took(&mut self, bytes: usize) {
        self.position += bytes as u64;
        self.watch.sent(self.position);
        if self.nothing_left() {
            self.end();
        }
    }

    fn poll_chunk(chunks: &pipe::Receiver, cx: &Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        Poll::Ready(match ready!(chunks.poll_next(cx)) {
            Ok(pipe::Received::Chunk(chunk)) => Some(Ok(chunk)),
            Ok(pipe::Received::End(_)) => None,
            Err(error) => Some(Err(error)),
        })
    }
}

impl Body for WireBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let next = match &mut self.upload {
            Upload::Empty => None,
            Upload::Bytes(bytes) if bytes.is_empty() => None,
            Upload::Bytes(bytes) => Some(Ok(bytes.split_to(bytes.len().min(PIECE_BYTES)))),
            Upload::Pipe { chunks, .. } => ready!(Self::poll_chunk(chunks, cx)),
        };
        match next {
            Some(Ok(chunk)) => {
                self.took(chunk.len());
                Poll::Ready(Some(Ok(Frame::data(chunk))))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(error))),
            None => {
                self.end();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        match &self.upload {
            Upload::Empty => SizeHint::with_exact(0),
            Upload::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Upload::Pipe { length: Some(length), .. } => {
                SizeHint::with_exact(length - self.position)
            }
            Upload::Pipe { length: None, .. } => SizeHint::default(),
        }
    }
}

/// So that the progress of a large upload can be seen.
const PIECE_BYTES: usize = 128 << 10;
