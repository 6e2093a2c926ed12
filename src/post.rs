//! The posts of a client's own threads: filled when there is something to do, given up when not.

use std::{fmt, io, time::Duration};

use crate::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What one thread at a time is there for, and what it sleeps on.
pub(crate) struct Post {
    /// Held for a look or a change, and while a thread is started: nobody may count on one that
    /// then does not start.
    state: Mutex<State>,
    heard: Condvar,
    start: Box<dyn Fn() -> io::Result<()> + Send + Sync>,
}

#[derive(Debug)]
struct State {
    holder: Holder,
    /// Whether its thread has been called and has not looked since.
    rung: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    Nobody,
    Thread,
    /// Nobody, and nobody will come.
    Never,
}

impl Post {
    /// A post that nobody holds; `start` starts a thread that does.
    pub(crate) fn new(start: impl Fn() -> io::Result<()> + Send + Sync + 'static) -> Self {
        let state = Mutex::new(State { holder: Holder::Nobody, rung: false });
        Self { state, heard: Condvar::default(), start: Box::new(start) }
    }

    pub(crate) fn is_filled(&self) -> bool {
        self.lock().holder == Holder::Thread
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().holder == Holder::Never
    }

    /// Has its thread look once more; whether there is one.
    pub(crate) fn ring(&self) -> bool {
        let mut state = self.lock();
        if state.holder != Holder::Thread {
            return false;
        }
        if !std::mem::replace(&mut state.rung, true) {
            drop(state);
            self.heard.notify_one();
        }
        true
    }

    /// Has its thread look once more, a new one if there is none.
    pub(crate) fn call(&self) -> io::Result<()> {
        if self.ring() {
            return Ok(());
        }
        let mut state = self.lock();
        match state.holder {
            Holder::Nobody => (self.start)()?,
            // Filled by somebody else just now.
            Holder::Thread => self.heard.notify_one(),
            Holder::Never => return Err(io::Error::other("the client has ended")),
        }
        *state = State { holder: Holder::Thread, rung: true };
        Ok(())
    }

    /// For its thread, before anything else.
    pub(crate) const fn take_up(&self) -> Tenure<'_> {
        Tenure { post: self, has_left: false, failures: 0 }
    }

    /// If nobody holds it, nobody will.
    pub(crate) fn fill_no_more(&self) {
        let mut state = self.lock();
        if state.holder == Holder::Nobody {
            state.holder = Holder::Never;
        }
    }

    /// Nobody holds it from now on; its thread has to find out by other means.
    pub(crate) fn close(&self) {
        *self.lock() = State { holder: Holder::Never, rung: true };
        self.heard.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A post in the hands of its thread. A thread that panics leaves it too, to another one.
#[derive(Debug)]
pub(crate) struct Tenure<'p> {
    post: &'p Post,
    has_left: bool,
    /// How often in a row it could not do what it is there for.
    failures: u32,
}

impl Tenure<'_> {
    /// Sleeps until called; whether it was.
    pub(crate) fn wait(&self, patience: Duration) -> bool {
        let Post { heard, .. } = self.post;
        let waited = heard.wait_timeout_while(self.post.lock(), patience, |state| !state.rung);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        std::mem::take(&mut state.rung)
    }

    /// What it was called for was done.
    pub(crate) const fn succeed(&mut self) {
        self.failures = 0;
    }

    /// What it was called for could not be done: sleeps, for longer each time in a row and whoever
    /// calls, so that it does not do nothing else than fail.
    pub(crate) fn fail(&mut self) {
        let pause = PAUSE_MIN * 2_u32.saturating_pow(self.failures);
        self.failures += 1;
        let Post { heard, .. } = self.post;
        let has_post = |state: &mut State| state.holder == Holder::Thread;
        let waited = heard.wait_timeout_while(self.post.lock(), pause.min(PAUSE_MAX), has_post);
        drop(waited);
    }

    /// Leaves the post, unless it was called since it has looked; whether it has left.
    pub(crate) fn give_up(&mut self) -> bool {
        let mut state = self.post.lock();
        // Who calls it from now on finds it left.
        if std::mem::take(&mut state.rung) {
            return false;
        }
        if state.holder == Holder::Thread {
            state.holder = Holder::Nobody;
        }
        self.has_left = true;
        true
    }
}

impl Drop for Tenure<'_> {
    fn drop(&mut self) {
        if self.has_left {
            return;
        }
        let mut state = self.post.lock();
        if state.holder == Holder::Thread {
            *state = State { holder: Holder::Nobody, rung: false };
            drop(state);
            // Somebody may count on it. If no thread can be started, whoever calls next will see.
            drop(self.post.call());
        }
    }
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post").field("state", &self.state).finish_non_exhaustive()
    }
}

const PAUSE_MIN: Duration = Duration::from_millis(1);
/// Looking once a second for whether it can be done again costs nothing.
const PAUSE_MAX: Duration = Duration::from_secs(1);
