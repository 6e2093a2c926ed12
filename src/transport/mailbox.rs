//! Where a connection takes its jobs from, and is told to close.

use std::{
    collections::VecDeque,
    task::{Context, Poll, Waker},
};

use super::bridge::Job;
use crate::{
    life::Life,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    wheel::{Wheel, Work},
};

/// The pool's end.
#[derive(Clone, Debug)]
pub(crate) struct Mailbox(Arc<Slot>);

/// The connection's end.
#[derive(Debug)]
pub(crate) struct Jobs(Arc<Slot>);

/// A job and the guard that keeps its lane driven.
pub(crate) type Given = (Box<Job>, Work);

#[derive(Debug)]
struct Slot {
    /// Held for a look or a change only.
    mails: Mutex<Mails>,
    wheel: Arc<Wheel>,
    life: Weak<Life>,
}

#[derive(Debug, Default)]
struct Mails {
    waiting: VecDeque<Mail>,
    /// Who is to be told of the next one.
    reader: Option<Waker>,
    has_ended: bool,
}

#[derive(Debug)]
enum Mail {
    Job(Box<Job>, Work),
    Close(Work),
}

impl Mailbox {
    /// Makes both ends; `life` is the connection's if a caller may attend it.
    pub(crate) fn open(wheel: &Arc<Wheel>, life: Weak<Life>) -> (Self, Jobs) {
        let slot = Arc::new(Slot { mails: Mutex::default(), wheel: Arc::clone(wheel), life });
        (Self(Arc::clone(&slot)), Jobs(slot))
    }

    /// The wheel of the lane that the connection is on.
    pub(crate) fn wheel(&self) -> &Arc<Wheel> {
        &self.0.wheel
    }

    /// The connection's life, if a caller may attend it and it has not ended.
    pub(crate) fn life(&self) -> Option<Arc<Life>> {
        self.0.life.upgrade()
    }

    /// Whether a caller can bring a job further than by sending it.
    pub(crate) fn is_for_callers(&self) -> bool {
        self.0.life.strong_count() > 0 || !self.0.wheel.is_driven()
    }

    /// Hands the job over, or back if the connection has ended; the lane is driven from here on.
    pub(crate) fn send(&self, job: Box<Job>) -> Result<(), Box<Job>> {
        self.hand_in(job)?;
        self.0.wheel.see_to_it();
        Ok(())
    }

    /// As `send`, by somebody who drives the lane or attends the connection next.
    pub(crate) fn hand_in(&self, job: Box<Job>) -> Result<(), Box<Job>> {
        match self.0.post(Mail::Job(job, self.0.wheel.work())) {
            Err(Mail::Job(job, _)) => Err(job),
            _ => Ok(()),
        }
    }

    /// Whether both are one connection's.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Tells the connection to close.
    pub(crate) fn close(&self) {
        // A connection that has ended already needs no telling.
        let _ = self.0.post(Mail::Close(self.0.wheel.work()));
        self.0.wheel.see_to_it();
    }
}

impl Jobs {
    /// The next job; `None` when the connection shall close.
    pub(crate) fn poll_next(&self, cx: &Context<'_>) -> Poll<Option<Given>> {
        let mut mails = self.0.lock();
        let Some(mail) = mails.waiting.pop_front() else {
            match &mut mails.reader {
                Some(reader) => reader.clone_from(cx.waker()),
                None => mails.reader = Some(cx.waker().clone()),
            }
            return Poll::Pending;
        };
        drop(mails);
        Poll::Ready(match mail {
            Mail::Job(job, work) => Some((job, work)),
            Mail::Close(work) => {
                // It has counted for as long as the word was on its way.
                drop(work);
                None
            }
        })
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        let mut mails = self.0.lock();
        mails.has_ended = true;
        let left = (std::mem::take(&mut mails.waiting), mails.reader.take());
        drop(mails);
        // Dropping a job says that it was never sent, and wakes who waits for it.
        drop(left);
    }
}

impl Slot {
    fn post(&self, mail: Mail) -> Result<(), Mail> {
        let mut mails = self.lock();
        if mails.has_ended {
            return Err(mail);
        }
        mails.waiting.push_back(mail);
        let reader = mails.reader.take();
        drop(mails);
        reader.into_iter().for_each(Waker::wake);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Mails> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
