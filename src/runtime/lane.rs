//! A lane: an event loop with its connections, run by a caller that waits or by its keeper.
//!
//! The only file that calls what blocks on tokio or ends a runtime.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Weak},
    task::Poll,
};

use tokio::{runtime, task::yield_now};

use super::{alarm::Alarm, lend, parker::Parker};
use crate::{
    error::{Error, ErrorKind, Result},
    life::Life,
    moment::Moment,
    threads,
    transport::pool::HandIn,
    wheel::{Held, OnLane, Turn, Wheel, Work},
};

#[derive(Debug)]
pub(crate) struct Lane {
    /// `None` only while the lane is dropped.
    runtime: Option<runtime::Runtime>,
    wheel: Arc<Wheel>,
    alarm: Alarm,
}

impl Lane {
    /// Makes an event loop and its keeper.
    pub(super) fn start(number: usize, is_lent: bool) -> Result<Arc<Self>> {
        let mut builder = runtime::Builder::new_current_thread();
        let runtime = builder.enable_io().enable_time().build().map_err(not_started)?;
        let wheel = Wheel::new(number, is_lent);
        let lane = Arc::new(Self { runtime: Some(runtime), wheel, alarm: Alarm::default() });
        let kept = Arc::clone(&lane);
        threads::start("abide-lane", move || kept.keep()).map_err(not_started)?;
        Ok(lane)
    }

    pub(super) const fn wheel(&self) -> &Arc<Wheel> {
        &self.wheel
    }

    /// Runs the life of a connection on the lane; the guards count it and keep the lane driven.
    pub(super) fn spawn<F>(
        &self,
        on_lane: OnLane,
        course: impl FnOnce(Arc<Wheel>, (OnLane, Work), Weak<Life>) -> F,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let guards = (on_lane, self.wheel.work());
        if let Some(runtime) = &self.runtime {
            let wheel = Arc::clone(&self.wheel);
            let life = Life::begin(|life| course(wheel, guards, life));
            drop(runtime.spawn(poll_fn(move |cx| life.poll_on_lane(cx))));
        }
        self.wheel.see_to_it();
    }

    /// Drives the lane until the caller's waker has fired or the moment has come.
    ///
    /// Nothing of a call runs in here: it is polled when the wheel was let go.
    pub(super) fn drive(
        &self,
        held: Held,
        hand_in: Option<HandIn>,
        parker: &Parker,
        until: Moment,
    ) {
        let Some(runtime) = &self.runtime else { return };
        let inside = lend::Inside::enter(self.wheel.number());
        let mut hand_in = hand_in;
        let notified = parker.notified();
        runtime.block_on(poll_fn(|cx| {
            hand_in.take().into_iter().for_each(HandIn::inside);
            if notified.poll(cx).is_ready() { Poll::Ready(()) } else { self.alarm.poll(cx, until) }
        }));
        drop(notified);
        drop(inside);
        drop(held);
    }

    /// Reads what has happened to the lane's connections.
    pub(super) fn look(&self, held: Held) {
        let Some(runtime) = &self.runtime else { return };
        let inside = lend::Inside::enter(self.wheel.number());
        runtime.block_on(yield_now());
        drop(inside);
        drop(held);
    }

    /// Has the lane driven until it has nothing more to do.
    pub(super) fn run_once(&self) {
        let work = self.wheel.work();
        if let Some(runtime) = &self.runtime {
            drop(runtime.spawn(async move { drop(work) }));
        }
        self.wheel.see_to_it();
    }

    /// The keeper's life.
    fn keep(&self) {
        while let Some(turn) = self.wheel.await_turn() {
            // Should the loop itself panic, the lane still needs its keeper.
            if catch_unwind(AssertUnwindSafe(|| self.keep_turn(&turn))).is_err() {
                tracing::warn!(lane = self.wheel.number(), "the event loop panicked");
            }
        }
    }

    fn keep_turn(&self, turn: &Turn) {
        let Some(runtime) = &self.runtime else { return };
        let _inside = lend::Inside::enter(self.wheel.number());
        let mut was_over = false;
        runtime.block_on(poll_fn(|cx| {
            let is_over = turn.is_over(cx);
            if is_over && was_over {
                return Poll::Ready(());
            }
            if is_over {
                // Tasks that are due, the end of an HTTP/2 stream for example, come first.
                cx.waker().wake_by_ref();
            }
            was_over = is_over;
            Poll::Pending
        }));
    }

    /// Ends the lane; returns at once.
    pub(super) fn stop(&self) {
        self.wheel.stop();
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Never waits: what is left on the lane is dropped here and now.
            runtime.shutdown_background();
        }
    }
}

#[cold]
fn not_started(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Internal, "a lane of the client could not be started").because(error)
}
