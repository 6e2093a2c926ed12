//! Whether a client takes calls, how many it has, and how they are told that it ends.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Condvar, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// A thread that waits for a call, and can be made to look at it again.
pub(crate) trait Sleeper: Send + Sync {
    fn wake(&self);
}

/// The life of one client.
pub(crate) struct Lifecycle {
    /// A number that no other client of this process has.
    id: u64,
    /// The calls that run and, as the highest bit, whether new ones are refused.
    calls: AtomicUsize,
    /// Beside `calls`, since the processor that has begun a call holds both.
    begun: AtomicU64,
    aborted: AtomicBool,
    /// The threads that have made calls, so that those which wait can be woken; held while one is
    /// entered, which happens once per thread, or while they are woken. By address.
    sleepers: Mutex<HashMap<usize, Weak<dyn Sleeper>>>,
    /// Held to look at `calls` and go to sleep, by who shuts the client down.
    quiet: Mutex<()>,
    /// Tells that the last call has ended.
    ended: Condvar,
}

impl Lifecycle {
    pub(crate) fn new() -> Arc<Self> {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        Arc::new(Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            calls: AtomicUsize::new(0),
            begun: AtomicU64::new(0),
            aborted: AtomicBool::new(false),
            sleepers: Mutex::default(),
            quiet: Mutex::new(()),
            ended: Condvar::new(),
        })
    }

    pub(crate) const fn id(&self) -> u64 {
        self.id
    }

    /// Begins a call, unless the client takes none any more.
    pub(crate) fn begin_call(self: &Arc<Self>) -> Option<Running> {
        let running = Running { lifecycle: Arc::clone(self), is_nested: false };
        let before = self.calls.fetch_add(1, Ordering::SeqCst);
        (before & CLOSED == 0).then_some(running)
    }

    /// Counts a call that has begun.
    pub(crate) fn count_call(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    /// How many calls have begun so far.
    pub(crate) fn calls_begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Refuses new calls from now on.
    pub(crate) fn close(&self) {
        self.calls.fetch_or(CLOSED, Ordering::SeqCst);
    }

    /// Waits until no call runs; how many still do when the time is over.
    pub(crate) fn wait_for_calls(&self, limit: Duration) -> usize {
        let running = || self.calls.load(Ordering::SeqCst) & !CLOSED;
        let quiet = self.quiet.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left = 0;
        let waited = self.ended.wait_timeout_while(quiet, limit, |&mut ()| {
            // Asked again later, it would count a call that is just being refused.
            left = running();
            left > 0
        });
        drop(waited);
        left
    }

    /// Has every call that waits end.
    pub(crate) fn abort(&self) {
        self.aborted.store(true, Ordering::SeqCst);
        let sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        let awake: Vec<_> = sleepers.values().filter_map(Weak::upgrade).collect();
        drop(sleepers);
        awake.iter().for_each(|sleeper| sleeper.wake());
    }

    /// Enters a thread, which looks at `is_aborted` after this and whenever it is woken.
    pub(crate) fn enter_sleeper(&self, sleeper: Weak<dyn Sleeper>) {
        let mut sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        if sleepers.len() == sleepers.capacity() {
            // Before it grows; threads come and go.
            sleepers.retain(|_, sleeper| sleeper.strong_count() > 0);
        }
        sleepers.insert(sleeper.as_ptr().cast::<()>() as usize, sleeper);
    }
}

impl fmt::Debug for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lifecycle").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A call, from before its first step until it has its answer and its body has ended.
#[derive(Debug)]
pub(crate) struct Running {
    lifecycle: Arc<Lifecycle>,
    /// Whether it is a part of another, which counts.
    is_nested: bool,
}

impl Running {
    pub(crate) fn lifecycle(&self) -> &Lifecycle {
        &self.lifecycle
    }

    /// A call that this one makes for itself.
    #[cfg(feature = "json")]
    pub(crate) fn nested(&self) -> Self {
        Self { lifecycle: Arc::clone(&self.lifecycle), is_nested: true }
    }

