//! Points in time that fit into an atomic, so that a lane and a caller can share them.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

/// Nanoseconds since the first use in this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    /// Later than any other.
    pub(crate) const NEVER: Self = Self(u64::MAX);
    /// Not later than any other; marks "has not happened".
    pub(crate) const ZERO: Self = Self(0);

    pub(crate) fn now() -> Self {
        // One at least, so that a real moment is never `ZERO`.
        Self(u64::try_from(EPOCH.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1))
    }

    pub(crate) const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    pub(crate) const fn nanos(self) -> u64 {
        self.0
    }

    pub(crate) fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// The time from `earlier` to this moment, zero if it is the later one.
    pub(crate) const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);
