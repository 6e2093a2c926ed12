//! The spans that a call is in, entered around each of its polls.
//!
//! A span could be wrapped around each future instead, but then each of these kilobytes of state
//! would be moved once more, whether anybody listens or not.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

use tracing::Span;

/// The span of a call, and those of the parts of it that are under way.
#[derive(Debug)]
pub(crate) struct Trail {
    root: Span,
    /// How many spans there are in `parts`.
    depth: AtomicUsize,
    /// The innermost last; held for a look or a change, and never while a subscriber runs.
    parts: Mutex<Vec<Span>>,
    /// Whether the call is being polled.
    is_entered: AtomicBool,
}

impl Trail {
    pub(crate) const fn new(root: Span) -> Self {
        Self {
            root,
            depth: AtomicUsize::new(0),
            parts: Mutex::new(Vec::new()),
            is_entered: AtomicBool::new(false),
        }
    }

    /// The span of the call.
    pub(crate) const fn root(&self) -> &Span {
        &self.root
    }

    /// Whether a subscriber is told when the call is polled.
    pub(crate) fn is_listened_to(&self) -> bool {
        !self.root.is_disabled()
    }

    /// Polls the call inside of its spans.
    pub(crate) fn around<T>(&self, poll: impl FnOnce() -> T) -> T {
        if self.root.is_disabled() {
            return poll();
        }
        let _entered = self.root.enter();
        self.parts().iter().for_each(enter);
        self.is_entered.store(true, Relaxed);
        // Also after a panic.
        let _leaving = Leaving(self);
        poll()
    }

    /// Makes a part of the call begin, until what is returned is dropped; it has no span if the call
    /// has none.
    pub(crate) fn begin(&self, span: impl FnOnce() -> Span) -> Part<'_> {
        let span = if self.root.is_disabled() { Span::none() } else { span() };
        if !span.is_disabled() {
            self.lock().push(span.clone());
            self.depth.fetch_add(1, Relaxed);
            if self.is_entered.load(Relaxed) {
                enter(&span);
            }
        }
        Part { trail: self, span }
    }

    fn parts(&self) -> Vec<Span> {
        match self.depth.load(Relaxed) {
            0 => Vec::new(),
            _ => self.lock().clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Span>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Leaving<'t>(&'t Trail);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        let Self(trail) = self;
        trail.is_entered.store(false, Relaxed);
        trail.parts().iter().rev().for_each(exit);
    }
}

/// A part of a call that is under way; parts end in the reverse order of their beginning.
#[derive(Debug)]
pub(crate) struct Part<'t> {
    trail: &'t Trail,
    span: Span,
}

impl std::ops::Deref for Part<'_> {
    type Target = Span;

    fn deref(&self) -> &Span {
        &self.span
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        if self.span.is_disabled() {
            return;
        }
        let part = self.trail.lock().pop();
        self.trail.depth.fetch_sub(1, Relaxed);
        // A call that is given up is dropped where nothing is entered.
        if self.trail.is_entered.load(Relaxed) {
            exit(&self.span);
        }
        drop(part);
    }
}

fn enter(span: &Span) {
    span.with_subscriber(|(id, subscriber)| subscriber.enter(id));
}

fn exit(span: &Span) {
    span.with_subscriber(|(id, subscriber)| subscriber.exit(id));
}
