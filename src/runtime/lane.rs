//! A lane: an event loop with its connections, run by a caller that waits or by its keeper.
//!
//! The only file that calls what blocks on tokio or ends a runtime.

use std::{
    future::{Future, poll_fn},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, Weak,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll},
};

use tokio::{
    runtime,
    task::{AbortHandle, yield_now},
};

use super::{
    alarm::Alarm,
    lend::{self, Lending},
    parker::Parker,
};
use crate::{
    error::{Error, ErrorKind, Result},
    life::Life,
    load::Load,
    moment::Moment,
    post::Post,
    steward::Tended,
    threads::Crew,
    transport::pool::HandIn,
    wheel::{Held, OnLane, Turn, Wheel, Work},
};

#[derive(Debug)]
pub(crate) struct Lane {
    /// `None` once the lane has ended. Read by whoever drives, for as long as that takes, and inside
    /// that by who starts a dial; so it is written by trying only, never by waiting.
    event_loop: RwLock<Option<EventLoop>>,
    /// The connections, to be ended with the lane; held for a look or a change only.
    tasks: Mutex<Vec<AbortHandle>>,
    /// Whether the event loop has panicked.
    is_broken: AtomicBool,
    wheel: Arc<Wheel>,
    lending: Lending,
}

#[derive(Debug)]
struct EventLoop {
    runtime: runtime::Runtime,
    alarm: Alarm,
}

impl Lane {
    /// Makes an event loop; its keeper comes when it is needed.
    pub(super) fn make(
        number: usize,
        lending: Lending,
        crew: &Arc<Crew>,
        steward: &Arc<Post>,
    ) -> Result<Arc<Self>> {
        let lane = Arc::new_cyclic(|lane: &Weak<Self>| {
            let (lane, crew) = (Weak::clone(lane), Arc::clone(crew));
            let keeper = Post::new(move || match lane.upgrade() {
                Some(lane) => crew.start("abide-lane", move || lane.keep()),
                None => Err(io::Error::other("the lane has ended")),
            });
            let wheel = Wheel::new(number, lending.is_possible(), keeper, Arc::clone(steward));
            let (event_loop, tasks) = (RwLock::default(), Mutex::default());
            Self { event_loop, tasks, is_broken: AtomicBool::new(false), wheel, lending }
        });
        let runtime = event_loop(lane.wheel.load()).map_err(not_started)?;
        let made = EventLoop { runtime, alarm: Alarm::default() };
        *lane.event_loop.write().unwrap_or_else(PoisonError::into_inner) = Some(made);
        Ok(lane)
    }

    /// Counts a connection there that will be dialed.
    pub(super) fn connection(&self) -> Result<OnLane> {
        self.wheel.connection().map_err(not_started)
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
        if let Some(EventLoop { runtime, .. }) = &*self.event_loop() {
            let wheel = Arc::clone(&self.wheel);
            let life = Life::begin(|life| course(wheel, guards, life));
            let task = runtime.spawn(poll_fn(move |cx| life.poll_on_lane(cx)));
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            tasks.retain(|task| !task.is_finished());
            tasks.push(task.abort_handle());
        }
        self.wheel.see_to_it();
    }

    /// Takes the wheel for a caller that will wait anyway.
    pub(super) fn take_as_caller(&self) -> Option<Held> {
        if self.lending.is_done() { self.wheel.take_as_caller() } else { None }
    }

    /// Drives the lane until the caller's waker has fired or the moment has come; false if the event
    /// loop is not there any more.
    ///
    /// Nothing of a call runs in here: it is polled when the wheel was let go.
    pub(super) fn drive(
        &self,
        held: Held,
        hand_in: Option<HandIn>,
        parker: &Parker,
        until: Moment,
    ) -> bool {
        let mut hand_in = hand_in;
        let notified = parker.notified();
        let has_run = self.run(|alarm, cx| {
            hand_in.take().into_iter().for_each(HandIn::inside);
            if notified.poll(cx).is_ready() { Poll::Ready(()) } else { alarm.poll(cx, until) }
        });
        drop(notified);
        drop(held);
        has_run
    }

