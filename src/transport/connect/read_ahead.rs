//! Reads below TLS as much as there is, and hands it on in the small pieces that TLS asks for.
//!
//! rustls asks for four kilobytes at a time, so a record would be four or five system calls, and a
//! body of 64 KiB nearly twenty.

use std::{
    future::Future,
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// A stream that is read ahead while it has more to give than was asked for.
#[derive(Debug)]
pub(crate) struct ReadAhead<S> {
    stream: S,
    /// What was read and not yet asked for; without space of its own while nothing was.
    ahead: BytesMut,
    /// Whether the last read filled all the space that it was given.
    has_more: bool,
    /// Whether the space is kept when it is empty.
    keeps_space: bool,
}

impl<S> ReadAhead<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, ahead: BytesMut::new(), has_more: false, keeps_space: false }
    }

    pub(super) const fn below(&self) -> &S {
        &self.stream
    }

    /// Keeps the space for good: many share the connection, so it is needed again soon.
    pub(super) const fn keep_space(&mut self) {
        self.keeps_space = true;
    }
}

impl<S: AsyncRead + Unpin> ReadAhead<S> {
    /// Reads as much as there is, up to the space.
    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.ahead.reserve(SPACE);
        let read = pin!(self.stream.read_buf(&mut self.ahead)).poll(cx);
        self.has_more = self.ahead.len() >= SPACE;
        self.free_space();
        read.map_ok(|_| ())
    }

    /// Gives the space back if nothing is in it.
    fn free_space(&mut self) {
        if self.ahead.is_empty() && !self.keeps_space {
            self.ahead = BytesMut::new();
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ReadAhead<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.ahead.is_empty() {
            if !this.has_more && !this.keeps_space {
                let wanted = buf.remaining();
                ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
                this.has_more = wanted > 0 && buf.remaining() == 0;
                return Poll::Ready(Ok(()));
            }
            // Nothing at all is the end.
            ready!(this.poll_ahead(cx))?;
        }
        let bytes = this.ahead.len().min(buf.remaining());
        buf.put_slice(&this.ahead[..bytes]);
        this.ahead.advance(bytes);
        this.free_space();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ReadAhead<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Four records of TLS.
const SPACE: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, task::Waker};

    use super::*;

    /// Gives what is there, as a socket does, and nothing more until the next arrival.
    #[derive(Default)]
    struct Socket {
        arrivals: VecDeque<Vec<u8>>,
        reads: usize,
    }

    impl AsyncRead for Socket {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            self.reads += 1;
            let Some(arrived) = self.arrivals.front_mut() else { return Poll::Pending };
            let bytes = arrived.len().min(buf.remaining());
            buf.put_slice(&arrived[..bytes]);
            arrived.drain(..bytes);
            if arrived.is_empty() && bytes > 0 {
                self.arrivals.pop_front();
            }
            Poll::Ready(Ok(()))
        }
    }

    fn bytes(count: usize) -> Vec<u8> {
        (0..=250).cycle().take(count).collect()
    }

    /// Reads in pieces of four kilobytes until there is nothing more.
    fn drain(stream: &mut ReadAhead<Socket>) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let mut space = [0; 4096];
            let mut piece = ReadBuf::new(&mut space);
            let mut cx = Context::from_waker(Waker::noop());
            match Pin::new(&mut *stream).poll_read(&mut cx, &mut piece) {
                Poll::Ready(Ok(())) if !piece.filled().is_empty() => {
                    all.extend_from_slice(piece.filled());
                }
                _ => return all,
            }
        }
    }

    #[track_caller]
    fn check(keeps_space: bool, arrivals: &[usize], reads: usize) {
        let mut stream = ReadAhead::new(Socket::default());
        if keeps_space {
            stream.keep_space();
        }
        for count in arrivals {
            stream.stream.arrivals.push_back(bytes(*count));
            assert_eq!(drain(&mut stream), bytes(*count));
        }
        assert_eq!(stream.stream.reads, reads);
        assert_eq!(stream.ahead.capacity() > 0, keeps_space);
    }

    #[test]
    fn large_arrivals_take_few_reads_and_small_ones_no_space() {
        // Each arrival ends with a read that finds nothing.
        check(false, &[], 0);
        check(false, &[100, 4095], 4);
        check(false, &[4096], 2);
        check(false, &[60_000], 3);
        check(false, &[4096 + SPACE + 10], 4);
        check(false, &[60_000, 10, 10], 7);
        check(true, &[10, 60_000, 10], 6);
        check(true, &[SPACE + 1], 3);
    }

    #[test]
    fn the_end_comes_after_what_was_read_ahead() {
        let mut stream = ReadAhead::new(Socket::default());
        stream.stream.arrivals.extend([bytes(50_000), Vec::new()]);
        assert_eq!(drain(&mut stream), bytes(50_000));
        assert_eq!(drain(&mut stream), Vec::<u8>::new());
    }
}
