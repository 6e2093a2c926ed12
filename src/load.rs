//! How busy a lane is: the share of the time in which its event loop had something to do.
//!
//! An event loop that is always busy is a core that is used up. It says itself when it falls asleep
//! and wakes up. The clock is read for that only while somebody wants to know: what is measured are
//! lanes with connections that many calls share.

use std::time::Duration;

use crate::{
    moment::Moment,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

/// How long the event loop of one lane has slept so far; written by whoever drives it.
#[derive(Debug, Default)]
pub(crate) struct Load {
    /// How many want to know.
    wanted: AtomicUsize,
    /// Since when it sleeps; 0 if it does not, or nobody wanted to know.
    asleep_since: AtomicU64,
    slept: AtomicU64,
}

impl Load {
    /// The event loop has nothing to do.
    pub(crate) fn falls_asleep(&self) {
        if self.wanted.load(Relaxed) > 0 {
            self.asleep_since.store(Moment::now().nanos(), Relaxed);
        }
    }

    /// Something has happened, or was there already.
    pub(crate) fn wakes_up(&self) {
        let since = self.asleep_since.load(Relaxed);
        if since > 0 {
            self.asleep_since.store(0, Relaxed);
            self.slept.fetch_add(Moment::now().nanos().saturating_sub(since), Relaxed);
        }
    }

    /// Measures from now on, until what is returned is dropped.
    pub(crate) fn measure(self: &Arc<Self>) -> Gauge {
        self.wanted.fetch_add(1, Relaxed);
        let slept = self.slept.load(Relaxed);
        Gauge { load: Arc::clone(self), since: Moment::now(), slept }
    }
}

/// Reads the load of a lane now and then, on that lane.
#[derive(Debug)]
pub(crate) struct Gauge {
    load: Arc<Load>,
    since: Moment,
    /// How long the lane had slept then.
    slept: u64,
}

impl Gauge {
    /// How many hundredths of the time since the last reading the lane was awake; `None` if that
    /// was less than 100 ms ago.
    pub(crate) fn read(&mut self, now: Moment) -> Option<u8> {
        let passed = now.since(self.since);
        if passed < INTERVAL {
            return None;
        }
        let slept = self.load.slept.load(Relaxed);
        let asleep = Duration::from_nanos(slept.saturating_sub(self.slept)).min(passed);
        (self.since, self.slept) = (now, slept);
        let awake = (passed - asleep).as_nanos() * 100 / passed.as_nanos();
        u8::try_from(awake).ok()
    }
}

impl Drop for Gauge {
    fn drop(&mut self) {
        self.load.wanted.fetch_sub(1, Relaxed);
    }
}

const INTERVAL: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(passed_ms: u64, slept_ms: u64, expected: Option<u8>) {
        let load = Arc::<Load>::default();
        let mut gauge = load.measure();
        load.slept.fetch_add(slept_ms * 1_000_000, Relaxed);
        let now = gauge.since.plus(Duration::from_millis(passed_ms));
        assert_eq!(gauge.read(now), expected);
        // What was read is not counted again.
        let next = now.plus(INTERVAL);
        let again = if expected.is_some() { gauge.read(next) } else { Some(100) };
        assert_eq!(again, Some(100));
    }

    #[test]
    fn the_load_is_the_share_of_the_time_spent_awake() {
        check(99, 0, None);
        check(100, 0, Some(100));
        check(100, 10, Some(90));
        check(200, 50, Some(75));
        check(60_000, 59_999, Some(0));
        // A sleep that began before the reading before it.
        check(100, 300, Some(0));
    }

    #[test]
    fn the_clock_is_read_only_if_somebody_wants_to_know() {
        let load = Arc::<Load>::default();
        load.falls_asleep();
        assert_eq!(load.asleep_since.load(Relaxed), 0);
        let gauge = load.measure();
        load.falls_asleep();
        assert!(load.asleep_since.load(Relaxed) > 0);
        drop(gauge);
        load.wakes_up();
        assert_eq!(load.asleep_since.load(Relaxed), 0);
        load.falls_asleep();
        assert_eq!(load.asleep_since.load(Relaxed), 0);
    }
}
