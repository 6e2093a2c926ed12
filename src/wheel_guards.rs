//! What is counted on a wheel: each guard counts from its beginning until it is dropped.

use super::Wheel;
use crate::sync::{Arc, atomic::Ordering::SeqCst};

/// Something that needs the event loop.
#[derive(Debug)]
pub(crate) struct Work {
    wheel: Arc<Wheel>,
}

impl Work {
    pub(super) fn begin(wheel: &Arc<Wheel>) -> Self {
        wheel.work.fetch_add(1, SeqCst);
        Self { wheel: Arc::clone(wheel) }
    }

    /// Says that for the time being only the caller can get this further.
    pub(crate) fn lull(&self) -> Lull {
        self.wheel.lulls.fetch_add(1, SeqCst);
        // From now on the patience of who watches is the shorter one.
        if self.wheel.is_lent && !self.wheel.keeper.ring() {
            self.wheel.steward.ring();
        }
        Lull { wheel: Arc::clone(&self.wheel) }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if self.wheel.work.fetch_sub(1, SeqCst) == 1 {
            self.wheel.ends.fetch_add(1, SeqCst);
            self.wheel.call_off();
        }
    }
}

/// Work that waits for its caller: whoever lets go of the wheel leaves it alone for a little.
#[derive(Debug)]
pub(crate) struct Lull {
    wheel: Arc<Wheel>,
}

impl Drop for Lull {
    fn drop(&mut self) {
        self.wheel.lulls.fetch_sub(1, SeqCst);
    }
}

/// Work that a thread sees to itself: it drives, or is about to.
#[derive(Debug)]
pub(crate) struct Attended {
    wheel: Arc<Wheel>,
}

impl Attended {
    pub(super) fn begin(wheel: &Arc<Wheel>) -> Self {
        wheel.attended.fetch_add(1, SeqCst);
        Self { wheel: Arc::clone(wheel) }
    }
}

impl Drop for Attended {
    fn drop(&mut self) {
        self.wheel.attended.fetch_sub(1, SeqCst);
        self.wheel.see_to_it();
    }
}

/// A thread that waits: no body of the lane is in a lull meanwhile.
#[derive(Debug)]
pub(crate) struct Waiting {
    wheel: Arc<Wheel>,
}

impl Waiting {
    pub(super) fn begin(wheel: &Arc<Wheel>) -> Self {
        wheel.waits.fetch_add(1, SeqCst);
        wheel.see_to_it();
        Self { wheel: Arc::clone(wheel) }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.wheel.waits.fetch_sub(1, SeqCst);
    }
}

/// A connection of the lane, from its dial to its end.
#[derive(Debug)]
pub(crate) struct OnLane {
    wheel: Arc<Wheel>,
}

impl OnLane {
    pub(super) fn begin(wheel: &Arc<Wheel>) -> Self {
        if wheel.connections.fetch_add(1, SeqCst) == 0 {
            wheel.note_time();
        }
        Self { wheel: Arc::clone(wheel) }
    }
}

impl Drop for OnLane {
    fn drop(&mut self) {
        if self.wheel.connections.fetch_sub(1, SeqCst) == 1 {
            self.wheel.call_off();
        }
    }
}
