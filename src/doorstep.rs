//! Where a caller whose job is in a queue is found, to be invited to its connection.
//!
//! Whoever frees a connection writes the request of the next job and invites that job's caller to
//! attend to the rest: the caller's thread drives the lane and reads the answer itself, so no keeper is
//! woken for it. Invariant: work that is left to a guest has one that comes. The invitation counts it as
//! attended, and goes with the doorstep if the caller has gone: then it is the keeper's again.

use std::task::{Context, Waker};

use crate::{
    life::{Life, wake_after_poll},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    wheel::{Attended, Wheel},
};

#[derive(Debug, Default)]
pub(crate) struct Doorstep {
    /// Held for a look or a change only.
    state: Mutex<AtDoor>,
}

#[derive(Debug, Default)]
struct AtDoor {
    /// Wakes the caller; `None` before it has looked, and once it is invited.
    caller: Option<Waker>,
    invitation: Option<Invitation>,
}

/// Has a caller see to its exchange, which somebody else has begun for it.
#[derive(Debug)]
pub(crate) struct Invitation {
    /// The number of the lane.
    pub(crate) lane: usize,
    pub(crate) life: Arc<Life>,
    /// Counts the exchange as seen to from here on, so that nobody else is called for it.
    pub(crate) attended: Attended,
}

impl Doorstep {
    /// For the course of a life whose exchange is the caller's: invites the caller, if it is there.
    pub(crate) fn invite(&self, wheel: &Arc<Wheel>, life: Arc<Life>) {
        let Some(caller) = self.lock().caller.take() else { return };
        let attended = wheel.attended_by_guest();
        self.lock().invitation = Some(Invitation { lane: wheel.number(), life, attended });
        wake_after_poll(caller);
    }

    /// The invitation, once; else the caller will be woken.
    pub(crate) fn look(&self, cx: &Context<'_>) -> Option<Invitation> {
        let mut state = self.lock();
        let invitation = state.invitation.take();
        if invitation.is_none() {
            state.caller = Some(cx.waker().clone());
        }
        invitation
    }

    fn lock(&self) -> MutexGuard<'_, AtDoor> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
