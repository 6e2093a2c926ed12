//! How a thread waits for its call: poll it, park, poll it again.
//!
//! No blocking function of tokio is used, so this works on any thread: inside an async runtime,
//! inside `Drop`, while thread-local values are being destroyed, inside another call.

use std::{
    cell::Cell,
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use tokio::task::coop::unconstrained;

use crate::{
    context::{CallContext, Reporter},
    error::Result,
    moment::Moment,
};

/// Polls `call` on this thread until it is done, and runs the listeners of its feedback.
pub(crate) fn wait<T>(
    cx: &CallContext,
    reporter: &mut Reporter,
    call: impl Future<Output = Result<T>>,
) -> Result<T> {
    let seat = Seat::take();
    // A budget of cooperation would belong to the task whose thread this may be.
    let mut call = pin!(unconstrained(call));
    let mut task = Context::from_waker(&seat.waker);
    loop {
        if let Poll::Ready(output) = call.as_mut().poll(&mut task) {
            return output;
        }
        let report_at = reporter.tell(cx);
        if report_at != Moment::NEVER {
            // A listener may have done anything, forked even.
            cx.same_process()?;
        }
        seat.parker.park_until(cx.wake_at().min(report_at));
    }
}

/// A thread's place to wait; kept from call to call, and taken by one wait at a time.
///
/// A nested wait, inside a listener or a reader, finds it taken and makes its own: a wake-up for
/// the outer call must not be lost in the inner one.
struct Seat {
    parker: Arc<Parker>,
    waker: Waker,
}

thread_local! {
    static FREE_SEAT: Cell<Option<Seat>> = const { Cell::new(None) };
}

impl Seat {
    fn take() -> TakenSeat {
        // While thread-local values are being destroyed there is none to take.
        let free = FREE_SEAT.try_with(Cell::take).ok().flatten();
        TakenSeat(Some(free.unwrap_or_else(|| {
            let parker =
                Arc::new(Parker { thread: thread::current(), notified: AtomicBool::new(false) });
            Self { waker: Waker::from(Arc::clone(&parker)), parker }
        })))
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

/// Wakes the thread that made it, once for each time it was notified.
struct Parker {
    thread: Thread,
    notified: AtomicBool,
}

impl Parker {
    /// Sleeps until notified or until the moment has come.
    fn park_until(&self, moment: Moment) {
        while !self.notified.swap(false, Ordering::Acquire) {
            if moment == Moment::NEVER {
                thread::park();
                continue;
            }
            let now = Moment::now();
            if now >= moment {
                return;
            }
            thread::park_timeout(moment.since(now));
        }
    }

    fn notify(&self) {
        if !self.notified.swap(true, Ordering::Release) {
            self.thread.unpark();
        }
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.notify();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.notify();
    }
}
