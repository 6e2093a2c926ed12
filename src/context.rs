//! A running call: its deadline, its budgets, its cancelling.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use tracing::Span;

use crate::{
    environment::{OfProcess, ProcessId},
    error::{Error, Result},
    feedback::Feedback,
    lifecycle::Running,
    limits::Timeouts,
    moment::Moment,
    observed::Observed,
    observer::{Happening, Observer},
    phase::{Budget, Phase},
    priority::Priority,
    trail::Trail,
    watch::Watch,
};

/// What every step of a call gets as its first argument.
#[derive(Debug)]
pub(crate) struct CallContext {
    pub(crate) id: u64,
    pub(crate) started: Moment,
    pub(crate) timeouts: Timeouts,
    pub(crate) priority: Priority,
    pub(crate) watch: Arc<Watch>,
    pub(crate) trail: Trail,
    /// `None` if the client has no observer.
    observed: Option<Box<Observed>>,
    /// How many exchanges were begun while somebody wanted to know.
    exchanges: AtomicU32,
    process: ProcessId,
    /// Whether another call makes it for itself, on whose behalf its thread may run code of the user.
    is_nested: bool,
    /// `None` when only its reply is left.
    running: Option<OfProcess<Running>>,
    /// When the thread that polls the call must look again though nobody woke it.
    wake_at: AtomicU64,
    /// The same for a step that has an end of its own.
    step_ends_at: AtomicU64,
    /// When the present wait began: the idle clock of a streamed reply stands still between reads.
    waiting_since: AtomicU64,
}

