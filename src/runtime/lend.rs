//! What a thread knows about lanes: the one it is inside, the one it means to drive.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    hash::{BuildHasher, Hasher, RandomState},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use tokio::{runtime::Handle, task::coop::unconstrained};

use super::lane::Lane;
use crate::{life::Life, transport::pool::HandIn, wheel::Attended};

thread_local! {
    /// The lane that this thread runs at present.
    static INSIDE: Cell<Option<usize>> = const { Cell::new(None) };
    /// What the call that is being polled wants driven.
    static PLAN: Cell<Option<Plan>> = const { Cell::new(None) };
    /// Whether this thread is submitting a job that it will wait for.
    static SUBMITS: Cell<bool> = const { Cell::new(false) };
}

/// Whether those who wait for a client lend their threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lending {
    Never,
    Always,
    /// As it comes, each time anew.
    AtRandom,
}

impl Lending {
    pub(super) const fn is_possible(self) -> bool {
        !matches!(self, Self::Never)
    }

    /// Whether it is done this time.
    pub(super) fn is_done(self) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::AtRandom => RandomState::new().build_hasher().finish().is_multiple_of(2),
        }
    }
}

/// A lane to drive while waiting, a connection of it to attend, and the job to begin with.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) lane: Arc<Lane>,
    pub(super) life: Option<Arc<Life>>,
    pub(super) hand_in: Option<HandIn>,
    /// Counts a dial that this thread is going to drive, or its job if somebody else has begun that.
    pub(super) job: Option<Attended>,
}

/// Whether this thread may attend a connection: not inside a lane, and not while its thread-local
/// values are being destroyed.
pub(super) fn may_attend() -> bool {
    INSIDE.try_with(|inside| inside.get().is_none()).unwrap_or(false)
        && PLAN.try_with(|_| ()).is_ok()
}

/// Whether this thread may run an event loop.
///
/// Not inside somebody else's runtime either; there is no way to tell its worker threads from those
/// for blocking code.
pub(super) fn may_lend() -> bool {
    may_attend() && Handle::try_current().is_err_and(|error| error.is_missing_context())
}

/// Does something that reads and writes, however often this thread has done so.
///
/// It may be the thread of a task in somebody else's runtime, which allows a task so much of that until
/// it yields; a call that blocks never does.
pub(super) fn unbudgeted(does: impl FnOnce()) {
    let mut does = Some(does);
    let mut doing = pin!(unconstrained(poll_fn(|_| {
        does.take().into_iter().for_each(|does| does());
        Poll::Ready(())
    })));
    let _ = doing.as_mut().poll(&mut Context::from_waker(Waker::noop()));
}

pub(super) fn inside() -> Option<usize> {
    INSIDE.try_with(Cell::get).ok().flatten()
}

/// Says what the thread is to do when it waits next; a job planned before goes its way.
pub(super) fn plan(planned: Plan) {
    drop(PLAN.try_with(|plan| plan.replace(Some(planned))));
}

/// Marks the thread as submitting a job that it will wait for.
pub(super) struct Submits;

impl Submits {
    pub(super) fn begin(may_lend: bool) -> Self {
        let _ = SUBMITS.try_with(|submits| submits.set(may_lend));
        Self
    }
}

impl Drop for Submits {
    fn drop(&mut self) {
        let _ = SUBMITS.try_with(|submits| submits.set(false));
    }
}

pub(super) fn submits() -> bool {
    SUBMITS.try_with(Cell::get).unwrap_or(false)
}

pub(super) fn take_plan() -> Option<Plan> {
    PLAN.try_with(Cell::take).ok().flatten()
}

/// Until it is dropped, what is planned may be done; after that it goes its way, also when code of
/// the user panics in between.
pub(super) struct Planning;

impl Drop for Planning {
    fn drop(&mut self) {
        drop(take_plan());
    }
}

/// Marks the thread as running a lane.
pub(super) struct Inside(Option<usize>);

impl Inside {
    pub(super) fn enter(number: usize) -> Self {
        Self(INSIDE.try_with(|inside| inside.replace(Some(number))).ok().flatten())
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = INSIDE.try_with(|inside| inside.set(self.0));
    }
}
