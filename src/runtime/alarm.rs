//! Wakes a thread that drives a lane when its time has come.

use std::{
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};

use tokio::time::{Sleep, sleep_until};

use crate::{moment::Moment, transport::instant};

/// One timer for all who drive a lane, one after the other.
///
/// Nearly every call is over long before its budgets are, so the timer is set anew only if it would
/// ring too late; it may ring too early, and is then set to the time of the one who drives.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    /// Taken by the one who drives only, so nobody ever waits for it.
    set: Mutex<Option<Set>>,
}

#[derive(Debug)]
struct Set {
    at: Moment,
    sleep: Pin<Box<Sleep>>,
}

impl Alarm {
    /// Ready when the moment has come; polled inside the lane.
    pub(super) fn poll(&self, cx: &mut Context<'_>, until: Moment) -> Poll<()> {
        if until == Moment::NEVER {
            return Poll::Pending;
        }
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        let set = set.get_or_insert_with(|| Set::at(until));
        if until < set.at {
            set.move_to(until);
        }
        while set.sleep.as_mut().poll(cx).is_ready() {
            if Moment::now() >= until {
                return Poll::Ready(());
            }
            set.move_to(until);
        }
        Poll::Pending
    }
}

impl Set {
    fn at(at: Moment) -> Self {
        Self { at, sleep: Box::pin(sleep_until(instant(at))) }
    }

    fn move_to(&mut self, at: Moment) {
        self.at = at;
        self.sleep.as_mut().reset(instant(at));
    }
}