impl CallContext {
    /// That of a call which begins now; it counts for its client as long as `running` is there.
    pub(crate) fn new(
        (timeouts, priority): (Timeouts, Priority),
        feedback: Option<Feedback>,
        process: ProcessId,
        running: Option<Running>,
    ) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        let started = Moment::now();
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            started,
            timeouts,
            priority,
            watch: Arc::new(Watch::new(feedback, started)),
            trail: Trail::new(Span::none()),
            observed: None,
            exchanges: AtomicU32::new(0),
            process,
            is_nested: false,
            running: running.map(OfProcess::new),
            wake_at: AtomicU64::new(Moment::NEVER.nanos()),
            step_ends_at: AtomicU64::new(Moment::NEVER.nanos()),
            waiting_since: AtomicU64::new(0),
        }
    }

    pub(crate) fn feedback(&self) -> Option<&Feedback> {
        self.watch.feedback()
    }

    /// Has an observer hear of it.
    pub(crate) fn observe(&mut self, observer: &Arc<dyn Observer>) {
        self.observed = Some(Box::new(Observed::new(observer, self.id, self.started)));
    }

    /// Whether its thread does nothing but wait while an exchange is under way: no listener, observer
    /// or subscriber of the user can run on it.
    pub(crate) fn runs_by_itself(&self) -> bool {
        self.feedback().is_none()
            && self.observed().is_none()
            && self.trail.root().is_disabled()
            && !self.is_nested
    }

    pub(crate) fn observed(&self) -> Option<&Observed> {
        self.observed.as_deref()
    }

    /// Notes what happens, for the observer if there is one.
    pub(crate) fn note(&self, what: impl FnOnce() -> Happening) {
        if let Some(observed) = self.observed() {
            observed.note(what());
        }
    }

    /// Notes the last thing that happens.
    pub(crate) fn note_end(&self, what: impl FnOnce() -> Happening) {
        if let Some(observed) = self.observed() {
            observed.end(&self.watch, what());
        }
    }

    /// Has the observer, if there is one, hear what it has not heard yet.
    pub(crate) fn tell_observer(&self) {
        if let Some(observed) = self.observed() {
            observed.tell();
        }
    }

    /// Counts one more exchange; how many there were before.
    pub(crate) fn count_exchange(&self) -> u32 {
        self.exchanges.fetch_add(1, Ordering::Relaxed)
    }

    /// `None` in a child process too.
    pub(crate) fn running(&self) -> Option<&Running> {
        self.running.as_ref()?.get()
    }

    /// Notes that the call has ended, though what is left of its reply has not.
    pub(crate) fn call_ended(&mut self) {
        self.running = None;
    }

    /// Runs `future` until it is done, the call is cancelled, or a budget runs out.
    ///
    /// The one race of a call with its end. Whatever `future` holds is dropped when the race is
    /// lost, and dropping is what cancels the work behind it.
    pub(crate) async fn within<F: Future>(&self, future: F) -> Result<F::Output> {
        let mut future = pin!(future);
        let mut cancelled = self.feedback().map(Feedback::cancelled);
        let now = Moment::now();
        self.waiting_since.store(now.nanos(), Ordering::Relaxed);
        let end = self.next_end();
        if end.at <= now {
            return Err(Error::timed_out(end.phase, end.budget, end.limit));
        }
        // The first poll comes at once. If it runs a reader of the user, the thread sees how late it is
        // when it would sleep.
        let mut begun = Some(now);
        poll_fn(|cx| {
            if cancelled.as_mut().is_some_and(|cancelled| cancelled.is_cancelled(cx)) {
                return Poll::Ready(Err(Error::cancelled(self.watch.phase())));
            }
            if self.is_aborted() {
                return Poll::Ready(Err(Error::shut_down().in_phase(self.watch.phase())));
            }
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                // A cancelled call never looks like a success, nor like another failure.
                return Poll::Ready(match self.is_cancelled() {
                    true => Err(Error::cancelled(self.watch.phase())),
                    false => Ok(output),
                });
            }
            let (end, now) = (self.next_end(), begun.take().unwrap_or_else(Moment::now));
            if end.at <= now {
                self.watch.time_out();
                return Poll::Ready(Err(Error::timed_out(end.phase, end.budget, end.limit)));
            }
            // A lane that moves the call into its next phase does not wake this thread.
            let next_phase = self.timeouts.shortest().map_or(Moment::NEVER, |b| now.plus(b));
            self.wake_at.store(end.at.min(next_phase).nanos(), Ordering::Relaxed);
            Poll::Pending
        })
        .await
    }

    /// As [`within`](Self::within), but until a moment at most: `None` when it has come.
    pub(crate) async fn within_until<F: Future>(
        &self,
        until: Moment,
        future: F,
    ) -> Result<Option<F::Output>> {
        let mut future = pin!(future);
        self.step_ends_at.store(until.nanos(), Ordering::Relaxed);
        let output = self.within(poll_fn(|task| match future.as_mut().poll(task) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if until <= Moment::now() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }));
        let output = output.await;
        self.step_ends_at.store(Moment::NEVER.nanos(), Ordering::Relaxed);
        output
    }

    /// Waits for so long, unless the call ends before.
    pub(crate) async fn pause(&self, time: Duration) -> Result<()> {
        self.watch.enter(Phase::BackOff);
        self.within_until(Moment::now().plus(time), std::future::pending::<()>()).await.map(drop)
    }

    /// What is left of the deadline, if there is one.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        let total = self.timeouts.total?;
        Some(total.saturating_sub(Moment::now().since(self.started)))
    }

    /// When the present wait began.
    pub(crate) fn waiting_since(&self) -> Moment {
        Moment::from_nanos(self.waiting_since.load(Ordering::Relaxed))
    }

    fn is_cancelled(&self) -> bool {
        self.feedback().is_some_and(Feedback::is_cancelled)
    }

    /// Until when the thread may sleep after a poll that was not ready.
    pub(crate) fn wake_at(&self) -> Moment {
        let wake_at = self.wake_at.load(Ordering::Relaxed);
        Moment::from_nanos(wake_at.min(self.step_ends_at.load(Ordering::Relaxed)))
    }

    /// As [`within`](Self::within), but no budget of a phase runs: what is waited for is bounded by
    /// itself.
    #[cfg_attr(
        not(feature = "cache"),
        expect(dead_code, reason = "only a cache lets calls wait for calls")
    )]
    pub(crate) async fn within_call<F: Future>(&self, future: F) -> Result<F::Output> {
        let mut future = pin!(future);
        let mut cancelled = self.feedback().map(Feedback::cancelled);
        let output = poll_fn(|task| {
            if let Some(cancelled) = &mut cancelled {
                // Only to be woken: `still_runs` looks itself.
                cancelled.is_cancelled(task);
            }
            if let Err(error) = self.still_runs() {
                return Poll::Ready(Err(error));
            }
            self.wake_at.store(self.end_of_call(self.watch.phase()).at.nanos(), Ordering::Relaxed);
            future.as_mut().poll(task).map(Ok)
        })
        .await;
        // The time was another call's.
        self.watch.begin_again();
        output
    }

    /// Fails if the call was cancelled or is past its deadline; for steps that wait for nothing.
    pub(crate) fn still_runs(&self) -> Result<()> {
        if self.is_cancelled() {
            return Err(Error::cancelled(self.watch.phase()));
        }
        if self.is_aborted() {
            return Err(Error::shut_down().in_phase(self.watch.phase()));
        }
        let end = self.end_of_call(self.watch.phase());
        // The clock is read only if there is a deadline.
        if end.at != Moment::NEVER && end.at <= Moment::now() {
            return Err(Error::timed_out(end.phase, end.budget, end.limit));
        }
        Ok(())
    }

    /// Whether it has to end because its client does.
    fn is_aborted(&self) -> bool {
        self.running().is_some_and(Running::is_aborted)
    }

    /// Fails if a listener or reader has forked and this is the child, whose lanes are gone.
    pub(crate) fn same_process(&self) -> Result<()> {
        if self.process.is_current() { Ok(()) } else { Err(Error::forked()) }
    }

    /// The context of a call that this one makes for itself: it ends with this one, by its
    /// cancelling and its deadline, and does not count as its progress.
    #[cfg(feature = "json")]
    pub(crate) fn nested(&self, budgets: impl FnOnce(Timeouts) -> Timeouts) -> Self {
        let timeouts = budgets(Timeouts { total: self.time_left(), ..self.timeouts });
        let feedback = self.feedback().map(Feedback::apart);
        let running = self.running().map(Running::nested);
        let wanted = (timeouts, Priority::default());
        let nested = Self::new(wanted, feedback, self.process, running);
        let observed = self.observed().map(|o| o.nested(nested.id, nested.started)).map(Box::new);
        Self { observed, is_nested: true, ..nested }
    }

    /// Polls what a nested call does; the thread of this one wakes for it in time.
    #[cfg(feature = "json")]
    pub(crate) async fn along<F: Future>(&self, nested: &Self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|task| {
            let output = nested.trail.around(|| future.as_mut().poll(task));
            self.wake_at.store(nested.wake_at().nanos(), Ordering::Relaxed);
            output
        })
        .await
    }

    /// The end of a nested call as the end of this one, if that is what it was.
    #[cfg(feature = "json")]
    pub(crate) fn own_end(&self, error: Error) -> Error {
        match (error.budget(), self.timeouts.total) {
            (Some(budget @ Budget::Total), Some(total)) => {
                Error::timed_out(self.watch.phase(), budget, total)
            }
            _ if error.is_cancelled() => Error::cancelled(self.watch.phase()),
            _ => error,
        }
    }

    /// The budget that runs out first.
    fn next_end(&self) -> End {
        let phase = self.watch.phase();
        let budget = match phase {
            Phase::Queue => Budget::Queue,
            Phase::Resolve => Budget::Resolve,
            Phase::Connect => Budget::Connect,
            Phase::Tls => Budget::Tls,
            Phase::FirstByte => Budget::FirstByte,
            Phase::Send | Phase::Body => Budget::Idle,
            Phase::BackOff => return self.end_of_call(phase),
        };
        let since = match phase {
            Phase::Body => self.watch.running_since(phase).max(self.waiting_since()),
            _ => self.watch.running_since(phase),
        };
        let grace = match phase {
            // The dial has timers of its own, and its error knows more.
            Phase::Resolve | Phase::Connect | Phase::Tls => DIAL_GRACE,
            _ => Duration::ZERO,
        };
        let of_phase = self.end(phase, budget, since.plus(grace));
        let of_call = self.end_of_call(phase);
        if of_call.at <= of_phase.at { of_call } else { of_phase }
    }

    fn end_of_call(&self, phase: Phase) -> End {
        self.end(phase, Budget::Total, self.started)
    }

    fn end(&self, phase: Phase, budget: Budget, since: Moment) -> End {
        let limit = self.timeouts.of(budget);
        let at = limit.map_or(Moment::NEVER, |limit| since.plus(limit));
        End { at, phase, budget, limit: limit.unwrap_or_default() }
    }
}

struct End {
    at: Moment,
    phase: Phase,
    budget: Budget,
    limit: Duration,
}

const DIAL_GRACE: Duration = Duration::from_millis(500);
