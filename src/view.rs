//! What of its calls a client tells others.

use std::sync::Arc;

use http::HeaderName;

use crate::{observer::Observer, trace_context::TraceSource};

/// What the user says about spans, traces and observers.
#[derive(Clone, Default)]
pub(crate) struct ViewOptions {
    /// Header fields whose values may be told, unless they are secret.
    pub(crate) logged_headers: Vec<HeaderName>,
    pub(crate) trace_source: Option<TraceSource>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
}
