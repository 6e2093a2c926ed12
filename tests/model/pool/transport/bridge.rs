//! Jobs and their answers, by the checker's primitives.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use crate::{
    doorstep::Doorstep,
    error::Error,
    limits::Timeouts,
    origin::Route,
    priority::Priority,
    sync::{Arc, Condvar, Mutex},
    watch::Watch,
};

#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) route: Route,
    pub(crate) watch: Arc<Watch>,
    pub(crate) timeouts: Timeouts,
    pub(crate) priority: Priority,
    pub(crate) attempt: u32,
    pub(crate) fresh: bool,
    pub(crate) avoid: Option<usize>,
}

#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) order: Order,
    slot: Arc<Slot<Outcome>>,
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answered,
    /// No connection could be had.
    Refused,
    /// It was dropped before it was sent.
    NeverSent,
}

#[derive(Debug)]
struct Slot<T> {
    value: Mutex<Option<T>>,
    filled: Condvar,
}

impl<T> Slot<T> {
    fn new() -> Arc<Self> {
        Arc::new(Self { value: Mutex::new(None), filled: Condvar::new() })
    }

    fn fill(&self, value: T) -> bool {
        let mut slot = self.value.lock().unwrap();
        let is_first = slot.is_none();
        slot.get_or_insert(value);
        self.filled.notify_all();
        is_first
    }

    fn wait(&self) -> T {
        let slot = self.value.lock().unwrap();
        let mut slot = self.filled.wait_while(slot, |value| value.is_none()).unwrap();
        slot.take().unwrap()
    }
}

pub(crate) fn job(order: Order) -> (Box<Job>, Pending) {
    let slot = Slot::new();
    let job = Job { order, slot: Arc::clone(&slot) };
    (Box::new(job), Pending { slot, answered: false })
}

impl Job {
    /// No caller of the model attends a connection.
    #[expect(
        clippy::unused_self,
        clippy::needless_pass_by_ref_mut,
        reason = "the real one knows it"
    )]
    pub(crate) fn await_invitation(&mut self) -> Option<Arc<Doorstep>> {
        None
    }

    pub(crate) fn refuse(self, _: Error) {
        self.slot.fill(Outcome::Refused);
    }

    pub(crate) fn answer(self) {
        assert!(self.slot.fill(Outcome::Answered), "answered twice");
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.slot.fill(Outcome::NeverSent);
    }
}

#[derive(Debug)]
pub(crate) struct Pending {
    slot: Arc<Slot<Outcome>>,
    answered: bool,
}

impl Pending {
    pub(crate) fn is_answered(&self) -> bool {
        self.answered
    }

    pub(crate) fn wait(&mut self) -> Outcome {
        self.answered = true;
        self.slot.wait()
    }
}

#[derive(Debug)]
pub(crate) struct Reply<T>(Arc<Slot<Option<T>>>);

#[derive(Debug)]
pub(crate) struct Awaited<T>(Arc<Slot<Option<T>>>);

pub(crate) fn reply<T>() -> (Reply<T>, Awaited<T>) {
    let slot = Slot::new();
    (Reply(Arc::clone(&slot)), Awaited(slot))
}

impl<T> Reply<T> {
    pub(crate) fn send(self, value: T) {
        self.0.fill(Some(value));
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        self.0.fill(None);
    }
}

/// Waits where a real one would be polled again.
impl<T> Future for Awaited<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<T>> {
        Poll::Ready(self.0.wait())
    }
}
