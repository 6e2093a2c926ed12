//! What a call does, on the thread that made it: go from hop to hop, make attempts, read bodies.
//!
//! `hops.rs` is the loop to read first, `attempts.rs` the one inside it. Rules are asked from
//! `policy/`, exchanges from `runtime/`; there is no socket here, and no rule.

mod attempts;
#[cfg(feature = "cache")]
mod cached;
#[cfg(not(feature = "cache"))]
#[path = "uncached.rs"]
mod cached;
#[cfg_attr(not(feature = "cookies"), path = "no_cookies.rs")]
mod cookies;
mod credentials;
mod events;
mod hop;
mod hops;
mod interception;
#[cfg(feature = "cache")]
mod keeping;
#[cfg(not(feature = "cache"))]
#[path = "keeping_nothing.rs"]
mod keeping;
mod means;
mod open_body;
mod prepared;
mod reply_body;
mod spans;
#[cfg_attr(not(feature = "json"), path = "no_tokens.rs")]
mod tokens;
mod traced;
mod upload;
mod warm_up;

use std::pin::pin;

use bytes::Bytes;
use http::StatusCode;
use tracing::Instrument as _;

pub(crate) use self::{
    cached::Caching, means::Means, reply_body::ReplyBody, warm_up::run as warm_up,
};
use self::{
    hops::{Form, Hops},
    open_body::OpenBody,
};
pub(crate) use crate::runtime::Warmed;
use crate::{
    context::CallContext,
    error::{Error, Result},
    observer::Happening,
    reply::{Reply, ReplyHead},
    request::Request,
};

/// Gets ready to make a call: from here on it counts, and is seen.
pub(crate) fn begin(cx: &mut CallContext, means: &Means, request: &Request<'_>) {
    means.count_call();
    cx.span = spans::call(cx.id, &request.method, &request.url);
    if let Some(observer) = &means.config().view.observer {
        cx.observe(observer);
        events::call_began(cx, &request.method, &request.url);
    }
}

/// Makes a call and receives the whole reply.
pub(crate) async fn send(cx: &CallContext, means: &Means, request: Request<'_>) -> Result<Reply> {
    let bytes_max = means.config().limits.body_bytes;
    let mut hops = Hops::of(cx, means, request);
    let form = Form::Whole { bytes_max };
    let answer = {
        let answer = pin!(hops.until_the_last(form));
        answer.instrument(cx.span.clone()).await
    };
    let sent = match cx.span.in_scope(|| hops.ended(answer)) {
        Ok((head, mut body)) => {
            let rest = body.rest(cx, Bytes::new(), bytes_max).instrument(cx.span.clone()).await;
            body.into_reply(cx, head, rest)
        }
        Err(error) => Err(error),
    };
    match &sent {
        Ok(reply) => {
            spans::answered(&cx.span, reply.status());
            ended(cx, Ok(reply.status()));
        }
        Err(error) => failed(cx, error),
    }
    sent
}

/// Makes a call and receives the head of the reply.
pub(crate) async fn open(
    cx: &CallContext,
    means: &Means,
    request: Request<'_>,
) -> Result<(ReplyHead, ReplyBody)> {
    let mut hops = Hops::of(cx, means, request);
    let answer = {
        let answer = pin!(hops.until_the_last(Form::Stream));
        answer.instrument(cx.span.clone()).await
    };
    let opened = cx.span.in_scope(|| hops.ended(answer));
    match &opened {
        Ok((head, _)) => spans::answered(&cx.span, head.status),
        Err(error) => failed(cx, error),
    }
    opened
}

/// Receives the next piece of the body of a reply with this status; `None` at the end.
pub(crate) async fn read(
    cx: &CallContext,
    body: &mut ReplyBody,
    status: StatusCode,
) -> Result<Option<Bytes>> {
    let piece = body.next(cx).instrument(cx.span.clone()).await;
    match &piece {
        Ok(Some(_)) => {}
        Ok(None) => ended(cx, Ok(status)),
        Err(error) => failed(cx, error),
    }
    piece
}

/// Receives the rest of a body, behind what was taken and not read.
pub(crate) async fn receive(
    cx: &CallContext,
    means: &Means,
    (head, mut body): (ReplyHead, ReplyBody),
    begun: Bytes,
) -> Result<Reply> {
    let bytes_max = means.config().limits.body_bytes;
    let rest = body.rest(cx, begun, bytes_max).instrument(cx.span.clone()).await;
    let reply = body.into_reply(cx, head, rest);
    match &reply {
        Ok(reply) => ended(cx, Ok(reply.status())),
        Err(error) => failed(cx, error),
    }
    reply
}

fn failed(cx: &CallContext, error: &Error) {
    spans::failed(&cx.span, error);
    ended(cx, Err(error));
}

/// Notes that the call has ended, its body included.
fn ended(cx: &CallContext, outcome: Result<StatusCode, &Error>) {
    cx.note_end(|| Happening::CallEnded { outcome: outcome.map_err(Error::kind) });
}
