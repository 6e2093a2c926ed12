//! Hearing of what happens to calls, as a tree of events.

use std::time::Duration;

use http::{Method, StatusCode};

use crate::{caching::CacheReport, error::ErrorKind, used_connection::UsedConnection};

/// Hears of what happens to the calls of a client; see
/// [`ClientBuilder::observer`](crate::ClientBuilder::observer).
///
/// Every function that takes a `&CallEvent` is one.
pub trait Observer: Send + Sync {
    /// Hears of one event; runs on the thread of the call.
    fn event(&self, event: &CallEvent);
}

impl<F: Fn(&CallEvent) + Send + Sync> Observer for F {
    fn event(&self, event: &CallEvent) {
        self(event);
    }
}

/// Something that happened to a call, and where in its tree.
///
/// A call has hops, a hop has attempts: the numbers say to which of them an event belongs. A call
/// that is made for another one, to fetch a token, names it as its [`parent`](Self::parent).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallEvent {
    pub(crate) call: u64,
    pub(crate) parent: Option<u64>,
    pub(crate) hop: u32,
    pub(crate) attempt: u32,
    pub(crate) at: Duration,
    pub(crate) what: Happening,
}

impl CallEvent {
    /// The number of the call; that of its reply's [`request_id`](crate::Reply::request_id).
    #[must_use]
    pub const fn call(&self) -> u64 {
        self.call
    }

    /// The number of the call that this one is made for, if it is not the user's.
    #[must_use]
    pub const fn parent(&self) -> Option<u64> {
        self.parent
    }

    /// Which hop of the call it is about, from 1; 0 if no hop has begun.
    #[must_use]
    pub const fn hop(&self) -> u32 {
        self.hop
    }

    /// Which attempt of the hop it is about, from 1; 0 if the hop has made none.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// When it happened, from the start of the call; it may have been some time ago.
    #[must_use]
    pub const fn at(&self) -> Duration {
        self.at
    }

    /// What happened.
    #[must_use]
    pub const fn what(&self) -> &Happening {
        &self.what
    }
}

/// What can happen to a call.
///
/// URLs are without user information, query and fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Happening {
    /// The call has begun; the first event of every call.
    #[non_exhaustive]
    CallBegan {
        /// What the caller asked.
        method: Method,
        /// Whom it was asked.
        url: String,
    },
    /// A hop has begun: the first one, or what a redirect or a challenge led to.
    #[non_exhaustive]
    HopBegan {
        /// What the hop asks.
        method: Method,
        /// Whom it asks.
        url: String,
    },
    /// An attempt has begun, and waits for a connection.
    Queued,
    /// A connection is dialed for the attempt, beginning with the look-up of the name.
    ///
    /// What the dial comes to is told while the attempt waits for it: if another connection is free
    /// before, the attempt takes that one.
    Dialing,
    /// The addresses of the name are known.
    Resolved,
    /// The TCP connection is open, and a proxy has opened the way on.
    Connected,
    /// The TLS handshake is done.
    TlsDone,
    /// The attempt has a connection, which begins to send.
    #[non_exhaustive]
    Leased {
        /// As [`UsedConnection::number`].
        connection: u64,
    },
    /// The request, body included, was handed to the connection.
    Sent,
    /// The head of the reply was there.
    FirstByte,
    /// The body of the reply was complete, or as much of it as was wanted.
    LastByte,
    /// The attempt has an answer. If the body is read piece by piece it is still on its way.
    #[non_exhaustive]
    Answered {
        /// The status of the answer.
        status: StatusCode,
        /// The connection that it came over.
        connection: UsedConnection,
    },
    /// The attempt has failed.
    #[non_exhaustive]
    AttemptFailed {
        /// How.
        kind: ErrorKind,
    },
    /// Another attempt will be made.
    #[non_exhaustive]
    Retried {
        /// After this time; zero if the connection was dead.
        delay: Duration,
    },
    /// The hop has an answer, from an attempt, the cache or an interceptor.
    #[non_exhaustive]
    HopAnswered {
        /// The status of the answer.
        status: StatusCode,
        /// What the cache did, if the client has one.
        cache: Option<CacheReport>,
    },
    /// The hop has failed, and with it the call.
    #[non_exhaustive]
    HopFailed {
        /// How.
        kind: ErrorKind,
    },
    /// The answer is a challenge that there are credentials for: another hop follows (401), or
    /// another attempt (407, of a proxy).
    #[non_exhaustive]
    Challenged {
        /// The status of the answer.
        status: StatusCode,
    },
    /// The answer is a redirect that is followed.
    #[non_exhaustive]
    Redirected {
        /// The status of the answer.
        status: StatusCode,
        /// Where it leads.
        url: String,
    },
    /// The call has ended, its body included; the last event.
    #[non_exhaustive]
    CallEnded {
        /// The status of the reply, or how the call has failed.
        outcome: Result<StatusCode, ErrorKind>,
    },
    /// An open reply was dropped before its end; the last event.
    Abandoned,
}
