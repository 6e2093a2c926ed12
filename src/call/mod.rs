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
#[cfg_attr(not(feature = "json"), path = "no_tokens.rs")]
mod tokens;
mod upload;
mod warm_up;

use bytes::Bytes;

pub(crate) use self::{
    cached::Caching, means::Means, reply_body::ReplyBody, warm_up::run as warm_up,
};
use self::{hops::Form, open_body::OpenBody};
pub(crate) use crate::runtime::Warmed;
use crate::{
    context::CallContext,
    error::Result,
    reply::{Reply, ReplyHead},
    request::Request,
};

/// Makes a call and receives the whole reply.
pub(crate) async fn send(cx: &CallContext, means: &Means, request: Request<'_>) -> Result<Reply> {
    let bytes_max = means.config().limits.body_bytes;
    let (head, body) = hops::run(cx, means, request, Form::Whole { bytes_max }).await?;
    body.into_reply(cx, head, Bytes::new(), bytes_max).await
}

/// Makes a call and receives the head of the reply.
pub(crate) async fn open(
    cx: &CallContext,
    means: &Means,
    request: Request<'_>,
) -> Result<(ReplyHead, ReplyBody)> {
    hops::run(cx, means, request, Form::Stream).await
}
