//! Calls on threads of their own, and waiting for things that must happen soon.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use crate::support::PATIENCE;

/// What a blocked thread may take to return after it was told to; generous, for busy machines.
pub(crate) const AT_ONCE: Duration = Duration::from_millis(500);

/// Work on a thread of its own.
pub(crate) struct Running<T> {
    answer: mpsc::Receiver<(thread::Result<T>, Instant)>,
}

pub(crate) fn start<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Running<T> {
    let (sender, answer) = mpsc::channel();
    thread::spawn(move || {
        let result = catch_unwind(AssertUnwindSafe(work));
        // A test that has failed meanwhile does not listen any more.
        drop(sender.send((result, Instant::now())));
    });
    Running { answer }
}

impl<T> Running<T> {
    /// The answer; the test fails if there is none in time.
    #[track_caller]
    pub(crate) fn join(self) -> T {
        self.join_timed().0
    }

    /// Like [`Self::join`]; a failure says what was being waited for.
    #[track_caller]
    pub(crate) fn join_or(self, what: &str) -> T {
        match self.answer.recv_timeout(PATIENCE) {
            Ok((Ok(value), _)) => value,
            Ok((Err(payload), _)) => resume_unwind(payload),
            Err(_) => panic!("still running after {PATIENCE:?}: {what}"),
        }
    }

    /// The answer and when it was there.
    #[track_caller]
    pub(crate) fn join_timed(self) -> (T, Instant) {
        match self.answer.recv_timeout(PATIENCE) {
            Ok((Ok(value), at)) => (value, at),
            Ok((Err(payload), _)) => resume_unwind(payload),
            Err(_) => panic!("still running after {PATIENCE:?}"),
        }
    }
}

/// Runs `work` and fails the test if it takes longer than anything should.
#[track_caller]
pub(crate) fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    start(work).join()
}

/// Waits until `holds`, and fails the test if that takes too long.
#[track_caller]
pub(crate) fn eventually(what: &str, holds: impl FnMut() -> bool) {
    eventually_or(what, holds, String::new);
}

/// Like [`eventually`]; `seen` says what was there instead.
#[track_caller]
pub(crate) fn eventually_or(
    what: &str,
    mut holds: impl FnMut() -> bool,
    seen: impl FnOnce() -> String,
) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        if Instant::now() > deadline {
            panic!("waited {PATIENCE:?} until {what}; {}", seen());
        }
        thread::sleep(Duration::from_millis(1));
    }
}
