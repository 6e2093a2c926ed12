//! What a waiting thread sleeps on, parked or driving a lane.

use std::{
    future::poll_fn,
    task::{Poll, Wake, Waker},
};

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

    /// Ready when notified, for a thread that drives; the notification stays.
    pub(super) async fn notified(&self) {
        let _driving = Driving(self);
        poll_fn(|cx| {
            let mut driving = self.driving.lock().unwrap_or_else(PoisonError::into_inner);
            *driving = Some(cx.waker().clone());
            drop(driving);
            if self.notified.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    fn notify(&self) {
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
struct Driving<'p>(&'p Parker);

impl Drop for Driving<'_> {
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
