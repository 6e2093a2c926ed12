//! Where the calls that have returned leave the time, and where the one who cancels waits.

use std::sync::atomic::{AtomicIsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::outcome::Outcome;

#[derive(Clone)]
pub(super) struct Board(Arc<Shared>);

struct Shared {
    /// One per place, so that calls that return at the same moment do not wait for each other.
    returns: Vec<Mutex<Option<Return>>>,
    /// How many returns are still awaited; only the last one wakes the waiting thread, since the
    /// machine is busy with the others until then.
    awaited: AtomicIsize,
    waiter: Thread,
}

pub(super) struct Return {
    pub(super) at: Instant,
    pub(super) outcome: Outcome<()>,
}

impl Board {
    /// The thread that makes it is the one that waits.
    pub(super) fn new(places: usize) -> Self {
        Self(Arc::new(Shared {
            returns: (0..places).map(|_| Mutex::default()).collect(),
            awaited: AtomicIsize::new(0),
            waiter: thread::current(),
        }))
    }

    pub(super) fn post(&self, place: usize, returned: Return) {
        *lock(&self.0.returns[place]) = Some(returned);
        if self.0.awaited.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.waiter.unpark();
        }
    }

    pub(super) fn expect(&self, returns: usize) {
        self.0.awaited.store(returns.cast_signed(), Ordering::Release);
    }

    /// When the last of those expected returned.
    pub(super) fn wait(&self) -> Outcome<Instant> {
        let deadline = Instant::now() + PATIENCE;
        while self.0.awaited.load(Ordering::Acquire) > 0 {
            let now = Instant::now();
            if now >= deadline {
                self.check_quiet()?;
                return Err("a cancelled call did not return".into());
            }
            thread::park_timeout(deadline - now);
        }
        let mut last = None;
        for returned in self.take_all() {
            returned.outcome?;
            last = last.max(Some(returned.at));
        }
        last.ok_or_else(|| "no call returned".into())
    }

    /// Fails when a call returned that nobody ended.
    pub(super) fn check_quiet(&self) -> Outcome<()> {
        match self.take_all().next() {
            Some(Return { outcome: Err(failure), .. }) => Err(failure),
            Some(_) => Err("a call returned that nobody had cancelled".into()),
            None => Ok(()),
        }
    }

    fn take_all(&self) -> impl Iterator<Item = Return> + '_ {
        self.0.returns.iter().filter_map(|place| lock(place).take())
    }
}

fn lock(place: &Mutex<Option<Return>>) -> std::sync::MutexGuard<'_, Option<Return>> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

const PATIENCE: Duration = Duration::from_secs(10);
