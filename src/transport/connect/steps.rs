//! The budgets of a dial's steps, and the phase that its call is shown to be in.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use tokio::time::timeout;

use crate::{
    error::{Error, Result},
    phase::{Budget, Phase},
    transport::pool::Dial,
};

/// Where a dial is.
pub(super) struct Steps<'d> {
    dial: &'d Dial,
    phase: Phase,
    /// What of the budget for connecting was used by earlier steps: a proxy's are part of it.
    connecting: Duration,
}

impl<'d> Steps<'d> {
    pub(super) const fn new(dial: &'d Dial) -> Self {
        Self { dial, phase: Phase::Queue, connecting: Duration::ZERO }
    }

    pub(super) async fn resolve<T>(&mut self, step: impl Future<Output = Result<T>>) -> Result<T> {
        self.enter(Phase::Resolve);
        let limit = self.dial.timeouts().resolve;
        within(step, (Phase::Resolve, Budget::Resolve), limit, limit).await
    }

    /// A step of connecting; all those of a dial share one budget.
    pub(super) async fn connect<T>(&mut self, step: impl Future<Output = Result<T>>) -> Result<T> {
        let limit = self.dial.timeouts().connect;
        self.connect_within(|left| within(step, (Phase::Connect, Budget::Connect), left, limit))
            .await
    }

    /// As `connect`, for a step that keeps to what is left of the budget itself.
    pub(super) async fn connect_within<T, S: Future<Output = Result<T>>>(
        &mut self,
        step: impl FnOnce(Option<Duration>) -> S,
    ) -> Result<T> {
        self.enter(Phase::Connect);
        let limit = self.dial.timeouts().connect;
        let left = limit.map(|limit| limit.saturating_sub(self.connecting));
        let began = Instant::now();
        let done = step(left).await;
        self.connecting += began.elapsed();
        done
    }

    pub(super) async fn tls<T>(&mut self, step: impl Future<Output = Result<T>>) -> Result<T> {
        self.enter(Phase::Tls);
        let limit = self.dial.timeouts().tls;
        within(step, (Phase::Tls, Budget::Tls), limit, limit).await
    }

    fn enter(&mut self, phase: Phase) {
        self.dial.watch().advance(self.phase, phase);
        self.phase = phase;
    }
}

async fn within<T>(
    step: impl Future<Output = Result<T>>,
    (phase, budget): (Phase, Budget),
    left: Option<Duration>,
    limit: Option<Duration>,
) -> Result<T> {
    let Some(left) = left else { return step.await };
    match timeout(left, step).await {
        Ok(done) => done,
        Err(_) => Err(Error::timed_out(phase, budget, limit.unwrap_or(left))),
    }
}
