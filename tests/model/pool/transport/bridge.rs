//! Jobs one way, answers the other, by the checker's primitives.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use shuttle::sync::{Arc, Condvar, Mutex, Weak};

use crate::{
    error::Error, life::Life, limits::Timeouts, origin::Route, priority::Priority, watch::Watch,
    wheel::Wheel,
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

pub(crate) fn job(order: Order) -> (Job, Pending) {
    let slot = Slot::new();
    (Job { order, slot: Arc::clone(&slot) }, Pending { slot, answered: false })
}

impl Job {
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

/// The mail of a connection; `None` once it has ended.
#[derive(Debug, Default)]
struct Mail {
    jobs: Option<VecDeque<Box<Job>>>,
    is_told_to_close: bool,
}

#[derive(Debug)]
struct Postbox {
    mail: Mutex<Mail>,
    arrived: Condvar,
}

#[derive(Clone, Debug)]
pub(crate) struct Mailbox {
    postbox: Arc<Postbox>,
    wheel: Arc<Wheel>,
}

pub(crate) fn mailbox(wheel: &Arc<Wheel>, _: Weak<Life>) -> (Mailbox, Jobs) {
    let mail = Mail { jobs: Some(VecDeque::new()), is_told_to_close: false };
    let postbox = Arc::new(Postbox { mail: Mutex::new(mail), arrived: Condvar::new() });
    (Mailbox { postbox: Arc::clone(&postbox), wheel: Arc::clone(wheel) }, Jobs(postbox))
}

impl Mailbox {
    pub(crate) fn wheel(&self) -> &Arc<Wheel> {
        &self.wheel
    }

    pub(crate) fn life(&self) -> Option<Arc<Life>> {
        None
    }

    pub(crate) fn is_for_callers(&self) -> bool {
        true
    }

    pub(crate) fn send(&self, job: Box<Job>) -> Result<(), Box<Job>> {
        let mut mail = self.postbox.mail.lock().unwrap();
        let Some(jobs) = &mut mail.jobs else { return Err(job) };
        jobs.push_back(job);
        self.postbox.arrived.notify_all();
        Ok(())
    }

    pub(crate) fn hand_in(&self, job: Box<Job>) -> Result<(), Box<Job>> {
        self.send(job)
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.postbox, &other.postbox)
    }

    pub(crate) fn close(&self) {
        self.postbox.mail.lock().unwrap().is_told_to_close = true;
        self.postbox.arrived.notify_all();
    }
}

#[derive(Debug)]
pub(crate) struct Jobs(Arc<Postbox>);

impl Jobs {
    /// Waits for a job, or for the word to close.
    pub(crate) fn next(&self) -> Option<Box<Job>> {
        let is_quiet = |mail: &mut Mail| {
            !mail.is_told_to_close && mail.jobs.as_ref().is_some_and(VecDeque::is_empty)
        };
        let mail = self.0.mail.lock().unwrap();
        self.0.arrived.wait_while(mail, is_quiet).unwrap().jobs.as_mut()?.pop_front()
    }

    /// A job that is there.
    pub(crate) fn try_next(&self) -> Option<Box<Job>> {
        self.0.mail.lock().unwrap().jobs.as_mut()?.pop_front()
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        // What was sent and not taken is dropped without the lock.
        let jobs = self.0.mail.lock().unwrap().jobs.take();
        drop(jobs);
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
