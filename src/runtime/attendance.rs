//! What a waiting thread does for its call besides sleeping: it moves its connection along.

use std::{cell::Cell, sync::Arc, task::Waker, time::Duration};

use super::{
    lane::Lane,
    lend::{self, Plan},
    parker::Parker,
};
use crate::{
    environment::OfProcess, life::Life, moment::Moment, steward::Tended, sync::thread_local,
    transport::pool::HandIn, wheel::Attended,
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
    /// `None` while the call is polled.
    attends: Option<OfProcess<Attends>>,
}

/// What a child process must not touch.
#[derive(Debug, Default)]
struct Attends {
    life: Option<Arc<Life>>,
    /// What the life wakes this thread with at present, if it does.
    present: Option<Waker>,
    /// Counts the job, or the dial before it, while this thread sees to it.
    job: Option<Attended>,
}

impl<'s> Attendance<'s> {
    pub(super) fn new(waker: &'s Waker) -> Self {
        let attends = Some(OfProcess::new(Attends::default()));
        Self { waker, lane: None, hand_in: None, planned_at: Moment::ZERO, attends }
    }

    /// Goes over to what the call has planned.
    pub(super) fn take_up(&mut self, plan: Plan, planned_at: Moment) {
        self.leave();
        let Plan { lane, life, hand_in, job } = plan;
        self.planned_at = planned_at;
        self.lane = Some(lane);
        self.hand_in = hand_in;
        if let Some(attends) = here(&mut self.attends) {
            attends.life = life;
            attends.job = job;
        }
    }

    /// Leaves it to the lane for the time being, because code of the user is going to run.
    pub(super) fn leave(&mut self) {
        // A job that was not begun goes its way.
        self.hand_in = None;
        if let Some(attends) = here(&mut self.attends) {
            attends.leave();
        }
    }

    /// Polls the call, which may [`leave`] meanwhile.
    pub(super) fn around<T>(&mut self, poll: impl FnOnce() -> T) -> T {
        let _shown = Shown::begin(&mut self.attends);
        poll()
    }

    /// Brings the connection as far as it goes without waiting.
    pub(super) fn go_on(&mut self) {
        let Self { waker, lane, hand_in, planned_at, attends } = self;
        let Some(Attends { life: Some(life), present, job }) = here(attends) else { return };
        let was_present = present.is_some();
        if !was_present {
            life.attend(present.insert(waker.clone()));
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

    /// Has nothing to do with the lane and the connection any more.
    fn forget(&mut self) {
        self.hand_in = None;
        self.lane = None;
        if let Some(attends) = here(&mut self.attends) {
            attends.forget();
        }
    }

    /// Sleeps until notified or until the moment has come; meanwhile the thread drives the lane, if
    /// nobody else does.
    pub(super) fn rest(&mut self, parker: &Parker, until: Moment) {
        if let Some(lane) = &self.lane
            && lend::may_lend()
            && let Some(held) = lane.take_as_caller()
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
    fn leave(&mut self) {
        if let Some(waker) = self.present.take()
            && let Some(life) = &self.life
        {
            if life.is_woken() {
                move_on(life, || ());
            }
            life.leave(&waker);
        }
        self.job = None;
    }

    fn forget(&mut self) {
        self.leave();
        self.life = None;
    }
}

fn here(attends: &mut Option<OfProcess<Attends>>) -> Option<&mut Attends> {
    attends.as_mut()?.get_mut()
}

thread_local! {
    /// What the call that is being polled attends.
    static SHOWN: Cell<Option<OfProcess<Attends>>> = const { Cell::new(None) };
}

/// For a call that has what it has waited for, or does not want it any more: leaves its connection.
///
/// That may be another call's by now, and code of the user may run before this one waits again, for
/// as long as it likes; it may even make that other call.
pub(super) fn leave() {
    let leave = |shown: &Cell<Option<OfProcess<Attends>>>| {
        let mut attends = shown.take();
        if let Some(attends) = here(&mut attends) {
            attends.forget();
        }
        shown.set(attends);
    };
    let _ = SHOWN.try_with(leave);
}

/// While it lives, the call can leave what it attends, and not what an outer call does.
struct Shown<'a> {
    attends: &'a mut Option<OfProcess<Attends>>,
    outer: Option<OfProcess<Attends>>,
}

impl<'a> Shown<'a> {
    fn begin(attends: &'a mut Option<OfProcess<Attends>>) -> Self {
        let mut outer = attends.take();
        exchange(&mut outer);
        Self { attends, outer }
    }
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        exchange(&mut self.outer);
        *self.attends = self.outer.take();
    }
}

/// Does nothing, both times, while thread-local values are being destroyed.
fn exchange(attends: &mut Option<OfProcess<Attends>>) {
    let _ = SHOWN.try_with(|shown| *attends = shown.replace(attends.take()));
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
