//! Calls that are made inside of calls, on the same thread.

use std::{
    cell::{Cell, RefCell},
    io::{self, Read},
    time::Duration,
};

use abide::Client;
use tracing::{
    Event, Metadata, Subscriber,
    span::{Attributes, Id, Record},
};

thread_local! {
    /// What this thread's callbacks call, if they do.
    static WISH: RefCell<Option<(Client, String)>> = const { RefCell::new(None) };
    static MADE: Cell<u32> = const { Cell::new(0) };
}

/// While it lives, this thread's callbacks make calls.
pub(crate) struct Wish;

impl Wish {
    pub(crate) fn new(client: &Client, url: String) -> Self {
        WISH.set(Some((client.clone(), url)));
        Self
    }
}

impl Drop for Wish {
    fn drop(&mut self) {
        WISH.set(None);
    }
}

/// How many this thread has made.
pub(crate) fn made() -> u32 {
    MADE.get()
}

/// For a callback, wherever it runs; what it calls has the same callbacks, which do nothing then.
pub(crate) fn call() {
    let Some((client, url)) = WISH.take() else { return };
    MADE.set(MADE.get() + 1);
    // With one connection it may be the outer call that holds it.
    let _ = client.get(&url).timeout(BUDGET).send();
    WISH.set(Some((client, url)));
}

/// A reader that makes a call before each piece.
pub(crate) struct Pieces(pub(crate) usize);

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        call();
        let length = buffer.len().min(self.0).min(10_000);
        buffer[..length].fill(b'n');
        self.0 -= length;
        Ok(length)
    }
}

/// A subscriber that calls whenever a span of a call is entered, wherever.
pub(crate) struct CallingSubscriber;

impl Subscriber for CallingSubscriber {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Others are entered on lanes, where whoever blocks holds up all calls.
        metadata.is_span() && metadata.target() == "abide"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {
        call();
    }

    fn exit(&self, _: &Id) {}
}

/// What a nested call may take. Short, as others may wait for the connection meanwhile.
pub(crate) const BUDGET: Duration = Duration::from_millis(10);
