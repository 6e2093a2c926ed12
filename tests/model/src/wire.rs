//! The far end of a connection, and a course that does nothing but look at what comes from there.

use std::{
    future::{Future, poll_fn},
    task::{Context, Poll, Waker},
};

use shuttle::{
    rand::{Rng, thread_rng},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

// A panic does not poison it.
use crate::{
    life::{self, Life},
    moment::Moment,
    parker::Parker,
    sync::Mutex,
};

#[derive(Default)]
pub(crate) struct Wire {
    /// How many events there have been.
    happened: AtomicUsize,
    /// How many of these the course has looked into.
    seen: AtomicUsize,
    has_ended: AtomicBool,
    is_polled: AtomicBool,
    listener: Mutex<Option<Waker>>,
    waiting: Mutex<Vec<Arc<Parker>>>,
}

/// How a course goes.
#[derive(Clone, Copy, Default)]
pub(crate) struct Plan {
    /// The event with which it ends.
    pub(crate) events: usize,
    /// How often it wakes itself before it looks at an event.
    pub(crate) turns: u8,
    /// The event that makes it panic.
    pub(crate) panics_at: Option<usize>,
}

impl Wire {
    /// Something happens; anywhere, at any time.
    pub(crate) fn happen(&self) {
        self.happened.fetch_add(1, SeqCst);
        let listener = self.listener.lock().unwrap().clone();
        listener.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn seen(&self) -> usize {
        self.seen.load(SeqCst)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.load(SeqCst)
    }

    /// Whether a thread need not wait any more for so many events to be seen.
    pub(crate) fn is_past(&self, events: usize) -> bool {
        self.seen() >= events || self.has_ended()
    }

    /// Has a thread woken whenever something was seen: its answer may have come.
    pub(crate) fn tell(&self, parker: &Arc<Parker>) {
        self.waiting.lock().unwrap().push(Arc::clone(parker));
    }

    pub(crate) fn await_seen(&self, events: usize) {
        let parker = Parker::new();
        self.tell(&parker);
        while !self.is_past(events) {
            parker.park_until(Moment::NEVER);
        }
    }

    /// A life for `Life::begin`.
    pub(crate) fn course(
        self: &Arc<Self>,
        plan: Plan,
        life: Weak<Life>,
    ) -> impl Future<Output = ()> + Send + use<> {
        let ending = Ending(Arc::clone(self));
        let mut turns = plan.turns;
        poll_fn(move |cx| {
            let wire = &*ending.0;
            let _alone = Alone::enter(wire);
            if turns > 0 {
                turns -= 1;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            turns = plan.turns;
            wire.look(cx, plan, &life)
        })
    }

    fn look(&self, cx: &Context<'_>, plan: Plan, life: &Weak<Life>) -> Poll<()> {
        *self.listener.lock().unwrap() = Some(cx.waker().clone());
        if thread_rng().gen_bool(0.3) {
            // It takes what it has just looked for, and needs no telling.
            life::quietly(|| cx.waker().wake_by_ref());
        }
        if let Some(life) = life.upgrade()
            && thread_rng().gen_bool(0.5)
        {
            life.look_into_all();
        }
        let happened = self.happened.load(SeqCst);
        let panics = plan.panics_at.is_some_and(|event| happened >= event);
        if panics {
            // Without the hook that would print it.
            std::panic::resume_unwind(Box::new("a course's panic"));
        }
        self.seen.store(happened, SeqCst);
        if let Some(life) = life.upgrade()
            && thread_rng().gen_bool(0.5)
            && life.look_into_all()
        {
            // What has happened since is not looked for in this turn.
            cx.waker().wake_by_ref();
        }
        self.tell_all();
        if happened < plan.events { Poll::Pending } else { Poll::Ready(()) }
    }

    fn tell_all(&self) {
        let waiting = self.waiting.lock().unwrap().clone();
        waiting.iter().for_each(|parker| parker.notify());
    }
}

/// Tells of the end when the course is dropped.
struct Ending(Arc<Wire>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.has_ended.store(true, SeqCst);
        self.0.tell_all();
    }
}

/// Asserts that a course is polled by one thread at a time, and not after its end.
struct Alone<'w>(&'w Wire);

impl<'w> Alone<'w> {
    fn enter(wire: &'w Wire) -> Self {
        assert!(!wire.is_polled.swap(true, SeqCst), "two poll one life");
        assert!(!wire.has_ended(), "it is polled after its end");
        Self(wire)
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.0.is_polled.store(false, SeqCst);
    }
}
