//! What a waiting thread sleeps on, parked or driving a lane.

use std::task::{Context, Poll, Wake, Waker};

use crate::{
    moment::Moment,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        thread::{self, Thread},
    },
};

/// Wakes the thread that made it, once for each time it was notified.
#[derive(Debug)]
pub(super) struct Parker {
    thread: Thread,
    notified: AtomicBool,
    /// Wakes the thread out of the lane that it drives; held for a look or a change only.
    driving: Mutex<Option<Waker>>,
}

impl Parker {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            thread: thread::current(),
            notified: AtomicBool::new(false),
            driving: Mutex::new(None),
        })
    }

    /// Forgets a notification; whether there was one.
    pub(super) fn take_notification(&self) -> bool {
        self.notified.swap(false, Ordering::SeqCst)
    }

    pub(super) fn is_notified(&self) -> bool {
        self.notified.load(Ordering::SeqCst)
    }

    /// Sleeps until notified or until the moment has come.
    pub(super) fn park_until(&self, moment: Moment) {
        while !self.take_notification() {
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

    /// For a thread that drives; until it is dropped, notifying wakes the thread out of the lane.
    pub(super) fn notified(&self) -> Notified<'_> {
        Notified(self)
    }

    pub(super) fn notify(&self) {
        if !self.notified.swap(true, Ordering::SeqCst) {
            let driving = self.driving.lock().unwrap_or_else(PoisonError::into_inner).take();
            match driving {
                Some(waker) => waker.wake(),
                None => self.thread.unpark(),
            }
        }
    }
}

/// While it lives, the thread sleeps in a lane.
pub(super) struct Notified<'p>(&'p Parker);

impl Notified<'_> {
    /// Ready when notified; the notification stays.
    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        let mut driving = self.0.driving.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *driving {
            Some(waker) => waker.clone_from(cx.waker()),
            None => *driving = Some(cx.waker().clone()),
        }
        drop(driving);
        if self.0.is_notified() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Notified<'_> {
    fn drop(&mut self) {
        let waker = self.0.driving.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(waker);
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
