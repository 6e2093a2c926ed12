//! What a call does, on the thread that made it: prepare the hop, make attempts, read bodies.
//!
//! `attempts.rs` is the loop to read first. Rules are asked from `policy/`, exchanges from
//! `runtime/`; there is no socket here, and no rule.

mod attempts;
mod hop;
mod means;
mod open_body;
mod upload;

use bytes::Bytes;

use self::attempts::Answered;
pub(crate) use self::{means::Means, open_body::OpenBody};
pub(crate) use crate::runtime::Stats;
use crate::{
    context::CallContext,
    error::Result,
    reply::{Reply, ReplyHead},
    request::Request,
    runtime::{Answer, AnswerBody, Want},
};

/// Makes a call and receives the whole reply.
pub(crate) async fn send(cx: &CallContext, means: &Means, request: Request<'_>) -> Result<Reply> {
    let bytes_max = means.config().limits.body_bytes;
    let (head, body, _) = answered(cx, means, request, Want::Whole { bytes_max }).await?;
    match body {
        AnswerBody::Whole { bytes, trailers } => {
            let timings = cx.watch.timings(cx.started, !head.reused);
            Ok(Reply::new(head, bytes, trailers, timings))
        }
        AnswerBody::Stream(chunks) => {
            OpenBody::new(chunks, None).into_reply(cx, head, Bytes::new(), bytes_max).await
        }
    }
}

/// Makes a call and receives the head of the reply.
pub(crate) async fn open(
    cx: &CallContext,
    means: &Means,
    request: Request<'_>,
) -> Result<(ReplyHead, OpenBody)> {
    let (head, body, lane) = answered(cx, means, request, Want::Stream).await?;
    Ok(match body {
        AnswerBody::Whole { bytes, trailers } => (head, OpenBody::complete(bytes, trailers)),
        AnswerBody::Stream(chunks) => (head, OpenBody::new(chunks, means.runtime()?.lender(lane))),
    })
}

async fn answered(
    cx: &CallContext,
    means: &Means,
    mut request: Request<'_>,
    want: Want,
) -> Result<(ReplyHead, AnswerBody, usize)> {
    let answered = attempts::run(cx, means, &mut request, want).await;
    let Answered { answer, attempts } =
        answered.map_err(|error| error.during(|| request.shown()))?;
    let Answer { status, version, headers, body, facts, reused } = answer;
    tracing::debug!(call = cx.id, status = status.as_u16(), reused, attempts, "answered");
    let head = ReplyHead {
        status,
        version,
        headers,
        url: request.url,
        request_id: cx.id,
        remote_addr: facts.remote_addr,
        local_addr: facts.local_addr,
        attempts,
        reused,
    };
    Ok((head, body, facts.lane))
}
