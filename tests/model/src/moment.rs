//! A clock that only those move who wait for it, or that stands still.

use std::{cell::Cell, time::Duration};

/// As abide's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    pub(crate) const ZERO: Self = Self(0);
    pub(crate) const NEVER: Self = Self(u64::MAX);

    pub(crate) fn now() -> Self {
        Self(NOW.get())
    }

    pub(crate) const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    pub(crate) const fn nanos(self) -> u64 {
        self.0
    }

    pub(crate) fn plus(self, duration: Duration) -> Self {
        Self(self.0 + u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 2))
    }

    pub(crate) const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Whether time helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Time {
    /// No wait ever runs out, so that nothing is hidden by a look that comes by chance.
    StandsStill,
    Passes,
}

/// Begins an execution.
pub(crate) fn begin(time: Time) {
    TIME.set(time);
    NOW.set(1_000_000_000);
}

/// Nobody may be waiting for a time at this moment.
pub(crate) fn stop() {
    TIME.set(Time::StandsStill);
}

pub(crate) fn passes() -> bool {
    TIME.get() == Time::Passes
}

/// Time goes by for those who wait for at most `patience`.
pub(crate) fn advance(patience: Duration) {
    NOW.set(Moment::now().plus(patience.div_f32(2.0)).nanos());
}

std::thread_local! {
    // All threads of an execution are run by one thread of the system.
    static NOW: Cell<u64> = const { Cell::new(0) };
    static TIME: Cell<Time> = const { Cell::new(Time::StandsStill) };
}
