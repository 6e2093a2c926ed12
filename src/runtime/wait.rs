//! How a thread waits for its call: poll it, park, poll it again.
//!
//! No blocking function of tokio is used, so this works on any thread: inside an async runtime,
//! inside `Drop`, while thread-local values are being destroyed, inside another call.

use std::{
    cell::Cell,
    future::Future,
    pin::{Pin, pin},
    sync::{Arc, Weak},
    task::{Context, Poll, Waker},
};

use tokio::task::coop::unconstrained;

use super::{attendance::Attendance, lend, parker::Parker};
use crate::{
    context::CallContext,
    error::Result,
    lifecycle::{Running, Sleeper},
    reporter::Reporter,
};

/// Polls `call` on this thread until it is done, and runs its listeners.
///
/// A call is some kilobytes of state, so it stays where it was made.
pub(crate) fn wait<T>(
    cx: &CallContext,
    reporter: &mut Reporter,
    call: Pin<&mut impl Future<Output = Result<T>>>,
) -> Result<T> {
    let _level = Level::enter();
    let seat = Seat::take();
    seat.enter(cx);
    let Seat { parker, waker, .. } = &*seat;
    let _planning = lend::Planning;
    let mut attendance = Attendance::new(waker);
    // A budget of cooperation would belong to the task whose thread this may be.
    let mut call = pin!(unconstrained(call));
    let mut task = Context::from_waker(waker);
    let mut has_slept = false;
    loop {
        // Whatever it was about, the call is going to see it.
        parker.take_notification();
        if cx.trail.is_listened_to() {
            // Who listens is code of the user.
            attendance.leave();
        }
        let poll = || cx.trail.around(|| call.as_mut().poll(&mut task));
        if let Poll::Ready(output) = attendance.around(poll) {
            return output;
        }
        if let Some(plan) = lend::take_plan() {
            attendance.take_up(plan, cx.waiting_since());
        }
        if reporter.is_due(cx, has_slept) {
            // Listeners may take their time; the exchange begins before.
            attendance.leave();
            reporter.tell(cx);
            // They may have done anything, forked even.
            cx.same_process()?;
        }
        attendance.go_on();
        if !parker.is_notified() {
            attendance.rest(parker, cx.wake_at().min(reporter.next(cx)));
            has_slept = true;
            attendance.go_on();
        }
    }
}

/// A thread's place to wait; kept from call to call, and taken by one wait at a time.
///
/// A nested wait, inside a listener or a reader, finds it taken and makes its own: a wake-up for
/// the outer call must not be lost in the inner one.
struct Seat {
    parker: Arc<Parker>,
    waker: Waker,
    /// The client that knows the thread.
    known_to: Cell<u64>,
}

thread_local! {
    static FREE_SEAT: Cell<Option<Seat>> = const { Cell::new(None) };
}

impl Seat {
    fn take() -> TakenSeat {
        // While thread-local values are being destroyed there is none to take.
        let free = FREE_SEAT.try_with(Cell::take).ok().flatten();
        TakenSeat(Some(free.unwrap_or_else(|| {
            let parker = Parker::new();
            Self { waker: Waker::from(Arc::clone(&parker)), parker, known_to: Cell::new(0) }
        })))
    }

    /// Has the client of a call know the thread, so that it can wake it when it ends.
    fn enter(&self, cx: &CallContext) {
        let Some(lifecycle) = cx.running().map(Running::lifecycle) else { return };
        if self.known_to.replace(lifecycle.id()) != lifecycle.id() {
            let parker: Weak<Parker> = Arc::downgrade(&self.parker);
            lifecycle.enter_sleeper(parker);
        }
    }
}

impl Sleeper for Parker {
    fn wake(&self) {
        self.notify();
    }
}

thread_local! {
    /// How many calls wait on this thread, each inside of the one before.
    static WAITS: Cell<u32> = const { Cell::new(0) };
}

/// Whether the call that is being polled was made by code of the user inside of another call.
///
/// That call gets no further meanwhile, so nobody in it must wait for what another call does: it may
/// be that one, or one that waits for it.
#[cfg_attr(
    not(any(feature = "cache", feature = "json")),
    expect(dead_code, reason = "no call waits for another")
)]
pub(crate) fn is_nested() -> bool {
    WAITS.try_with(Cell::get).map_or(true, |waits| waits > 1)
}

struct Level;

impl Level {
    fn enter() -> Self {
        let _ = WAITS.try_with(|waits| waits.set(waits.get() + 1));
        Self
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        let _ = WAITS.try_with(|waits| waits.set(waits.get() - 1));
    }
}

struct TakenSeat(Option<Seat>);

impl std::ops::Deref for TakenSeat {
    type Target = Seat;

    #[expect(clippy::expect_used, reason = "only `drop` takes the seat out")]
    fn deref(&self) -> &Seat {
        self.0.as_ref().expect("a seat is taken until it is dropped")
    }
}

impl Drop for TakenSeat {
    fn drop(&mut self) {
        let seat = self.0.take();
        // A late wake-up of the call that has ended only makes the next one look once more.
        let _ = FREE_SEAT.try_with(|free| free.set(seat));
    }
}
