//! Finds a client's RST_STREAM frames on their way into the `h2` crate, which does not tell of
//! all of them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::ledger::{Ledger, StreamReset};

/// A stream that notes each RST_STREAM read through it.
pub(super) struct FrameTally<S> {
    stream: S,
    ledger: Arc<Ledger>,
    /// Bytes to pass over before the next frame's head: the preface, then payloads.
    skip: usize,
    /// The head of the frame being read and the first word of its payload.
    frame: Vec<u8>,
}

impl<S> FrameTally<S> {
    pub(super) fn new(stream: S, ledger: Arc<Ledger>) -> Self {
        Self { stream, ledger, skip: PREFACE, frame: Vec::new() }
    }

    fn note(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let wanted = (self.frame_known() - self.frame.len()).min(bytes.len());
            self.frame.extend_from_slice(&bytes[..wanted]);
            bytes = &bytes[wanted..];
            if self.frame.len() == self.frame_known() {
                self.note_frame();
            }
        }
    }

    /// How much of a frame is kept: its head, and a word more where that tells something.
    fn frame_known(&self) -> usize {
        match self.frame.get(3) {
            Some(&RST_STREAM) => HEAD + 4,
            _ => HEAD,
        }
    }

    fn note_frame(&mut self) {
        let frame = std::mem::take(&mut self.frame);
        let word = |at: usize| {
            u32::from_be_bytes([frame[at], frame[at + 1], frame[at + 2], frame[at + 3]])
        };
        let payload = usize::try_from(word(0) >> 8).expect("24 bits");
        self.skip = payload - (frame.len() - HEAD);
        if frame[3] == RST_STREAM {
            let reset = StreamReset { stream: word(5), reason: word(HEAD) };
            self.ledger.write(|state| state.resets.push(reset));
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FrameTally<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        self.note(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FrameTally<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

const PREFACE: usize = 24;
const HEAD: usize = 9;
const RST_STREAM: u8 = 3;
