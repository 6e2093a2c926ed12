//! The life of a connection: a future that moves on wherever somebody polls it.
//!
//! As a rule its lane's task does. A caller that waits for the connection's answer may attend it
//! instead: then its events wake the caller, which reads and writes on its own thread, and the lane
//! only tells of events. Invariant: an event that nobody has looked into is known to whoever polls
//! next. It is noted before it is asked who that is, and an attendant that leaves says so before
//! looking for notes.

use std::{
    cell::Cell,
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, Wake, Waker},
};

use crate::sync::{
    Arc, Mutex, MutexGuard, PoisonError, Weak,
    atomic::{AtomicU8, Ordering::SeqCst},
    thread_local,
};

type Course = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(crate) struct Life {
    /// `None` when it has ended; held by whoever polls it.
    course: Mutex<Option<Course>>,
    bell: Arc<Bell>,
    /// What the course is polled with, whoever does it, so that its wakers never change.
    waker: Waker,
}

/// Takes the wake-ups of a life to the one who is to poll it.
#[derive(Debug, Default)]
struct Bell {
    notes: AtomicU8,
    /// Held for a look or a change only.
    hearers: Mutex<Hearers>,
}

#[derive(Debug, Default)]
struct Hearers {
    /// The lane's task.
    lane: Option<Waker>,
    /// The caller that attends, if one does.
    attendant: Option<Waker>,
}

/// Something has happened that no poll has seen.
const WOKEN: u8 = 1;
/// It is being polled, and its poller looks for `WOKEN` afterwards.
const POLLING: u8 = 2;
const ENDED: u8 = 4;

impl Life {
    /// A life whose course knows it, but does not keep it: that does the one who polls.
    pub(crate) fn begin<F>(course: impl FnOnce(Weak<Self>) -> F) -> Arc<Self>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        let life = Arc::new(Self { course: Mutex::new(None), bell, waker });
        let course = course(Arc::downgrade(&life));
        *life.lock() = Some(Box::pin(course));
        life
    }

    /// Whether something has happened that no poll has seen.
    pub(crate) fn is_woken(&self) -> bool {
        self.bell.notes.load(SeqCst) & WOKEN != 0
    }

    /// For its own course: all that has woken it so far is looked into from here on; whether anything
    /// has.
    pub(crate) fn look_into_all(&self) -> bool {
        self.bell.notes.fetch_and(!WOKEN, SeqCst) & WOKEN != 0
    }

    /// From now on `attendant` is woken in place of the lane's task, and has to poll.
    pub(crate) fn attend(&self, attendant: &Waker) {
        self.bell.hearers().attendant = Some(attendant.clone());
    }

    /// The attendant does not poll any more; what it has not seen is the lane's.
    pub(crate) fn leave(&self, attendant: &Waker) {
        let mut hearers = self.bell.hearers();
        // The connection may be in the hands of the next one already.
        if hearers.attendant.as_ref().is_some_and(|present| present.will_wake(attendant)) {
            hearers.attendant = None;
        }
        drop(hearers);
        if self.is_woken() {
            self.bell.ring();
        }
    }

    /// Polls it as the lane's task, unless somebody attends it.
    pub(crate) fn poll_on_lane(&self, cx: &Context<'_>) -> Poll<()> {
        let mut hearers = self.bell.hearers();
        if !hearers.lane.as_ref().is_some_and(|lane| lane.will_wake(cx.waker())) {
            hearers.lane = Some(cx.waker().clone());
        }
        let is_attended = hearers.attendant.is_some();
        drop(hearers);
        if !is_attended {
            return self.poll(|| ());
        }
        if self.bell.notes.load(SeqCst) & ENDED == 0 { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Does `first`, and moves on as far as it goes.
    ///
    /// A panic ends it as its end does: what it held is dropped, and that tells who waits for it.
    pub(crate) fn poll(&self, first: impl FnOnce()) -> Poll<()> {
        let mut course = self.lock();
        let Some(running) = course.as_mut() else {
            first();
            return Poll::Ready(());
        };
        self.bell.notes.store(POLLING, SeqCst);
        // What it wakes will be looked at below anyway.
        first();
        let mut cx = Context::from_waker(&self.waker);
        for _ in 0..TURNS_MAX {
            self.bell.notes.store(POLLING, SeqCst);
            let polled = catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(&mut cx)));
            if !matches!(polled, Ok(Poll::Pending)) {
                self.end(course);
                return Poll::Ready(());
            }
            if self.bell.notes.compare_exchange(POLLING, 0, SeqCst, SeqCst).is_ok() {
                drop(course);
                wake_the_next();
                return Poll::Pending;
            }
        }
        drop(course);
        wake_the_next();
        // It would go on and on; others of the lane come first.
        self.bell.notes.store(WOKEN, SeqCst);
        self.bell.ring();
        Poll::Pending
    }

    fn end(&self, mut course: MutexGuard<'_, Option<Course>>) {
        let ended = course.take();
        self.bell.notes.store(ENDED, SeqCst);
        drop(course);
        // What was left of it may wake and free others.
        drop(ended);
        wake_the_next();
        let lane = self.bell.hearers().lane.take();
        lane.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Course>> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bell {
    fn hearers(&self) -> MutexGuard<'_, Hearers> {
        self.hearers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) {
        let hearers = self.hearers();
        let hearer = hearers.attendant.as_ref().or(hearers.lane.as_ref()).cloned();
        drop(hearers);
        hearer.into_iter().for_each(Waker::wake);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if QUIET.try_with(Cell::get).unwrap_or(false) {
            return;
        }
        if self.notes.fetch_or(WOKEN, SeqCst) == 0 {
            self.ring();
        }
    }
}

thread_local! {
    /// Whom to wake when this thread has polled the life that it is polling.
    static NEXT: Cell<Option<Waker>> = const { Cell::new(None) };
}

/// For a course: wakes somebody who is going to poll its life, once it is not polled any more.
pub(crate) fn wake_after_poll(waker: Waker) {
    let mut waker = Some(waker);
    let before = NEXT.try_with(|next| next.replace(waker.take()));
    // Without thread-local values there is nothing but to wake it now.
    [before.ok().flatten(), waker].into_iter().flatten().for_each(Waker::wake);
}

fn wake_the_next() {
    let next = NEXT.try_with(Cell::take).ok().flatten();
    next.into_iter().for_each(Waker::wake);
}

impl fmt::Debug for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Life").field("bell", &self.bell).finish_non_exhaustive()
    }
}

/// Does what wakes a life only because the life may wait for it, which it does not: whoever calls this
/// polls it next, or knows that it waits for its socket alone.
pub(crate) fn quietly<T>(does: impl FnOnce() -> T) -> T {
    let _quiet = Quiet(QUIET.try_with(|quiet| quiet.replace(true)).unwrap_or(false));
    does()
}

/// Until it is dropped the thread wakes no life; what held before.
struct Quiet(bool);

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = QUIET.try_with(|quiet| quiet.set(self.0));
    }
}

thread_local! {
    /// Whether this thread's wake-ups are its own business.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// How often it is polled in a row, if it wakes itself.
const TURNS_MAX: u8 = 16;
