//! What a waiting thread does for its call besides sleeping: it moves its connection along.

use std::{sync::Arc, task::Waker, time::Duration};

use super::{
    lane::Lane,
    lend::{self, Plan},
    parker::Parker,
};
use crate::{
    environment::OfProcess, life::Life, moment::Moment, steward::Tended, transport::pool::HandIn,
    wheel::Attended,
};

/// The lane that a call has to do with, and its connection if the caller may attend that.
///
/// To be dropped after the call: an exchange that was given up ends there and then, on this thread.
pub(super) struct Attendance<'s> {
    waker: &'s Waker,
    lane: Option<Arc<Lane>>,
    /// The job to begin with.
    hand_in: Option<HandIn>,
    /// When that was planned, or little earlier.
    planned_at: Moment,
    attends: OfProcess<Attends>,
}

/// What a child process must not touch.
#[derive(Debug, Default)]
struct Attends {
    life: Option<Arc<Life>>,
    /// Whether the life wakes this thread at present.
    is_present: bool,
    /// Counts the job, or the dial before it, while this thread sees to it.
    job: Option<Attended>,
}

impl<'s> Attendance<'s> {
    pub(super) fn new(waker: &'s Waker) -> Self {
        let attends = OfProcess::new(Attends::default());
        Self { waker, lane: None, hand_in: None, planned_at: Moment::ZERO, attends }
    }

    /// Goes over to what the call has planned.
    pub(super) fn take_up(&mut self, plan: Plan, planned_at: Moment) {
        self.leave();
        let Plan { lane, life, hand_in, job } = plan;
        self.planned_at = planned_at;
        self.lane = Some(lane);
        self.hand_in = hand_in;
        if let Some(attends) = self.attends.get_mut() {
            attends.life = life;
            attends.job = job;
        }
    }

    /// Leaves it to the lane for the time being, because code of the user is going to run.
    pub(super) fn leave(&mut self) {
        // A job that was not begun goes its way.
        self.hand_in = None;
        if let Some(attends) = self.attends.get_mut() {
            attends.leave(self.waker);
        }
    }

    /// Brings the connection as far as it goes without waiting.
    pub(super) fn go_on(&mut self) {
        let Self { waker, lane, hand_in, planned_at, attends } = self;
        let Some(Attends { life: Some(life), is_present, job }) = attends.get_mut() else { return };
        let was_present = std::mem::replace(is_present, true);
        if !was_present {
            life.attend(waker);
        }
        let Some(hand_in) = hand_in.take() else {
            if !was_present || life.is_woken() {
                move_on(life, || ());
            }
            return;
        };
        if let Some(lane) = lane {
            look_first(lane, planned_at.since(hand_in.idle_since()));
            if life.is_woken() {
                // The server has closed it perhaps; then the job is not sent.
                move_on(life, || ());
            }
            move_on(life, || {
                hand_in.inside();
                *job = Some(lane.wheel().attended());
            });
        }
    }

    fn forget(&mut self) {
        self.leave();
        self.lane = None;
        if let Some(attends) = self.attends.get_mut() {
            attends.life = None;
        }
    }

    /// Sleeps until notified or until the moment has come; meanwhile the thread drives the lane, if
    /// nobody else does.
    pub(super) fn rest(&mut self, parker: &Parker, until: Moment) {
        if let Some(lane) = &self.lane
            && lend::may_lend()
            && let Some(held) = lane.wheel().take_as_caller()
        {
            if lane.drive(held, self.hand_in.take(), parker, until) {
                return;
            }
            // With the event loop its connections end; who still has one keeps it from that.
            self.forget();
        }
        self.hand_in = None;
        // Somebody else has to drive for as long as this thread waits.
        let _waiting = self.lane.as_deref().map(|lane| lane.wheel().wait());
        parker.park_until(until);
    }
}

impl Drop for Attendance<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Attends {
    fn leave(&mut self, waker: &Waker) {
        if std::mem::take(&mut self.is_present)
            && let Some(life) = &self.life
        {
            if life.is_woken() {
                move_on(life, || ());
            }
            life.leave(waker);
        }
        self.job = None;
    }
}

/// Does `first`, and moves the connection on as far as it goes.
fn move_on(life: &Life, first: impl FnOnce()) {
    lend::unbudgeted(|| {
        let _ = life.poll(first);
    });
}

/// Has the events of a lane read that nobody drove for a while, so that a connection which the
/// server has closed meanwhile is not used again.
fn look_first(lane: &Lane, idle: Duration) {
    if idle > IDLE_TRUSTED
        && lend::may_lend()
        && let Some(held) = lane.wheel().take_as_caller()
    {
        lane.look(held);
    }
}

/// How long a connection is taken to be as it was left.
const IDLE_TRUSTED: Duration = Duration::from_millis(1);
