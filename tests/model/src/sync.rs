//! The checker's primitives in place of the standard library's, with time-outs, which it lacks.

use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};

use shuttle::{
    rand::{Rng, thread_rng},
    sync::LockResult,
};
pub(crate) use shuttle::{
    sync::{Arc, PoisonError, Weak, atomic},
    thread_local,
};

use crate::moment::{self, Moment};

pub(crate) mod thread {
    use std::time::Duration;

    pub(crate) use shuttle::thread::{Thread, current, park};

    use crate::moment;

    pub(crate) fn park_timeout(patience: Duration) {
        if moment::passes() {
            // May return early, as the real one may.
            moment::advance(patience);
            shuttle::thread::yield_now();
        } else {
            park();
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

/// Knows its mutex, so that a timed wait can take it again.
pub(crate) struct MutexGuard<'m, T> {
    mutex: &'m Mutex<T>,
    guard: shuttle::sync::MutexGuard<'m, T>,
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(shuttle::sync::Mutex::new(value))
    }

    /// Now and then the system takes the thread away for long before it gets there.
    pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        if thread_rng().gen_bool(1.0 / 64.0) {
            (0..32).for_each(|_| shuttle::thread::yield_now());
        }
        let guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(MutexGuard { mutex: self, guard })
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

#[derive(Debug, Default)]
pub(crate) struct Condvar(shuttle::sync::Condvar);

impl Condvar {
    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn wait_while<'m, T>(
        &self,
        guarded: MutexGuard<'m, T>,
        condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<MutexGuard<'m, T>> {
        let MutexGuard { mutex, guard } = guarded;
        let waited = self.0.wait_while(guard, condition);
        Ok(MutexGuard { mutex, guard: waited.unwrap_or_else(PoisonError::into_inner) })
    }

    /// Looks again and again, each time a little later, while time passes; else waits.
    pub(crate) fn wait_timeout_while<'m, T>(
        &self,
        mut guarded: MutexGuard<'m, T>,
        patience: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<(MutexGuard<'m, T>, bool)> {
        if !moment::passes() {
            let waited = self.wait_while(guarded, condition);
            return Ok((waited.unwrap_or_else(PoisonError::into_inner), false));
        }
        let deadline = Moment::now().plus(patience);
        while condition(&mut guarded) {
            if Moment::now() >= deadline {
                return Ok((guarded, true));
            }
            let mutex = guarded.mutex;
            drop(guarded);
            moment::advance(patience);
            shuttle::thread::yield_now();
            guarded = mutex.lock().unwrap_or_else(PoisonError::into_inner);
        }
        Ok((guarded, false))
    }
}
