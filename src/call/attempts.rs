//! The loop of attempts: one exchange after the other until there is an answer or no more sense.

use std::{
    future::{Future, poll_fn},
    hash::{BuildHasher, Hasher, RandomState},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, header};

use super::{
    Means, OpenBody, cookies, events,
    hop::Hop,
    hops::HopReply,
    prepared::Prepared,
    spans, traced,
    upload::{self, Pump},
};
use crate::{
    body::Content,
    context::CallContext,
    error::{Error, ErrorKind, Result},
    moment::Moment,
    observer::Happening,
    policy::{
        back_off::{self, Circumstances, Ended},
        retry::{self, Decision, Failed, Sendable},
    },
    proxy_auth::Asker,
    retries::RetryPolicy,
    runtime::{
        self, Answer, AnswerBody, Failure, Head, Job, Order, Outcome, Sent, Target, Ticket,
        Unwanted, Upload, Want,
    },
    watch::Watch,
};

/// Has a hop's request sent, again if its connection turns out to be dead and that is safe.
pub(super) async fn run(
    cx: &CallContext,
    means: &Means,
    hop: &Hop<'_>,
    content: &mut Content<'_>,
    want: Want,
) -> Result<HopReply> {
    let prepared = Prepared::new(hop, content, hop.proxy(means.proxies())?)?;
    means.runtime()?.prepare(&prepared.route)?;
    let is_idempotent = retry::is_idempotent(&hop.method, hop.headers());
    let wish = Wish::new(means, hop);
    let mut plan = Plan { want, attempt: 1, fresh: false };
    let mut asker = Asker::default();
    loop {
        let span = cx.trail.begin(|| spans::attempt(plan.attempt));
        let ended = match attempt(cx, means, (hop, &prepared), (plan, &mut asker), content).await {
            Ok(Ok(answer)) => {
                if prepared.is_challenged(&mut asker, &answer, content) {
                    cx.note(|| Happening::Challenged { status: answer.head.status });
                    plan.attempt += 1;
                    cx.watch.begin_again();
                    continue;
                }
                Ok(reply(means, answer, plan.attempt)?)
            }
            Ok(Err(failure)) => Err(failure),
            Err(error) => Err(stopped(error)),
        };
        if let Err(failure) = &ended {
            spans::failed(&span, &failure.error);
        }
        drop(span);
        if let (Some(jar), Ok(reply)) = (&hop.jar, &ended) {
            cookies::keep(jar, &hop.url, &reply.head.headers);
        }
        let request = Sendable { is_idempotent, is_replayable: content.is_replayable() };
        plan.fresh = ended.is_err();
        if let Err(failure) = &ended
            && retry::decide(seen(failure, plan.attempt), request) == Decision::Again
        {
            tracing::debug!(attempt = plan.attempt, error = %failure.error, "sent again");
            cx.note(|| Happening::Retried { delay: Duration::ZERO });
        } else if let Some(delay) = wish.delay(cx, &ended, request, plan.attempt) {
            cx.note(|| Happening::Retried { delay });
            if let Ok(reply) = ended {
                Box::pin(reply.body.drain(cx)).await?;
            }
            cx.pause(delay).await?;
        } else {
            return ended.map_err(|failure| prepared.at_fault(failure.error));
        }
        plan.attempt += 1;
        cx.watch.begin_again();
    }
}

/// What the user wants to be tried again.
struct Wish<'c> {
    means: &'c Means,
    /// `None` if nothing is.
    policy: Option<&'c RetryPolicy>,
}

impl<'c> Wish<'c> {
    fn new(means: &'c Means, hop: &'c Hop<'_>) -> Self {
        let policy = Some(hop.retries(means.config())).filter(|policy| policy.is_on());
        if policy.is_some() {
            means.earn_retries();
        }
        Self { means, policy }
    }

    /// How long to wait before another attempt, if there shall be one.
    fn delay(
        &self,
        cx: &CallContext,
        ended: &Result<HopReply, Failure>,
        request: Sendable,
        attempts: u32,
    ) -> Option<Duration> {
        let policy = self.policy?;
        let seen = match ended {
            Ok(HopReply { head, .. }) => {
                Ended::Answered { status: head.status, headers: &head.headers }
            }
            Err(Failure { error, sent, .. }) => Ended::Failed {
                kind: error.kind(),
                budget: error.budget(),
                perhaps_sent: *sent == Sent::Perhaps,
            },
        };
        let circumstances = Circumstances {
            attempts,
            left: cx.time_left(),
            now: SystemTime::now(),
            random: RandomState::new().build_hasher().finish(),
        };
        match back_off::decide(policy, seen, request, circumstances) {
            back_off::Decision::After(delay) if self.means.pay_for_retry() => {
                tracing::debug!(call = cx.id, attempts, ?delay, "trying again");
                Some(delay)
            }
            back_off::Decision::After(_) => {
                tracing::debug!(call = cx.id, attempts, "not tried again: the budget is used up");
                None
            }
            back_off::Decision::GiveUp => None,
        }
    }
}

/// An attempt that its own caller ended, by a budget or otherwise.
///
/// Whatever the phase was, its lane may have begun to send before it heard of that.
fn stopped(error: Error) -> Failure {
    Failure { error, sent: Sent::Perhaps, reused: false, answered: false }
}

#[derive(Clone, Copy)]
struct Plan {
    want: Want,
    attempt: u32,
    fresh: bool,
}