    /// Whether it has to end because its client does.
    pub(crate) fn is_aborted(&self) -> bool {
        self.lifecycle.aborted.load(Ordering::SeqCst)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.is_nested {
            return;
        }
        let Lifecycle { calls, quiet, ended, .. } = &*self.lifecycle;
        if calls.fetch_sub(1, Ordering::SeqCst) == CLOSED + 1 {
            // Nobody is between looking and falling asleep when this has been held.
            drop(quiet.lock().unwrap_or_else(PoisonError::into_inner));
            ended.notify_all();
        }
    }
}

/// What was left of a client when it was shut down; see
/// [`Client::shutdown`](crate::Client::shutdown).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shutdown {
    pub(crate) calls_aborted: usize,
    pub(crate) calls_left: usize,
    pub(crate) connections_left: usize,
    pub(crate) threads_left: Vec<String>,
}

impl Shutdown {
    /// Whether nothing is left: no call, no connection, no thread.
    ///
    /// A library that made the client can be unloaded then, once its last handle was dropped.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.calls_left == 0 && self.connections_left == 0 && self.threads_left.is_empty()
    }

    /// How many calls, open replies included, were told to end because the time was over.
    #[must_use]
    pub const fn calls_aborted(&self) -> usize {
        self.calls_aborted
    }

    /// How many of these have not ended yet: an open reply that nobody reads or drops, a thread that
    /// is inside a listener or reader of yours.
    #[must_use]
    pub const fn calls_left(&self) -> usize {
        self.calls_left
    }

    /// How many connections could not be closed, because the thread they need is kept busy.
    #[must_use]
    pub const fn connections_left(&self) -> usize {
        self.connections_left
    }

    /// The names of the client's threads that still run: a look-up that is stuck in the system's
    /// resolver (`abide-dns-0`), or the thread that shuts down, if it is one of them.
    #[must_use]
    pub fn threads_left(&self) -> &[String] {
        &self.threads_left
    }
}

const CLOSED: usize = 1 << (usize::BITS - 1);

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting(AtomicUsize);

    impl Sleeper for Counting {
        fn wake(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_client_that_is_closed_refuses_calls_and_counts_those_that_run() {
        let lifecycle = Lifecycle::new();
        let running = lifecycle.begin_call().expect("a call");
        lifecycle.close();
        assert!(lifecycle.begin_call().is_none());
        assert_eq!(lifecycle.wait_for_calls(Duration::ZERO), 1);
        let ends = std::thread::spawn(move || drop(running));
        assert_eq!(lifecycle.wait_for_calls(Duration::from_secs(10)), 0);
        ends.join().expect("the thread");
    }

    #[test]
    fn calls_that_are_refused_do_not_run() {
        let lifecycle = Lifecycle::new();
        lifecycle.close();
        let (is_over, begins) = (AtomicBool::new(false), std::sync::Barrier::new(2));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                begins.wait();
                while !is_over.load(Ordering::SeqCst) {
                    assert!(lifecycle.begin_call().is_none());
                }
            });
            begins.wait();
            let left = |_| lifecycle.wait_for_calls(Duration::from_secs(10));
            let left: usize = (0..LOOKS).map(left).sum();
            is_over.store(true, Ordering::SeqCst);
            assert_eq!(left, 0);
        });
    }

    const LOOKS: usize = 100_000;

    #[test]
    fn threads_are_woken_once_each_and_forgotten_when_they_have_gone() {
        let lifecycle = Lifecycle::new();
        let running = lifecycle.begin_call().expect("a call");
        let alive = Arc::new(Counting(AtomicUsize::new(0)));
        for _ in 0..3 {
            let sleeper: Weak<Counting> = Arc::downgrade(&alive);
            lifecycle.enter_sleeper(sleeper);
        }
        for _ in 0..1000 {
            let gone = Arc::new(Counting(AtomicUsize::new(0)));
            let sleeper: Weak<Counting> = Arc::downgrade(&gone);
            lifecycle.enter_sleeper(sleeper);
        }
        assert!(lifecycle.sleepers.lock().expect("sleepers").len() < 100);
        assert!(!running.is_aborted());
        lifecycle.abort();
        assert!(running.is_aborted());
        assert_eq!(alive.0.load(Ordering::SeqCst), 1);
    }
}
