//! The spans of `tracing`: `call`, in it `hop`, in it `attempt`, in it `exchange`.
//!
//! Names of fields are those of OpenTelemetry's conventions for HTTP clients. A span is entered on
//! the thread of the caller, while it polls the call (`trail.rs`), and so never where a lane is driven
//! or a lock is held. Without a subscriber each is a look at a static: nothing is made, written or counted.

use std::{fmt, net::SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};
use tracing::{Span, debug_span, field::Empty};
use url::Url;

use super::hop::Hop;
use crate::{
    config::Config,
    context::CallContext,
    error::Error,
    origin,
    redirects::RedirectOptions,
    runtime::{Failure, Outcome},
    watch::Watch,
};

/// The span of a whole call, from before its first step until its body has ended.
pub(crate) fn call(id: u64, method: &Method, url: &Url) -> Span {
    debug_span!(
        target: TARGET,
        "call",
        id,
        "http.request.method" = known(method),
        "url.full" = %Shown(url),
        "server.address" = host(url),
        "server.port" = url.port_or_known_default(),
        "http.response.status_code" = Empty,
        "error.type" = Empty,
    )
}

/// The span of a hop, from its credentials to the head of its answer.
pub(super) fn hop(before: usize, hop: &Hop<'_>) -> Span {
    debug_span!(
        target: TARGET,
        "hop",
        number = before + 1,
        "http.request.method" = known(&hop.method),
        "url.full" = %Shown(&hop.url),
        "server.address" = host(&hop.url),
        "server.port" = hop.url.port_or_known_default(),
        "http.response.status_code" = Empty,
        "error.type" = Empty,
    )
}

/// The span of an attempt, its making included.
pub(super) fn attempt(number: u32) -> Span {
    debug_span!(target: TARGET, "attempt", number, "error.type" = Empty)
}

/// The span of an exchange, from when a connection is asked for to the answer; what OpenTelemetry
/// calls a client's span.
pub(super) fn exchange(cx: &CallContext, hop: &Hop<'_>) -> Span {
    let span = debug_span!(
        target: TARGET,
        "exchange",
        "otel.kind" = "client",
        "otel.name" = known(&hop.method),
        "otel.status_code" = Empty,
        "http.request.method" = known(&hop.method),
        "http.request.method_original" = Empty,
        "http.request.resend_count" = Empty,
        "http.request.header" = Empty,
        "url.full" = %Shown(&hop.url),
        "url.scheme" = hop.url.scheme(),
        "user_agent.original" = Empty,
        "server.address" = host(&hop.url),
        "server.port" = hop.url.port_or_known_default(),
        "network.protocol.name" = "http",
        "network.protocol.version" = Empty,
        "network.peer.address" = Empty,
        "network.peer.port" = Empty,
        "http.response.status_code" = Empty,
        "http.response.header" = Empty,
        "error.type" = Empty,
        connection = Empty,
        reused = Empty,
    );
    if !span.is_disabled() {
        let resends = cx.count_exchange();
        if resends > 0 {
            span.record("http.request.resend_count", resends);
        }
        if known(&hop.method) == OTHER {
            span.record("http.request.method_original", hop.method.as_str());
        }
    }
    span
}

/// Tells which header fields are sent, as far as the client allows.
pub(super) fn sent(span: &Span, config: &Config, headers: &HeaderMap) {
    if span.is_disabled() || config.view.logged_headers.is_empty() {
        return;
    }
    let fields = Fields::new(headers, config);
    if fields.names.contains(&header::USER_AGENT)
        && let Some(agent) = headers.get(header::USER_AGENT)
    {
        span.record("user_agent.original", fields.value(&header::USER_AGENT, agent).as_ref());
    }
    span.record("http.request.header", tracing::field::debug(fields));
}

/// Tells how an exchange has ended.
pub(super) fn exchanged(
    span: &Span,
    config: &Config,
    watch: &Watch,
    ended: &Result<Outcome, Error>,
) {
    if span.is_disabled() {
        return;
    }
    let head = match ended {
        Ok(Ok(answer)) => &answer.head,
        Ok(Err(Failure { error, .. })) | Err(error) => {
            span.record("otel.status_code", "ERROR");
            record_carrier(span, watch);
            return failed(span, error);
        }
    };
    if let Some(used) = head.connection {
        span.record("network.protocol.version", version(used.protocol));
        if let Some(peer) = used.peer_addr {
            record_peer(span, peer);
        }
        span.record("connection", used.number);
        span.record("reused", used.is_reused);
    }
    if !config.view.logged_headers.is_empty() {
        let fields = Fields::new(&head.headers, config);
        span.record("http.response.header", tracing::field::debug(fields));
    }
    answered(span, head.status);
    if head.status.is_client_error() || head.status.is_server_error() {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", head.status.as_str());
    }
}

/// Tells the status of what a call or a hop was answered.
pub(super) fn answered(span: &Span, status: StatusCode) {
    span.record("http.response.status_code", status.as_u16());
}

/// Tells that it has failed.
pub(super) fn failed(span: &Span, error: &Error) {
    span.record("error.type", error.kind().name());
}

/// Tells which connection carried what has failed, if one did.
fn record_carrier(span: &Span, watch: &Watch) {
    match watch.connection() {
        0 => {}
        number => drop(span.record("connection", number)),
    }
    if let Some(peer) = watch.peer() {
        record_peer(span, peer);
    }
}

fn record_peer(span: &Span, peer: SocketAddr) {
    span.record("network.peer.address", tracing::field::display(peer.ip()));
    span.record("network.peer.port", peer.port());
}

/// The method if everybody knows it: what servers invent is not for the names of metrics.
fn known(method: &Method) -> &str {
    match *method {
        Method::GET
        | Method::HEAD
        | Method::POST
        | Method::PUT
        | Method::DELETE
        | Method::OPTIONS
        | Method::TRACE
        | Method::PATCH => method.as_str(),
        _ => OTHER,
    }
}

fn host(url: &Url) -> Option<&str> {
    url.host_str().map(|host| host.trim_start_matches('[').trim_end_matches(']'))
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}

/// A URL without user information, query and fragment, written when somebody reads it.
struct Shown<'u>(&'u Url);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&origin::redacted(self.0))
    }
}

/// Those of a head's fields that may be told.
struct Fields<'h> {
    headers: &'h HeaderMap,
    names: &'h [HeaderName],
    options: &'h RedirectOptions,
}

impl<'h> Fields<'h> {
    fn new(headers: &'h HeaderMap, config: &'h Config) -> Self {
        Self { headers, names: &config.view.logged_headers, options: &config.redirects }
    }

    fn value(&self, name: &HeaderName, value: &HeaderValue) -> std::borrow::Cow<'h, str> {
        if self.options.is_secret(name, value) || *name == header::SET_COOKIE {
            return "***".into();
        }
        let text = String::from_utf8_lossy(value.as_bytes());
        let is_url = [header::LOCATION, header::CONTENT_LOCATION, header::REFERER].contains(name);
        if is_url { origin::redacted_text(&text).into() } else { text.into_owned().into() }
    }
}

impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let allowed = self.headers.iter().filter(|(name, _)| self.names.contains(name));
        let shown = allowed.map(|(name, value)| (name.as_str(), self.value(name, value)));
        f.debug_map().entries(shown).finish()
    }
}

const TARGET: &str = "abide";
/// What OpenTelemetry says for methods that it does not know.
const OTHER: &str = "_OTHER";