impl Plan {
    /// What this attempt sends; what answers a challenge is counted anew.
    fn headers(
        self,
        hop: &Hop<'_>,
        means: &Means,
        prepared: &Prepared,
        (asker, target): (&mut Asker, &Target),
    ) -> HeaderMap {
        let introduction = prepared.introduction(asker, &hop.method, target);
        let mut headers = prepared.headers(hop, Some(means.template()), introduction.as_ref());
        let applied = hop.applied.as_ref().filter(|_| self.attempt > 1);
        if let Some(authorization) = applied.and_then(|applied| applied.answer_again(hop)) {
            headers.insert(header::AUTHORIZATION, authorization);
        }
        headers
    }
}

/// One exchange: asks for it, feeds it, and waits for its answer.
async fn attempt(
    cx: &CallContext,
    means: &Means,
    (hop, prepared): (&Hop<'_>, &Prepared),
    (plan, asker): (Plan, &mut Asker),
    content: &mut Content<'_>,
) -> Result<Outcome> {
    let (upload, mut pump) = upload::begin(content)?;
    let has_listeners = cx.feedback().is_some_and(|feedback| feedback.has_listeners());
    let is_streamed = matches!(plan.want, Want::Stream { .. });
    let span = cx.trail.begin(|| spans::exchange(cx, hop));
    let target = prepared.target(hop)?;
    let headers = plan.headers(hop, means, prepared, (asker, &target));
    let (answer, pending) = runtime::answer();
    let mut job = Box::new(Job {
        order: Order {
            route: Arc::clone(&prepared.route),
            head: Head { method: hop.method.clone(), target, headers },
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
            lane_patience: None,
            // Code of the user could keep the thread from coming.
            may_be_invited: cx.runs_by_itself(),
        },
        answer,
    });
    let headers = &mut job.order.head.headers;
    if let Some(context) = traced::context(cx, means, hop, plan.attempt)? {
        traced::add(headers, context);
    }
    spans::sent(&span, means.config(), headers);
    events::queued(cx, plan.attempt);
    let runtime = means.runtime()?;
    let exchange = async {
        let mut ticket = runtime.submit((job, pending), pump.is_none());
        match &mut pump {
            None => Ok(runtime.answer(&mut ticket).await),
            Some(pump) => Box::pin(pumped(cx, &mut ticket, pump, content)).await,
        }
    };
    let ended = cx.within(pin!(exchange)).await.and_then(|ended| ended);
    runtime::leave_connection();
    spans::exchanged(&span, means.config(), &cx.watch, &ended);
    events::attempt_ended(cx, &ended);
    ended.map_err(|error| error.in_queue_for(&hop.url))
}

/// Asks once for a hop without content, and leaves the answer where it comes; tells what is sent.
#[cfg_attr(not(feature = "cache"), expect(dead_code, reason = "only a cache asks for later"))]
pub(super) fn begin(cx: &CallContext, means: &Means, hop: &Hop<'_>) -> Result<(Ticket, HeaderMap)> {
    let prepared = Prepared::new(hop, &Content::Empty, hop.proxy(means.proxies())?)?;
    let runtime = means.runtime()?;
    runtime.prepare(&prepared.route)?;
    let target = prepared.target(hop)?;
    let introduction = prepared.introduction(&mut Asker::default(), &hop.method, &target);
    let mut headers = prepared.headers(hop, Some(means.template()), introduction.as_ref());
    if let Some(context) = traced::context(cx, means, hop, 1)? {
        traced::add(&mut headers, context);
    }
    let sent = headers.clone();
    let bytes_max = means.config().limits.body_bytes;
    let (answer, pending) = runtime::answer();
    let job = Box::new(Job {
        order: Order {
            route: Arc::clone(&prepared.route),
            head: Head { method: hop.method.clone(), target, headers },
            upload: Upload::Empty,
            want: Want::Whole { bytes_max, unwanted: Unwanted::default() },
            watch: Arc::new(Watch::new(None, Moment::now())),
            timeouts: cx.timeouts,
            priority: cx.priority,
            attempt: 1,
            fresh: false,
            avoid: None,
            lane_watches: false,
            lane_patience: Some(cx.timeouts.first_byte.unwrap_or(ALONE_MAX).min(ALONE_MAX)),
            may_be_invited: false,
        },
        answer,
    });
    Ok((runtime.submit((job, pending), false), sent))
}

/// What an exchange that nobody waits for may take until its head has come.
const ALONE_MAX: Duration = Duration::from_secs(60);

/// Feeds an exchange until it is answered.
async fn pumped(
    cx: &CallContext,
    ticket: &mut Ticket,
    pump: &mut Pump,
    content: &mut Content<'_>,
) -> Result<Outcome> {
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
}

fn reply(means: &Means, answer: Answer, attempts: u32) -> Result<HopReply> {
    let Answer { mut head, body } = answer;
    head.attempts = attempts;
    let body = match body {
        AnswerBody::Whole { bytes, trailers } => OpenBody::complete(bytes, trailers),
        AnswerBody::Stream { chunks, counts, home } => {
            OpenBody::new(chunks, counts, means.runtime()?.lender(&home))
        }
    };
    Ok(HopReply { head, body })
}

fn seen(failure: &Failure, attempts: u32) -> Failed {
    Failed {
        perhaps_sent: failure.sent == Sent::Perhaps,
        refused: failure.sent == Sent::Refused,
        reused: failure.reused,
        answered: failure.answered,
        connection_failed: failure.error.kind() == ErrorKind::Protocol,
        attempts,
    }
}
