//! Who runs a lane, and whether there is anything to run it for.
//!
//! A lane is driven by one thread at a time: a caller while it waits for its own answer, or the
//! lane's keeper. Invariant: while there is work, somebody drives or the keeper has been called.
//! Work is counted before the wheel is looked at, and the wheel is let go before the work is
//! looked at, each step sequentially consistent, so no work can fall between two drivers.

#[path = "wheel_guards.rs"]
mod guards;

use std::{
    io,
    task::{Context, Waker},
    time::Duration,
};

pub(crate) use self::guards::{Attended, Lull, OnLane, Waiting, Work};
use crate::{
    load::Load,
    moment::Moment,
    post::{Post, Tenure},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
};

/// The wheel of one lane.
#[derive(Debug)]
pub(crate) struct Wheel {
    number: usize,
    /// Whether callers may drive; else the keeper never lets go.
    is_lent: bool,
    driver: AtomicU8,
    /// Exchanges, dials and messages that need the event loop.
    work: AtomicUsize,
    /// How many of these only wait for their caller's next read or piece.
    lulls: AtomicUsize,
    /// How many are attended by threads that drive or come to it presently.
    attended: AtomicUsize,
    /// How many threads wait for something on the lane and do not drive.
    waits: AtomicUsize,
    /// Rises whenever the work came to its end or into the hands of a caller.
    ends: AtomicU64,
    connections: AtomicUsize,
    let_go_at: AtomicU64,
    stopped: AtomicBool,
    /// Whether there is work for a keeper that could not be started, so that the steward looks.
    forsaken: AtomicBool,
    keeper: Post,
    /// Shared by the lanes of a client.
    steward: Arc<Post>,
    load: Arc<Load>,
    /// Wakes the keeper out of its event loop; held for a look or a change only.
    keeper_waker: Mutex<Option<Waker>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Driver {
    Nobody,
    Caller,
    Keeper,
}

/// What a steward has to do for a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Care {
    Nothing,
    /// To look again, when so much time has gone by.
    After(Duration),
    /// To have its keeper drive.
    Now,
}

impl Wheel {
    pub(crate) fn new(number: usize, is_lent: bool, keeper: Post, steward: Arc<Post>) -> Arc<Self> {
        Arc::new(Self {
            number,
            is_lent,
            driver: AtomicU8::new(Driver::Nobody as u8),
            work: AtomicUsize::new(0),
            lulls: AtomicUsize::new(0),
            attended: AtomicUsize::new(0),
            waits: AtomicUsize::new(0),
            ends: AtomicU64::new(0),
            connections: AtomicUsize::new(0),
            let_go_at: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            forsaken: AtomicBool::new(false),
            keeper,
            steward,
            load: Arc::default(),
            keeper_waker: Mutex::new(None),
        })
    }

    /// The lane's number in its client.
    pub(crate) const fn number(&self) -> usize {
        self.number
    }

    /// How busy the lane is.
    pub(crate) const fn load(&self) -> &Arc<Load> {
        &self.load
    }

    pub(crate) fn is_driven(&self) -> bool {
        self.driver.load(SeqCst) != Driver::Nobody as u8
    }

    /// Whether there is work at all.
    pub(crate) fn is_busy(&self) -> bool {
        self.work.load(SeqCst) > 0
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }

    /// Counts something that needs the event loop, until the guard is dropped.
    pub(crate) fn work(self: &Arc<Self>) -> Work {
        Work::begin(self)
    }

    /// Counts a connection, until the guard is dropped; fails if nobody can watch it.
    pub(crate) fn connection(self: &Arc<Self>) -> io::Result<OnLane> {
        let on_lane = OnLane::begin(self);
        // From now on somebody has to look whether anybody reads their events.
        if !self.keeper.ring() {
            let watcher = if self.is_lent { &*self.steward } else { &self.keeper };
            watcher.call()?;
        }
        Ok(on_lane)
    }

    /// Calls the keeper if there is work and nobody drives; after a message was sent.
    pub(crate) fn see_to_it(&self) {
        if !self.is_driven() && self.has_work() {
            self.call_keeper();
        }
    }

    fn call_keeper(&self) {
        // If it is forsaken already, the steward looks for work after that was counted.
        if self.keeper.ring() || self.forsaken.load(SeqCst) || self.fill_keeper() {
            return;
        }
        if self.steward.call().is_err() {
            self.forsaken.store(false, SeqCst);
        }
    }

    /// Has the keeper look, a new one if there is none; whether there is one now.
    pub(crate) fn fill_keeper(&self) -> bool {
        let is_filled = self.keeper.call().is_ok();
        self.forsaken.store(!is_filled, SeqCst);
        is_filled
    }

    /// What the steward has to do.
    pub(crate) fn care(&self) -> Care {
        let was_forsaken = self.forsaken.swap(false, SeqCst);
        if self.keeper.is_filled() {
            return Care::Nothing;
        }
        if was_forsaken && self.has_work() {
            self.forsaken.store(true, SeqCst);
            return Care::Now;
        }
        if self.connections() == 0 {
            return Care::Nothing;
        }
        match self.unwatched_in() {
            Duration::ZERO => Care::Now,
            patience => Care::After(patience),
        }
    }

    /// Takes the wheel for a caller that will wait anyway.
    pub(crate) fn take_as_caller(self: &Arc<Self>) -> Option<Held> {
        if self.is_lent { self.take(Driver::Caller) } else { None }
    }

    fn take(self: &Arc<Self>, driver: Driver) -> Option<Held> {
        let nobody = Driver::Nobody as u8;
        let taken = self.driver.compare_exchange(nobody, driver as u8, SeqCst, SeqCst);
        taken.ok().map(|_| Held { wheel: Arc::clone(self) })
    }

