//! What the pool tells about itself.

/// A consistent snapshot of a client's connections and calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub(super) connections_opened: u64,
    pub(super) calls: u64,
    pub(super) open: usize,
    pub(super) idle: usize,
    pub(super) active: usize,
    pub(super) queued: usize,
    pub(super) dialing: usize,
}

impl Stats {
    /// Connections opened so far.
    #[must_use]
    pub const fn connections_opened(&self) -> u64 {
        self.connections_opened
    }

    /// Calls that asked for a connection so far.
    #[must_use]
    pub const fn calls(&self) -> u64 {
        self.calls
    }

    /// Connections open now.
    #[must_use]
    pub const fn open(&self) -> usize {
        self.open
    }

    /// Open connections that carry no call.
    #[must_use]
    pub const fn idle(&self) -> usize {
        self.idle
    }

    /// Open connections that carry calls, or are just being closed.
    #[must_use]
    pub const fn active(&self) -> usize {
        self.active
    }

    /// Calls that wait for a connection.
    #[must_use]
    pub const fn queued(&self) -> usize {
        self.queued
    }

    /// Connections being opened.
    #[must_use]
    pub const fn dialing(&self) -> usize {
        self.dialing
    }
}
