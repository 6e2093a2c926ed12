//! What sort of thing can go wrong.

/// What sort of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The call was cancelled through its feedback.
    Cancelled,
    /// A time budget ran out; [`Error::budget`](crate::Error::budget) names it.
    TimedOut,
    /// The request cannot be sent as it is: a bad URL, an invalid header, an unreadable body.
    InvalidRequest,
    /// The host's name has no address, or the look-up failed.
    Resolve,
    /// No address of the host accepted a connection, or it was cut before it could be used.
    Connect,
    /// A proxy refused, or cannot be understood or used; [`Error::proxy`](crate::Error::proxy) names it.
    Proxy,
    /// The TLS handshake failed: an untrusted certificate, no common version.
    Tls,
    /// The peer broke the rules of HTTP or closed the connection too early.
    Protocol,
    /// The body was cut short or could not be read.
    Body,
    /// The body is not what its headers say it is.
    Decode,
    /// A redirect could not or must not be followed; [`Error::history`](crate::Error::history) tells how it came there.
    Redirect,
    /// An interceptor ended the call, by an error (the source of this one) or a panic.
    Interceptor,
    /// A limit in size or number was passed.
    Limit,
    /// Credentials could not be applied.
    Auth,
    /// The status is 400 or above, and the caller asked for that to be an error.
    Status,
    /// The object is in use by another call.
    Busy,
    /// The client was shut down.
    ShutDown,
    /// The client was made in another process, before a `fork`.
    Forked,
    /// The machine refused a resource, or there is a defect in abide.
    Internal,
}

impl ErrorKind {
    /// In the order of their declaration, for tables indexed by them.
    pub(crate) const ALL: [Self; 19] = [
        Self::Cancelled,
        Self::TimedOut,
        Self::InvalidRequest,
        Self::Resolve,
        Self::Connect,
        Self::Proxy,
        Self::Tls,
        Self::Protocol,
        Self::Body,
        Self::Decode,
        Self::Redirect,
        Self::Interceptor,
        Self::Limit,
        Self::Auth,
        Self::Status,
        Self::Busy,
        Self::ShutDown,
        Self::Forked,
        Self::Internal,
    ];

    /// As spans and events name it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
            Self::InvalidRequest => "invalid_request",
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Proxy => "proxy",
            Self::Tls => "tls",
            Self::Protocol => "protocol",
            Self::Body => "body",
            Self::Decode => "decode",
            Self::Redirect => "redirect",
            Self::Interceptor => "interceptor",
            Self::Limit => "limit",
            Self::Auth => "auth",
            Self::Status => "status",
            Self::Busy => "busy",
            Self::ShutDown => "shut_down",
            Self::Forked => "forked",
            Self::Internal => "internal",
        }
    }
}

// A kind that misses in the list, or is at another place, is an error of the compiler.
const _: () = {
    let mut index = 0;
    while index < ErrorKind::ALL.len() {
        assert!(ErrorKind::ALL[index] as usize == index);
        index += 1;
    }
    assert!(ErrorKind::Internal as usize + 1 == index);
};