    /// For a keeper, before anything else.
    pub(crate) const fn take_up_keeping(&self) -> Tenure<'_> {
        self.keeper.take_up()
    }

    /// Waits until the keeper has to drive; `None` when it has left its post.
    pub(crate) fn await_turn(self: &Arc<Self>, keeping: &mut Tenure<'_>) -> Option<Turn> {
        loop {
            if self.stopped.load(SeqCst) {
                self.forget_keeper();
                return None;
            }
            let ends = self.ends.load(SeqCst);
            let has_work = self.has_work();
            if (has_work || self.is_unwatched())
                && let Some(held) = self.take(Driver::Keeper)
            {
                return Some(Turn { held, watches: !has_work, ends });
            }
            if !keeping.wait(self.watch_limit()) && self.keeper_leaves(keeping) {
                return None;
            }
        }
    }

    /// Leaves a lane that has had no connections for a while; whether it has.
    fn keeper_leaves(&self, keeping: &mut Tenure<'_>) -> bool {
        if self.connections() > 0 || self.is_busy() {
            return false;
        }
        // The next one's waker must not be taken for this one's.
        self.forget_keeper();
        keeping.give_up()
    }

    /// Whether somebody has to drive: for work that is no lull, or whose lull is over.
    fn has_work(&self) -> bool {
        let at_rest = if self.waits.load(SeqCst) > 0 {
            0
        } else {
            self.lulls.load(SeqCst) + self.attended.load(SeqCst)
        };
        self.work.load(SeqCst) > at_rest
    }

    /// Counts work that its own caller sees to, until the guard is dropped.
    pub(crate) fn attended(self: &Arc<Self>) -> Attended {
        Attended::begin(self)
    }

    /// Counts work that a caller comes to see to, who has just been told; the keeper leaves it to it.
    pub(crate) fn attended_by_guest(self: &Arc<Self>) -> Attended {
        let attended = self.attended();
        self.ends.fetch_add(1, SeqCst);
        self.call_off();
        attended
    }

    /// Whether callers see to all the work, and will drive for it.
    fn is_left_to_callers(&self) -> bool {
        self.waits.load(SeqCst) == 0 && self.work.load(SeqCst) <= self.attended.load(SeqCst)
    }

    /// Counts a thread that waits and does not drive, until the guard is dropped.
    pub(crate) fn wait(self: &Arc<Self>) -> Waiting {
        Waiting::begin(self)
    }

    /// Whether connections have been left to themselves for long enough.
    fn is_unwatched(&self) -> bool {
        self.connections() > 0 && self.unwatched_in() == Duration::ZERO
    }

    /// In how much time, at least, connections will have been left to themselves for long enough.
    fn unwatched_in(&self) -> Duration {
        if self.is_driven() {
            return self.watch_limit();
        }
        let let_go_at = Moment::from_nanos(self.let_go_at.load(SeqCst));
        let_go_at.plus(self.watch_limit()).since(Moment::now())
    }

    /// How long connections may be left without anybody who reads their events.
    fn watch_limit(&self) -> Duration {
        if self.lulls.load(SeqCst) > 0 { LULL_MAX } else { UNWATCHED_MAX }
    }

    fn note_time(&self) {
        self.let_go_at.store(Moment::now().nanos(), SeqCst);
    }

    /// Starts no keeper from now on.
    pub(crate) fn fill_no_more(&self) {
        self.keeper.fill_no_more();
    }

    /// Ends the keeper, wherever it is.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, SeqCst);
        self.keeper.close();
        self.wake_keeper();
    }

    /// Forgets the keeper that has left, and with it its event loop.
    fn forget_keeper(&self) {
        let waker = self.keeper_waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(waker);
    }

    /// Has a keeper that drives look whether its turn is over.
    fn call_off(&self) {
        let may_be_over = self.is_lent || self.connections() == 0;
        if may_be_over && self.driver.load(SeqCst) == Driver::Keeper as u8 {
            self.wake_keeper();
        }
    }

    fn wake_keeper(&self) {
        let waker = self.keeper_waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        waker.into_iter().for_each(Waker::wake);
    }
}

/// The wheel in one's hands; let go on every way out.
#[derive(Debug)]
pub(crate) struct Held {
    wheel: Arc<Wheel>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.wheel.note_time();
        self.wheel.driver.store(Driver::Nobody as u8, SeqCst);
        if self.wheel.has_work() {
            self.wheel.call_keeper();
        }
    }
}

/// The keeper's time at the wheel.
#[derive(Debug)]
pub(crate) struct Turn {
    held: Held,
    /// Whether it only watches connections that nobody uses.
    watches: bool,
    ends: u64,
}

impl Turn {
    /// Whether the keeper lets go: there is nothing more to do, and callers may want to drive.
    pub(crate) fn is_over(&self, cx: &Context<'_>) -> bool {
        let wheel = &self.held.wheel;
        let waker = Some(cx.waker().clone());
        *wheel.keeper_waker.lock().unwrap_or_else(PoisonError::into_inner) = waker;
        if wheel.stopped.load(SeqCst) {
            return true;
        }
        let has_ended = wheel.ends.load(SeqCst) != self.ends;
        let lets_go = wheel.is_lent && (has_ended || !self.watches);
        let is_done = !wheel.is_busy() && (lets_go || wheel.connections() == 0);
        is_done || (wheel.is_lent && has_ended && wheel.is_left_to_callers())
    }
}

/// How long connections may be left without anybody who reads their events.
const UNWATCHED_MAX: Duration = Duration::from_millis(100);
/// The same while a caller is between two reads of a body.
const LULL_MAX: Duration = Duration::from_millis(10);