    /// For who holds the wheel: runs the event loop until `is_over`; false if it is not there any more.
    ///
    /// It panics where a program closes all files it knows nothing of. It must not be run again then,
    /// so what is on the lane ends, and what comes goes to other lanes.
    fn run(&self, mut is_over: impl FnMut(&Alarm, &mut Context<'_>) -> Poll<()>) -> bool {
        let event_loop = self.event_loop();
        let Some(EventLoop { runtime, alarm }) = &*event_loop else { return false };
        if self.is_broken() {
            return false;
        }
        let inside = lend::Inside::enter(self.wheel.number());
        let running = poll_fn(|cx| is_over(alarm, cx));
        let has_run = catch_unwind(AssertUnwindSafe(|| runtime.block_on(running))).is_ok();
        drop(inside);
        drop(event_loop);
        if !has_run {
            self.is_broken.store(true, SeqCst);
            self.end();
            tracing::error!(lane = self.wheel.number(), "an event loop panicked");
        }
        has_run
    }

    /// Whether nothing on it goes on any more.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken.load(SeqCst)
    }

    /// Has the lane driven until it has nothing more to do.
    pub(super) fn run_once(&self) {
        let work = self.wheel.work();
        if let Some(EventLoop { runtime, .. }) = &*self.event_loop() {
            drop(runtime.spawn(async move { drop(work) }));
        }
        self.wheel.see_to_it();
    }

    /// The keeper's life.
    fn keep(&self) {
        let mut keeping = self.wheel.take_up_keeping();
        while let Some(turn) = self.wheel.await_turn(&mut keeping) {
            let has_run = self.keep_turn(&turn);
            drop(turn);
            if has_run {
                keeping.succeed();
            } else {
                // Somebody may have been at it, so that it could not be ended.
                self.end();
                keeping.fail();
            }
        }
    }

    /// Drives until the turn is over; false if the event loop is not there any more.
    fn keep_turn(&self, turn: &Turn) -> bool {
        let mut was_over = false;
        self.run(|_, cx| {
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
        })
    }

    /// Ends the lane's connections, whatever they do; they are closed when it is driven next.
    pub(super) fn abort(&self) {
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner).split_off(0);
        tasks.iter().for_each(AbortHandle::abort);
        if !tasks.is_empty() {
            self.run_once();
        }
    }

    /// Has no keeper come any more; one that is there stays.
    pub(super) fn fill_no_more(&self) {
        self.wheel.fill_no_more();
    }

    /// Ends the lane; returns at once.
    pub(super) fn stop(&self) {
        self.wheel.stop();
    }

    /// Gives the event loop back, unless somebody drives it.
    pub(super) fn end(&self) {
        if let Ok(mut event_loop) = self.event_loop.try_write() {
            end(event_loop.take());
        }
    }

    fn event_loop(&self) -> RwLockReadGuard<'_, Option<EventLoop>> {
        self.event_loop.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tended for Lane {
    fn wheel(&self) -> &Arc<Wheel> {
        &self.wheel
    }

    fn look(&self, held: Held) {
        let mut turn = pin!(yield_now());
        self.run(|_, cx| turn.as_mut().poll(cx));
        drop(held);
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        end(self.event_loop.get_mut().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// Never waits: what is left on the lane is dropped here and now.
fn end(event_loop: Option<EventLoop>) {
    if let Some(EventLoop { runtime, alarm }) = event_loop {
        drop(alarm);
        runtime.shutdown_background();
    }
}

/// Makes an event loop that tells when it has nothing to do.
fn event_loop(load: &Arc<Load>) -> io::Result<runtime::Runtime> {
    let (sleeper, waker) = (Arc::clone(load), Arc::clone(load));
    runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .on_thread_park(move || sleeper.falls_asleep())
        .on_thread_unpark(move || waker.wakes_up())
        .build()
}

#[cold]
fn not_started(error: io::Error) -> Error {
    Error::new(ErrorKind::Internal, "a lane of the client could not be started").because(error)
}
