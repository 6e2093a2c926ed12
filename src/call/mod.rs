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
mod template;
#[cfg_attr(not(feature = "json"), path = "no_tokens.rs")]
mod tokens;
mod traced;
mod upload;
mod warm_up;

use bytes::Bytes;
use http::StatusCode;

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
    trail::Trail,
};

/// Gets ready to make a call: from here on it counts, and is seen.
pub(crate) fn begin(cx: &mut CallContext, means: &Means, request: &Request<'_>) {
    means.count_call();
    cx.trail = Trail::new(spans::call(cx.id, &request.method, &request.url));
    if let Some(observer) = &means.config().view.observer {
        cx.observe(observer);
        events::call_began(cx, &request.method, &request.url);
    }
}

/// Makes a call and receives the whole reply.
pub(crate) async fn send(
    cx: &CallContext,
    means: &Means,
    request: Box<Request<'_>>,
) -> Result<Reply> {
    let bytes_max = means.config().limits.body_bytes;
    let mut hops = Hops::of(cx, means, request);
    let answer = hops.until_the_last(Form::Whole { bytes_max }).await;
    let (head, mut body) = hops.ended(answer)?;
    let rest = match body.take_whole(bytes_max) {
        Some(whole) => Ok(whole),
        None => body.rest(cx, Bytes::new(), bytes_max).await,
    };
    body.into_reply(cx, head, rest)
}

/// Makes a call and receives the head of the reply.
pub(crate) async fn open(
    cx: &CallContext,
    means: &Means,
    request: Box<Request<'_>>,
) -> Result<(ReplyHead, ReplyBody)> {
    let mut hops = Hops::of(cx, means, request);
    let answer = hops.until_the_last(Form::Stream).await;
    hops.ended(answer)
}

/// Receives the rest of a body, behind what was taken and not read.
pub(crate) async fn receive(
    cx: &CallContext,
    means: &Means,
    (head, mut body): (ReplyHead, ReplyBody),
    begun: Bytes,
) -> Result<Reply> {
    let rest = body.rest(cx, begun, means.config().limits.body_bytes).await;
    body.into_reply(cx, head, rest)
}

/// Tells that a call has a reply whose body is still to be read.
pub(crate) fn opened(cx: &CallContext, status: StatusCode) {
    spans::answered(cx.trail.root(), status);
}

/// Tells how a call has ended, its body included.
pub(crate) fn ended(cx: &CallContext, outcome: Result<StatusCode, &Error>) {
    match outcome {
        Ok(status) => spans::answered(cx.trail.root(), status),
        Err(error) => spans::failed(cx.trail.root(), error),
    }
    cx.note_end(|| Happening::CallEnded { outcome: outcome.map_err(Error::kind) });
}
