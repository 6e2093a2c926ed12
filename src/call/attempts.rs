//! The loop of attempts: one exchange after the other until there is an answer or no more sense.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use super::{Means, hop::Hop, upload};
use crate::{
    context::CallContext,
    error::{ErrorKind, Result},
    phase::Phase,
    policy::retry::{self, Decision, Failed, Sendable},
    request::Request,
    runtime::{Answer, Failure, Order, Sent, Ticket, Want},
};

/// Has the request sent, again if its connection turns out to be dead and that is safe.
pub(super) async fn run(
    cx: &CallContext,
    means: &Means,
    request: &mut Request<'_>,
    want: Want,
) -> Result<Answered> {
    let hop = Hop::new(request)?;
    means.runtime()?.prepare(&hop.route)?;
    if let Some(feedback) = cx.feedback()
        && !request.content.is_empty()
    {
        feedback.expect_upload(request.content.length());
    }
    let is_idempotent = retry::is_idempotent(&request.method, &request.headers);
    let mut plan = Plan { want, attempt: 1, fresh: false };
    loop {
        let failure = match attempt(cx, means, &hop, request, plan).await? {
            Ok(answer) => return Ok(Answered { answer, attempts: plan.attempt }),
            Err(failure) => failure,
        };
        let is_replayable = request.content.is_replayable();
        let seen = seen(&failure, plan.attempt);
        let decision = retry::decide(seen, Sendable { is_idempotent, is_replayable });
        tracing::debug!(attempt = plan.attempt, error = %failure.error, ?decision, "attempt failed");
        match decision {
            Decision::GiveUp => return Err(failure.error),
            Decision::Again => {
                plan.attempt += 1;
                plan.fresh = true;
                cx.watch.enter(Phase::Queue);
            }
        }
    }
}

/// How the loop ended well.
pub(super) struct Answered {
    pub(super) answer: Answer,
    pub(super) attempts: u32,
}

#[derive(Clone, Copy)]
struct Plan {
    want: Want,
    attempt: u32,
    fresh: bool,
}

/// One exchange: asks for it, feeds it, and waits for its answer.
async fn attempt(
    cx: &CallContext,
    means: &Means,
    hop: &Hop,
    request: &mut Request<'_>,
    plan: Plan,
) -> Result<Result<Answer, Failure>> {
    let (upload, mut pump) = upload::begin(&mut request.content)?;
    let has_listeners = cx.feedback().is_some_and(|feedback| feedback.has_listeners());
    let order = Order {
        route: Arc::clone(&hop.route),
        head: hop.head(request, &means.config().default_headers),
        upload,
        want: plan.want,
        watch: Arc::clone(&cx.watch),
        timeouts: request.timeouts,
        attempt: plan.attempt,
        fresh: plan.fresh,
        avoid: None,
        // While the caller is inside a reader or a listener, or not reading, it cannot look.
        lane_watches: pump.is_some() || has_listeners || plan.want == Want::Stream,
    };
    let runtime = means.runtime()?;
    let exchange = async {
        let mut ticket = runtime.submit(order, pump.is_none());
        let Some(pump) = &mut pump else { return Ok(pending(&mut ticket).await) };
        let mut pumped = pin!(pump.run(cx, &mut request.content));
        let mut is_pumped = false;
        poll_fn(|task| {
            loop {
                // An early answer ends the upload.
                if let Poll::Ready(answer) = pin!(&mut ticket.pending).poll(task) {
                    return Poll::Ready(Ok(answer));
                }
                if is_pumped {
                    return Poll::Pending;
                }
                match pumped.as_mut().poll(task) {
                    Poll::Ready(Ok(())) => is_pumped = true,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
    };
    cx.within(exchange).await?
}

async fn pending(ticket: &mut Ticket) -> Result<Answer, Failure> {
    (&mut ticket.pending).await
}

fn seen(failure: &Failure, attempts: u32) -> Failed {
    Failed {
        perhaps_sent: failure.sent == Sent::Perhaps,
        reused: failure.reused,
        answered: failure.answered,
        connection_failed: failure.error.kind() == ErrorKind::Protocol,
        attempts,
    }
}
