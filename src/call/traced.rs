//! Telling servers of which trace a request is a part.

use http::{HeaderMap, HeaderName};

use super::{Means, hop::Hop, interception};
use crate::{
    context::CallContext,
    error::Result,
    trace_context::{TraceContext, TracedRequest},
};

/// The trace context of an attempt, if the client has a source and the caller none of its own.
pub(super) fn context(
    cx: &CallContext,
    means: &Means,
    hop: &Hop<'_>,
    attempt: u32,
) -> Result<Option<TraceContext>> {
    let Some(source) = &means.config().view.trace_source else { return Ok(None) };
    if hop.says(&TRACEPARENT) {
        return Ok(None);
    }
    let request = TracedRequest {
        request_id: cx.id,
        method: &hop.method,
        url: &hop.url,
        attempt,
        has_left_origin: hop.has_left_origin(),
    };
    interception::guarded(cx, "the source of the trace context", || source(&request))
}

/// Adds a trace context to what is sent.
pub(super) fn add(headers: &mut HeaderMap, context: TraceContext) {
    let TraceContext { parent, state } = context;
    headers.insert(TRACEPARENT, parent);
    if let Some(state) = state
        && !headers.contains_key(TRACESTATE)
    {
        headers.insert(TRACESTATE, state);
    }
}

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
