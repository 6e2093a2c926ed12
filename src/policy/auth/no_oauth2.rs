//! OAuth 2 without the feature `json`: no answer of a server could be read.

/// Never there.
pub(crate) enum Tokens {}
