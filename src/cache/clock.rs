//! What time it is, for whom it can be chosen.

use std::{
    sync::LazyLock,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::policy::cache::Now;

/// Tells a cache the time; the machine's clocks by default.
///
/// With a clock of one's own, tests decide how old a reply is.
///
/// ```
/// use std::{sync::atomic::{AtomicU64, Ordering}, time::{Duration, SystemTime}};
///
/// #[derive(Default)]
/// struct TestClock(AtomicU64);
///
/// impl abide::Clock for TestClock {
///     fn wall(&self) -> SystemTime {
///         SystemTime::UNIX_EPOCH + self.steady()
///     }
///     fn steady(&self) -> Duration {
///         Duration::from_secs(self.0.load(Ordering::Relaxed))
///     }
/// }
/// let cache = abide::Cache::memory(1 << 20).clock(TestClock::default());
/// ```
pub trait Clock: Send + Sync + 'static {
    /// The date and time of day; it may be set, and so may jump.
    fn wall(&self) -> SystemTime;

    /// Time since any one moment; never goes back.
    fn steady(&self) -> Duration;
}

/// The clocks of the machine.
#[derive(Debug)]
pub(super) struct SystemClock;

impl Clock for SystemClock {
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    fn steady(&self) -> Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        START.elapsed()
    }
}

pub(super) fn now(clock: &dyn Clock) -> Now {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let wall = match clock.wall().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(millis(since)).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(millis(before.duration())).unwrap_or(i64::MAX),
    };
    Now { wall, steady: millis(clock.steady()) }
}
