//! What went over one connection so far.

use std::{
    net::SocketAddr,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use crate::moment::Moment;

/// Counters of one connection's plain-text bytes, written by its lane, read by anyone.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// The number of the connection.
    connection: u64,
    /// Who is at its other end, unless that is no address.
    peer: Option<SocketAddr>,
    exchanges: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
    last_sent: AtomicU64,
    write_failed: AtomicBool,
    was_flooded: AtomicBool,
    /// What TLS said when it failed after the handshake.
    tls_failure: OnceLock<Box<str>>,
    /// Up to which position may be received at present; 0 for no bound.
    allowed: AtomicU64,
    /// Most bytes that are read at once; 0 for no bound.
    read_max: AtomicUsize,
    /// One more than had been received when the connection became suspect; 0 if it never did.
    suspect_at: AtomicU64,
}

impl Traffic {
    /// Of a connection with a number of its own.
    pub(crate) fn of_next_connection(peer: Option<SocketAddr>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self { connection: NEXT.fetch_add(1, Ordering::Relaxed), peer, ..Self::default() }
    }

    pub(crate) const fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// The number of the connection.
    pub(crate) const fn connection(&self) -> u64 {
        self.connection
    }

    /// Counts one more exchange; how many there were before.
    pub(crate) fn begin_exchange(&self) -> u64 {
        self.exchanges.fetch_add(1, Ordering::Relaxed)
    }

    /// How many exchanges have begun.
    pub(crate) fn exchanges(&self) -> u64 {
        self.exchanges.load(Ordering::Relaxed)
    }

    /// Bounds what may come before the exchange gets further.
    pub(crate) fn allow(&self, bytes: u64) {
        self.allowed.store(self.received().saturating_add(bytes), Ordering::Relaxed);
    }

    /// Whether more came than was allowed.
    pub(crate) fn is_excessive(&self) -> bool {
        let allowed = self.allowed.load(Ordering::Relaxed);
        allowed > 0 && self.received() > allowed
    }

    /// Bounds what is read at once, until the next word; 0 for no bound.
    pub(crate) fn read_at_most(&self, bytes: usize) {
        self.read_max.store(bytes, Ordering::Relaxed);
    }

    /// How much of a buffer may be filled at once: not more than is allowed, as one read brings an
    /// exchange further than it could have said before.
    pub(crate) fn readable(&self, space: usize) -> usize {
        let space = match self.read_max.load(Ordering::Relaxed) {
            0 => space,
            max => space.min(max),
        };
        let left = match self.allowed.load(Ordering::Relaxed) {
            0 => usize::MAX,
            allowed => {
                usize::try_from(allowed.saturating_sub(self.received())).unwrap_or(usize::MAX)
            }
        };
        // The byte that is too many has to be seen.
        space.min(left.max(1))
    }

    /// A call has timed out: no other call should begin here until a byte comes.
    pub(crate) fn suspect(&self) {
        self.suspect_at.store(self.received() + 1, Ordering::Relaxed);
    }

    pub(crate) fn is_suspect(&self) -> bool {
        self.suspect_at.load(Ordering::Relaxed) == self.received() + 1
    }

    /// Whether a byte has come since it became suspect; told once.
    #[cfg_attr(not(feature = "http2"), expect(dead_code, reason = "only what is shared is asked"))]
    pub(crate) fn is_trusted_again(&self) -> bool {
        let at = self.suspect_at.load(Ordering::Relaxed);
        let is_over = at != 0 && at != self.received() + 1;
        let told = || self.suspect_at.compare_exchange(at, 0, Ordering::Relaxed, Ordering::Relaxed);
        is_over && told().is_ok()
    }

    pub(crate) fn add_received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn add_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
        self.last_sent.store(Moment::now().nanos(), Ordering::Relaxed);
    }

    pub(crate) fn note_write_failure(&self) {
        self.write_failed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn write_failed(&self) -> bool {
        self.write_failed.load(Ordering::Relaxed)
    }

    /// The peer sent on and on what carries nothing.
    #[cfg_attr(not(feature = "http2"), expect(dead_code, reason = "only HTTP/2 has such frames"))]
    pub(crate) fn note_flood(&self) {
        self.was_flooded.store(true, Ordering::Relaxed);
    }

    pub(crate) fn was_flooded(&self) -> bool {
        self.was_flooded.load(Ordering::Relaxed)
    }

    /// TLS failed: h2 keeps no more than the text of an error, and hyper nothing at all of one that
    /// came before the request.
    #[cold]
    pub(crate) fn note_tls_failure(&self, error: &std::io::Error) {
        let _ = self.tls_failure.set(error.to_string().into());
    }

    pub(crate) fn tls_failure(&self) -> Option<&str> {
        self.tls_failure.get().map(AsRef::as_ref)
    }

    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    pub(crate) fn last_sent(&self) -> Moment {
        Moment::from_nanos(self.last_sent.load(Ordering::Relaxed))
    }
}
