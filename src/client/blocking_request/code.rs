//! The codes of the original, with the meaning that it documents.

use crate::error::{Error, ErrorKind};

/// How a call of a [`BlockingRequest`](super::BlockingRequest) ended.
///
/// | code | when | kinds of [`Error`] |
/// |---|---|---|
/// | `NoError` 0 | there is a reply with a status below 400, and a `GET` got content | none |
/// | `NetworkError` 1 | there is no reply | `Cancelled` ([`Error::is_cancelled`] tells), `InvalidRequest`, `Resolve`, `Connect`, `Proxy`, `Tls`, `Protocol`, `Body`, `Decode`, `Redirect`, `Interceptor`, `Limit`, `Auth`, `Forked`, `Internal` |
/// | `TimeoutError` 2 | a time budget ran out, whichever | `TimedOut` |
/// | `ServerExceptionError` 3 | status 400 and above, an empty answer to a `GET`, a whole answer to a range | `Status` |
/// | `BusyError` 4 | the object is making another call; not in the original | `Busy` |
///
/// The numbers of the first four are the original's, their meaning the one that its documentation
/// gives; its code calls most failures a server exception and a cancelled call a success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum ErrorCode {
    /// No error.
    #[default]
    NoError = 0,
    /// A network error occurred, or the request could not be made, or it was cancelled.
    NetworkError = 1,
    /// A timeout was reached before the reply was complete.
    TimeoutError = 2,
    /// The server answered with an error.
    ServerExceptionError = 3,
    /// Another call of the same object is running.
    BusyError = 4,
}

impl ErrorCode {
    pub(super) fn of(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::TimedOut => Self::TimeoutError,
            ErrorKind::Status => Self::ServerExceptionError,
            ErrorKind::Busy => Self::BusyError,
            ErrorKind::Cancelled
            | ErrorKind::InvalidRequest
            | ErrorKind::Resolve
            | ErrorKind::Connect
            | ErrorKind::Proxy
            | ErrorKind::Tls
            | ErrorKind::Protocol
            | ErrorKind::Body
            | ErrorKind::Decode
            | ErrorKind::Redirect
            | ErrorKind::Interceptor
            | ErrorKind::Limit
            | ErrorKind::Auth
            | ErrorKind::ShutDown
            | ErrorKind::Forked
            | ErrorKind::Internal => Self::NetworkError,
        }
    }
}
