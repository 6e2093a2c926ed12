//! What of its calls a client tells others.

use http::HeaderName;

/// What the user says about spans and events.
#[derive(Clone, Debug, Default)]
pub(crate) struct ViewOptions {
    /// Header fields whose values may be told, unless they are secret.
    pub(crate) logged_headers: Vec<HeaderName>,
}
