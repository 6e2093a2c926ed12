//! The one place that starts threads, and what is counted for each of them.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// Starts a detached thread with a name that debuggers and `top` show.
pub(crate) fn start(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
}

/// An open reply that a thread holds; its connection serves no other call meanwhile.
///
/// It counts for the thread that opened it, wherever it is dropped.
#[derive(Debug)]
pub(crate) struct Held(Arc<AtomicUsize>);

thread_local! {
    static HELD: Arc<AtomicUsize> = Arc::default();
}

impl Held {
    pub(crate) fn new() -> Self {
        // While thread-local values are being destroyed nobody counts.
        let count = HELD.try_with(Arc::clone).unwrap_or_default();
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }

    /// How many this thread has opened that are still held.
    pub(crate) fn by_this_thread() -> usize {
        HELD.try_with(|count| count.load(Ordering::Relaxed)).unwrap_or_default()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
