//! Watches the frames of an HTTP/2 connection go by: cuts floods off, and tells of news.
//!
//! h2 itself bounds header blocks, continuations and small DATA frames. What it answers or passes
//! over, PING, SETTINGS, WINDOW_UPDATE, PRIORITY, RST_STREAM, unknown frames, empty DATA, interim
//! replies, it takes without end, and each costs the lane a turn (CVE-2019-9512, -9515, -9518 are of
//! this kind). Here each costs credit, which grows with what is really exchanged, and with time.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
};

use crate::{moment::Moment, traffic::Traffic};

/// What the connection's own task and its sentry tell each other.
#[derive(Debug, Default)]
pub(super) struct Watchword {
    /// Wakes the connection's task: there is something to look at.
    pub(super) news: Notify,
    /// How many exchanges have begun.
    pub(super) exchanges: AtomicUsize,
}

/// A stream that looks at each frame that is read through it.
#[derive(Debug)]
pub(super) struct Sentry<S> {
    stream: S,
    watchword: Arc<Watchword>,
    traffic: Arc<Traffic>,
    frames: Frames,
    credit: Credit,
    exchanges_seen: usize,
}

impl<S> Sentry<S> {
    pub(super) fn new(stream: S, watchword: Arc<Watchword>, traffic: Arc<Traffic>) -> Self {
        let credit = Credit { left: CREDIT_MAX, grown_at: Moment::now() };
        Self { stream, watchword, traffic, frames: Frames::default(), credit, exchanges_seen: 0 }
    }

    fn look_at(&mut self, bytes: &[u8]) -> io::Result<()> {
        let seen = self.frames.read(bytes);
        let exchanges = self.watchword.exchanges.load(Ordering::Relaxed);
        let begun = exchanges.wrapping_sub(self.exchanges_seen);
        self.exchanges_seen = exchanges;
        let earned = begun.saturating_mul(CREDIT_OF_EXCHANGE) + seen.content / BYTES_OF_CREDIT;
        self.credit.earn(earned);
        if !self.credit.spend(seen.idle_frames, Moment::now) {
            self.traffic.note_flood();
            return Err(io::Error::other("a flood of frames without content"));
        }
        // Whoever made it suspect, those who wait may have its streams again.
        if seen.settings || self.traffic.is_trusted_again() {
            self.watchword.news.notify_one();
        }
        Ok(())
    }
}

/// What went by in one read.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    /// Frames that carry nothing for a call, or no more than a head.
    idle_frames: usize,
    /// Bytes of content.
    content: usize,
    settings: bool,
}

/// Where in the frames the reading is (RFC 9113 §4.1).
#[derive(Debug, Default)]
struct Frames {
    head: [u8; HEAD],
    /// How much of the next frame's head is known.
    known: usize,
    /// Bytes of the present frame's payload to pass over.
    skip: usize,
    is_content: bool,
}

impl Frames {
    fn read(&mut self, mut bytes: &[u8]) -> Seen {
        let mut seen = Seen::default();
        loop {
            let passed = self.skip.min(bytes.len());
            self.skip -= passed;
            seen.content += if self.is_content { passed } else { 0 };
            bytes = &bytes[passed..];
            if bytes.is_empty() {
                return seen;
            }
            let taken = (HEAD - self.known).min(bytes.len());
            self.head[self.known..self.known + taken].copy_from_slice(&bytes[..taken]);
            self.known += taken;
            bytes = &bytes[taken..];
            if self.known == HEAD {
                self.begin_frame(&mut seen);
            }
        }
    }

    fn begin_frame(&mut self, seen: &mut Seen) {
        let [high, middle, low, kind, flags, ..] = self.head;
        self.known = 0;
        self.skip = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        self.is_content = kind == DATA;
        seen.settings |= kind == SETTINGS && flags & ACK == 0;
        let is_useful = kind == DATA && (self.skip > 0 || flags & END_STREAM != 0);
        seen.idle_frames += usize::from(!is_useful);
    }
}

/// How many idle frames may still come.
#[derive(Debug)]
struct Credit {
    left: usize,
    grown_at: Moment,
}

impl Credit {
    fn earn(&mut self, credit: usize) {
        self.left = (self.left + credit).min(CREDIT_MAX);
    }

