//! hyper's errors in our words; the only place that looks inside them.

use std::error::Error as StdError;

use super::h2_errors::{is_flood, is_refused, is_unprocessed, why_reset};
use crate::{
    error::{Error, ErrorKind, Source},
    phase::Phase,
    transport::{bridge::Sent, watched::Excessive},
};

/// What is known about an exchange that failed.
pub(super) struct Circumstances {
    pub(super) phase: Phase,
    /// Whether any byte of this exchange was written to the socket.
    pub(super) wrote: bool,
    /// Whether a write failed, after which the connection was only read.
    pub(super) write_failed: bool,
    /// Whether it was cut off because of a flood of frames.
    pub(super) was_flooded: bool,
    /// What TLS said when it failed.
    pub(super) tls_failure: Option<String>,
}

/// Says what hyper's error means for the call.
pub(super) fn error(error: hyper::Error, seen: &Circumstances) -> Error {
    if let Some(own) = own_error(&error) {
        return own;
    }
    if let Some(said) = &seen.tls_failure {
        let error = Error::new(ErrorKind::Tls, "the secured connection failed");
        return error.because(said.clone()).in_phase(seen.phase);
    }
    let (kind, message) = describe(&error, seen);
    Error::new(kind, message).because(Source::from(error)).in_phase(seen.phase)
}

/// Whether the server can have acted upon the request.
pub(super) fn sent(error: &hyper::Error, seen: &Circumstances) -> Sent {
    if is_refused(error) {
        Sent::Refused
    } else if error.is_canceled() || !seen.wrote || is_unprocessed(error) {
        Sent::Nothing
    } else {
        Sent::Perhaps
    }
}

fn describe(error: &hyper::Error, seen: &Circumstances) -> (ErrorKind, &'static str) {
    let in_body = seen.phase == Phase::Body;
    if is_too_large(error) {
        (ErrorKind::Limit, "the head of the reply is larger than the limits for headers allow")
    } else if find::<Excessive>(error).is_some() {
        (
            ErrorKind::Limit,
            match in_body {
                true => "the server sends chunk framing on and on without content",
                false => {
                    "the server sends on and on without a complete head (the limit is \
                 `Limits::header_bytes`)"
                }
            },
        )
    } else if seen.was_flooded || is_flood(error) {
        let message = "the server floods the connection with frames that carry nothing, so it was \
                       cut off";
        (ErrorKind::Limit, message)
    } else if error.is_timeout() {
        (ErrorKind::Protocol, "the connection is dead: the server answered no ping in time")
    } else if error.is_parse() && !in_body {
        (ErrorKind::Protocol, "the reply is not HTTP, or breaks its rules")
    } else if error.is_canceled() {
        (ErrorKind::Protocol, "the connection was closed before the request was sent")
    } else if seen.write_failed {
        (ErrorKind::Protocol, "the connection was reset while the request was being sent")
    } else if in_body && is_incomplete(error) {
        (ErrorKind::Body, "the body ended before it was complete")
    } else if in_body {
        (ErrorKind::Body, "the body could not be received")
    } else if let Some(why) = why_reset(error) {
        (ErrorKind::Protocol, why)
    } else if is_incomplete(error) {
        (ErrorKind::Protocol, "the connection was closed before the reply came")
    } else {
        (ErrorKind::Protocol, "the connection failed")
    }
}

/// hyper tells this apart by a method for servers only, and by its text (a test holds it).
fn is_too_large(error: &hyper::Error) -> bool {
    error.is_parse() && error.to_string().contains("too large")
}

fn is_incomplete(error: &hyper::Error) -> bool {
    error.is_incomplete_message()
        || find::<std::io::Error>(error)
            .is_some_and(|io| io.kind() == std::io::ErrorKind::UnexpectedEof)
}

/// An error of ours that went through hyper: an upload that could not be read.
fn own_error(error: &hyper::Error) -> Option<Error> {
    let own = find::<Error>(error)?;
    Some(Error::new(own.kind(), own.to_string()))
}

pub(super) fn find<T: StdError + 'static>(error: &hyper::Error) -> Option<&T> {
    let mut next = error.source();
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // An `io::Error` shows what is in it by another way than `source`.
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(found) = inner.and_then(|inner| inner.downcast_ref()) {
            return Some(found);
        }
        next = error.source();
    }
    None
}
