//! Fetching a token of OAuth 2, by a call inside the call that needs it.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};

use super::{Form, Hops, Means, ended, events, spans};
use crate::{
    auth_id::AuthChoice,
    body::Content,
    context::CallContext,
    cookies::CookieChoice,
    environment::OfProcess,
    error::{Error, ErrorKind, Result},
    moment::Moment,
    phase::Budget,
    policy::auth::{Failure, Lead, TokenRequest, Tokens, Turn},
    redirects::RedirectPolicy,
    reply::Reply,
    request::Request,
    runtime::wait::is_nested,
    trail::Trail,
};

/// A token that is good now, and its number; `refused` is the number of one that a server refused.
///
/// One of all callers fetches it, the others wait within their own deadlines. No connection is held
/// meanwhile: the server that the token is for may be the one that gives it out.
pub(super) async fn token(
    cx: &CallContext,
    means: &Means,
    tokens: &Arc<Tokens>,
    refused: Option<u64>,
) -> Result<(u64, HeaderValue)> {
    let token = loop {
        match tokens.turn(refused, Moment::now(), !is_nested()) {
            Turn::Use(token) => break token,
            Turn::Fetch(lead) => break fetch(cx, means, tokens, lead).await?,
            Turn::Wait(wait) => {
                let waiting = cx.nested(|timeouts| timeouts.only_total());
                let ended = cx.along(&waiting, waiting.within(wait)).await;
                ended.map_err(|e| cx.own_end(e))?.map_err(|failure| no_token(tokens, &failure))?;
            }
        }
    };
    // Whatever was waited for, the exchange to come has its budgets to itself.
    cx.watch.begin_again();
    Ok((token.number, token.authorization))
}

async fn fetch(
    cx: &CallContext,
    means: &Means,
    tokens: &Tokens,
    lead: Lead,
) -> Result<crate::policy::auth::Token> {
    let mut nested = cx.nested(|timeouts| timeouts);
    let request = request(lead.request()?, &nested);
    let mut lead = OfProcess::new(lead);
    nested.trail = Trail::new(spans::call(nested.id, &request.method, &request.url));
    tracing::debug!(call = cx.id, url = %tokens.shown(), "fetching a token");
    events::call_began(&nested, &request.method, &request.url);
    // The loop of hops is inside itself here.
    let reply = Box::pin(received(&nested, means, request));
    let reply = cx.along(&nested, reply).await;
    ended(&nested, reply.as_ref().map(Reply::status));
    let Some(lead) = lead.take() else { return Err(Error::forked()) };
    match reply {
        Ok(reply) => {
            let answered = lead.answered(reply.status(), reply.bytes(), Moment::now());
            // The listener may have forked, and this may be the child.
            cx.same_process()?;
            answered.map_err(|failure| no_token(tokens, &failure))
        }
        // It is this call that ends, and not the server that failed: somebody else may fetch.
        Err(error) if error.is_cancelled() || error.budget() == Some(Budget::Total) => {
            Err(cx.own_end(error))
        }
        Err(error) => {
            let failure = lead.failed(&error.to_string());
            Err(no_token(tokens, &failure).because(error))
        }
    }
}

async fn received(cx: &CallContext, means: &Means, request: Box<Request<'_>>) -> Result<Reply> {
    let bytes_max = Some(ANSWER_BYTES_MAX);
    let form = Form::Whole { bytes_max };
    let mut hops = Hops::of(cx, means, request);
    let answer = hops.until_the_last(form).await;
    let (head, mut body) = hops.ended(answer)?;
    let rest = body.rest(cx, Bytes::new(), bytes_max).await;
    body.into_reply(cx, head, rest)
}

fn request(asked: TokenRequest, cx: &CallContext) -> Box<Request<'static>> {
    let TokenRequest { url, authorization, form } = asked;
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
    headers.insert(header::CONTENT_TYPE, form_type);
    if let Some(authorization) = authorization {
        headers.insert(header::AUTHORIZATION, authorization);
    }
    Box::new(Request {
        // The form is wiped when the last connection that had it lets go of it.
        content: Content::Bytes(Bytes::from_owner(form)),
        auth: AuthChoice::None,
        cookies: CookieChoice::none(),
        // Who may know the secret is said by the token URL alone.
        redirects: Some(RedirectPolicy::none()),
        ..Request::new(Method::POST, url, headers, cx.timeouts)
    })
}

#[cold]
fn no_token(tokens: &Tokens, failure: &Failure) -> Error {
    let message = format!("no token from {}: {}", tokens.shown(), failure.0);
    Error::new(ErrorKind::Auth, message)
}

/// Answers of token endpoints are a few hundred bytes.
const ANSWER_BYTES_MAX: u64 = 1 << 20;