    /// Pays for frames; false if there is not enough. The clock is asked only if it seems so.
    fn spend(&mut self, frames: usize, now: impl FnOnce() -> Moment) -> bool {
        if frames > self.left {
            let now = now();
            let intervals = now.since(self.grown_at).as_nanos() / CREDIT_INTERVAL.as_nanos();
            self.earn(usize::try_from(intervals).unwrap_or(CREDIT_MAX).min(CREDIT_MAX));
            self.grown_at = now;
        }
        let is_enough = frames <= self.left;
        self.left = self.left.saturating_sub(frames);
        is_enough
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Sentry<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        Poll::Ready(self.look_at(&buf.filled()[before..]))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Sentry<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let bytes = ready!(Pin::new(&mut self.stream).poll_write(cx, buf))?;
        self.credit.earn(bytes / BYTES_OF_CREDIT);
        Poll::Ready(Ok(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let bytes = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, bufs))?;
        self.credit.earn(bytes / BYTES_OF_CREDIT);
        Poll::Ready(Ok(bytes))
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

/// What comes at once at most: more than any server has reason to.
const CREDIT_MAX: usize = 10_000;
/// A head, interim replies, trailers, window updates, a reset.
const CREDIT_OF_EXCHANGE: usize = 16;
/// A peer may send a window update or two for each frame of content.
const BYTES_OF_CREDIT: usize = 256;
/// A hundred each second: pings, and settings now and then.
const CREDIT_INTERVAL: Duration = Duration::from_millis(10);

const HEAD: usize = 9;
const DATA: u8 = 0;
const SETTINGS: u8 = 4;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
        let length = u32::try_from(payload).expect("a short frame").to_be_bytes();
        let mut bytes = vec![length[1], length[2], length[3], kind, flags, 0, 0, 0, 1];
        bytes.resize(HEAD + payload, 0);
        bytes
    }

    #[track_caller]
    fn check(bytes: &[u8], idle_frames: usize, content: usize, settings: bool) {
        let expected = Seen { idle_frames, content, settings };
        assert_eq!(Frames::default().read(bytes), expected);
        // The same in pieces of any size.
        for size in 1..20 {
            let mut frames = Frames::default();
            let mut sum = Seen::default();
            for piece in bytes.chunks(size) {
                let seen = frames.read(piece);
                sum.idle_frames += seen.idle_frames;
                sum.content += seen.content;
                sum.settings |= seen.settings;
            }
            assert_eq!(sum, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn rfc_9113_section_4_1_frames_are_told_apart_in_pieces_of_any_size() {
        const HEADERS: u8 = 1;
        const PING: u8 = 6;
        check(&[], 0, 0, false);
        check(&frame(DATA, 0, 700), 0, 700, false);
        check(&frame(DATA, END_STREAM, 0), 0, 0, false);
        check(&frame(DATA, 0, 0), 1, 0, false);
        check(&frame(PING, 0, 8), 1, 0, false);
        check(&frame(SETTINGS, 0, 12), 1, 0, true);
        check(&frame(SETTINGS, ACK, 0), 1, 0, false);
        let mixed = [frame(HEADERS, 4, 30), frame(DATA, 1, 5), frame(PING, 1, 8)].concat();
        check(&mixed, 2, 5, false);
        check(&mixed[..HEAD + 30 + HEAD + 2], 1, 2, false);
    }

    #[test]
    fn credit_is_spent_earned_and_grows_with_time() {
        let at = |seconds| Moment::ZERO.plus(Duration::from_secs(seconds));
        let mut credit = Credit { left: CREDIT_MAX, grown_at: at(0) };
        assert!(credit.spend(CREDIT_MAX, || unreachable!()));
        assert!(!credit.spend(1, || at(0)));
        credit.earn(5);
        assert!(credit.spend(5, || unreachable!()));
        assert!(credit.spend(100, || at(1)));
        assert!(!credit.spend(101, || at(2)));
        assert!(credit.spend(CREDIT_MAX, || at(1000)));
        credit.earn(usize::MAX / 2);
        assert!(!credit.spend(CREDIT_MAX + 1, || at(2000)));
    }
}
