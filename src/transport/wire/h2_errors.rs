//! What the errors of h2 mean.

use super::classify::find;

/// Whether the server said that it did not begin to work on the request (RFC 9113 §8.7).
///
/// A stream learns of a GOAWAY, whatever its reason, only if it is not among those that the server
/// has seen or may still see (§6.8).
pub(super) fn is_unprocessed(error: &hyper::Error) -> bool {
    let remote = find::<h2::Error>(error).filter(|error| error.is_remote());
    is_refused(error) || remote.is_some_and(h2::Error::is_go_away)
}

/// Whether the server did not want the stream, though its connection goes on.
pub(super) fn is_refused(error: &hyper::Error) -> bool {
    let remote = find::<h2::Error>(error).filter(|error| error.is_remote() && error.is_reset());
    remote.is_some_and(|error| error.reason() == Some(h2::Reason::REFUSED_STREAM))
}

/// Whether the stream alone was ended, by the server or because its reply breaks the rules: the
/// connection lives, and another attempt would get the same.
pub(super) fn is_stream_reset(error: &hyper::Error) -> bool {
    why_reset(error).is_some() && !is_refused(error)
}

/// Why a stream was reset, in words.
pub(super) fn why_reset(error: &hyper::Error) -> Option<&'static str> {
    let reset = find::<h2::Error>(error).filter(|error| error.is_reset())?;
    Some(match reset.is_remote() {
        true => "the server ended the stream instead of answering",
        false => {
            "the reply breaks the rules of HTTP/2, or its head is larger than \
             `Limits::header_bytes` allows"
        }
    })
}

/// Whether h2 has cut the server off for one of its own limits.
pub(super) fn is_flood(error: &hyper::Error) -> bool {
    let own = find::<h2::Error>(error).filter(|error| error.is_library());
    own.is_some_and(|error| error.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM))
}
