//! The loop of attempts: one exchange after the other until there is an answer or no more sense.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use super::{
    Means, OpenBody,
    hop::Hop,
    hops::{HopHead, HopReply},
    prepared::Prepared,
    upload,
};
use crate::{
    body::Content,
    context::CallContext,
    error::{ErrorKind, Result},
    policy::retry::{self, Decision, Failed, Sendable},
    runtime::{Answer, AnswerBody, Failure, Order, Sent, Ticket, Want},
};

/// Has a hop's request sent, again if its connection turns out to be dead and that is safe.
pub(super) async fn run(
    cx: &CallContext,
    means: &Means,
    hop: &Hop<'_>,
    content: &mut Content<'_>,
    want: Want,
) -> Result<HopReply> {
    let prepared = Prepared::new(hop, content)?;
    means.runtime()?.prepare(&prepared.route)?;
    let is_idempotent = retry::is_idempotent(&hop.method, hop.headers());
    let mut plan = Plan { want, attempt: 1, fresh: false };
    loop {
        let job = Job { hop, prepared: &prepared, plan };
        let failure = match attempt(cx, means, job, content).await? {
            Ok(answer) => return reply(means, answer, plan.attempt),
            Err(failure) => failure,
        };
        let is_replayable = content.is_replayable();
        let seen = seen(&failure, plan.attempt);
        let decision = retry::decide(seen, Sendable { is_idempotent, is_replayable });
        tracing::debug!(attempt = plan.attempt, error = %failure.error, ?decision, "attempt failed");
        match decision {
            Decision::GiveUp => return Err(failure.error),
            Decision::Again => {
                plan.attempt += 1;
                plan.fresh = true;
                cx.watch.begin_again();
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Plan {
    want: Want,
    attempt: u32,
    fresh: bool,
}

/// What an attempt is to send.
#[derive(Clone, Copy)]
struct Job<'h> {
    hop: &'h Hop<'h>,
    prepared: &'h Prepared,
    plan: Plan,
}

/// One exchange: asks for it, feeds it, and waits for its answer.
async fn attempt(
    cx: &CallContext,
    means: &Means,
    Job { hop, prepared, plan }: Job<'_>,
    content: &mut Content<'_>,
) -> Result<Result<Answer, Failure>> {
    let (upload, mut pump) = upload::begin(content)?;
    let has_listeners = cx.feedback().is_some_and(|feedback| feedback.has_listeners());
    let is_streamed = matches!(plan.want, Want::Stream { .. });
    let order = Order {
        route: Arc::clone(&prepared.route),
        head: prepared.head(hop),
        upload,
        want: plan.want,
        watch: Arc::clone(&cx.watch),
        timeouts: cx.timeouts,
        priority: cx.priority,
        attempt: plan.attempt,
        fresh: plan.fresh,
        avoid: None,
        // While the caller is inside a reader or a listener, or not reading, it cannot look.
        lane_watches: pump.is_some() || has_listeners || is_streamed,
    };
    let runtime = means.runtime()?;
    let exchange = async {
        let mut ticket = runtime.submit(order, pump.is_none());
        let Some(pump) = &mut pump else { return Ok(pending(&mut ticket).await) };
        let mut pumped = pin!(pump.run(cx, content));
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
    cx.within(exchange).await.map_err(|error| error.in_queue_for(&hop.url))?
}

async fn pending(ticket: &mut Ticket) -> Result<Answer, Failure> {
    (&mut ticket.pending).await
}

fn reply(means: &Means, answer: Answer, attempts: u32) -> Result<HopReply> {
    let Answer { status, version, headers, body, facts, reused } = answer;
    let (remote_addr, local_addr) = (facts.remote_addr, facts.local_addr);
    let head = HopHead { status, version, headers, remote_addr, local_addr, attempts, reused };
    let body = match body {
        AnswerBody::Whole { bytes, trailers } => OpenBody::complete(bytes, trailers),
        AnswerBody::Stream { chunks, counts } => {
            OpenBody::new(chunks, counts, means.runtime()?.lender(&facts.home))
        }
    };
    Ok(HopReply { head, body })
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
