//! Stands in for what the errors of h2 mean in a build without it.

/// Whether the server said that it did not begin to work on the request.
pub(super) const fn is_unprocessed(_: &hyper::Error) -> bool {
    false
}

/// Whether the server did not want the stream.
pub(super) const fn is_refused(_: &hyper::Error) -> bool {
    false
}

/// Whether the stream alone was ended.
pub(super) const fn is_stream_reset(_: &hyper::Error) -> bool {
    false
}

/// Why a stream was reset, in words.
pub(super) const fn why_reset(_: &hyper::Error) -> Option<&'static str> {
    None
}

/// Whether h2 has cut the server off.
pub(super) const fn is_flood(_: &hyper::Error) -> bool {
    false
}
