//! What of its calls a client tells others.

use http::HeaderName;

use crate::trace_context::TraceSource;

/// What the user says about spans and events.
#[derive(Clone, Default)]
pub(crate) struct ViewOptions {
    /// Header fields whose values may be told, unless they are secret.
    pub(crate) logged_headers: Vec<HeaderName>,
    pub(crate) trace_source: Option<TraceSource>,
}
