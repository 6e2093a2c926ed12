//! The one error type, classified when it is made.

use std::{error::Error as StdError, fmt, time::Duration};

use http::StatusCode;
use url::Url;

use crate::{
    history::PastHop,
    phase::{Budget, Phase},
    proxy::Proxy,
    reply::Reply,
    threads::Held,
};

pub use crate::error_kind::ErrorKind;

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

pub(crate) type Source = Box<dyn StdError + Send + Sync>;

/// Why a call failed, and where it was at that time.
///
/// One pointer wide. [`kind`](Self::kind) and [`phase`](Self::phase) are fixed when the error is
/// made; [`source`](StdError::source) tells the rest. The text shows URLs without user
/// information and query, and never a secret.
pub struct Error(Box<Report>);

struct Report {
    kind: ErrorKind,
    phase: Option<Phase>,
    budget: Option<Budget>,
    message: String,
    call: Option<String>,
    source: Option<Source>,
    reply: Option<Reply>,
    history: Vec<PastHop>,
    proxy: Option<AtProxy>,
}

/// Which proxy it was that failed, and what it answered.
struct AtProxy {
    shown: String,
    status: Option<StatusCode>,
}

impl Error {
    /// What sort of thing went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Where the call was when it failed, if it had begun.
    #[must_use]
    pub fn phase(&self) -> Option<Phase> {
        self.0.phase
    }

    /// The time budget that ran out.
    #[must_use]
    pub fn budget(&self) -> Option<Budget> {
        self.0.budget
    }

    /// Whether the call was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.kind == ErrorKind::Cancelled
    }

    /// Whether a time budget ran out.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.0.kind == ErrorKind::TimedOut
    }

    /// Whether no connection could be made: name, TCP, proxy or TLS, run-out budgets included.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        use ErrorKind::{Connect, Proxy, Resolve, Tls};
        matches!(self.0.kind, Resolve | Connect | Proxy | Tls)
            || (self.is_timeout()
                && matches!(self.0.phase, Some(Phase::Resolve | Phase::Connect | Phase::Tls)))
    }

    /// Whether it was the proxy that failed: not found, not reached, not trusted, not answering in
    /// time, or refusing.
    #[must_use]
    pub fn is_proxy(&self) -> bool {
        self.0.kind == ErrorKind::Proxy || self.0.proxy.is_some()
    }

    /// The proxy that failed, as `scheme://host:port`.
    #[must_use]
    pub fn proxy(&self) -> Option<&str> {
        self.0.proxy.as_ref().map(|proxy| proxy.shown.as_str())
    }

    /// The status with which a proxy refused to open a tunnel; 407 if it wants other credentials.
    ///
    /// To a request that it forwards a proxy answers as any server does, with a reply.
    #[must_use]
    pub fn proxy_status(&self) -> Option<StatusCode> {
        self.0.proxy.as_ref().and_then(|proxy| proxy.status)
    }

    /// The status of the reply behind a [`Status`](ErrorKind::Status) error.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.0.reply.as_ref().map(Reply::status)
    }

    /// The hops that were answered before the call failed, the first one first.
    #[must_use]
    pub fn history(&self) -> &[PastHop] {
        &self.0.history
    }

    /// The reply behind a [`Status`](ErrorKind::Status) error, with its headers and body.
    #[must_use]
    pub fn reply(&self) -> Option<&Reply> {
        self.0.reply.as_ref()
    }
}

impl Error {
    #[cold]
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Report {
            kind,
            phase: None,
            budget: None,
            message: message.into(),
            call: None,
            source: None,
            reply: None,
            history: Vec::new(),
            proxy: None,
        }))
    }

    #[cold]
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidRequest, message)
    }

    #[cold]
    pub(crate) fn cancelled(phase: Phase) -> Self {
        Self::new(ErrorKind::Cancelled, format!("cancelled while {phase}")).in_phase(phase)
    }

    #[cold]
    pub(crate) fn timed_out(phase: Phase, budget: Budget, limit: Duration) -> Self {
        let message = format!(
            "timed out while {phase}: the budget `{budget}` of {limit:?} ran out \
             (change it with `Timeouts::{budget}`)"
        );
        let mut error = Self::new(ErrorKind::TimedOut, message).in_phase(phase);
        error.0.budget = Some(budget);
        error
    }

    /// If it is that of a call which waited in a queue: says what the thread itself holds of what it
    /// waited for, open replies of the same origin.
    #[must_use]
    pub(crate) fn in_queue_for(mut self, url: &Url) -> Self {
        if self.is_timeout() && self.0.phase == Some(Phase::Queue) {
            let held = Held::by_this_thread(url);
            let origin = url.origin().ascii_serialization();
            match held {
                0 => {}
                1 => self.0.message.push_str(&format!(
                    "; this thread holds an open reply of {origin}, whose connection is free when \
                     it is read to the end or dropped"
                )),
                _ => self.0.message.push_str(&format!(
                    "; this thread holds {held} open replies of {origin}, whose connections are \
                     free when they are read to the end or dropped"
                )),
            }
        }
        self
    }

    #[cold]
    pub(crate) fn forked() -> Self {
        Self::new(
            ErrorKind::Forked,
            "this client belongs to the parent process and does not work after fork; \
             make a new client in this process",
        )
    }

    #[cold]
    pub(crate) fn shut_down() -> Self {
        Self::new(ErrorKind::ShutDown, "the client was shut down; make a new one to go on")
    }

    /// The call was made inside of an event loop, and only this could let it begin.
    #[cold]
    pub(crate) fn waits_for_itself() -> Self {
        Self::new(
            ErrorKind::Limit,
            "a `tracing` subscriber called where an event loop told it something, and all places \
             that the call could have are held by what that event loop runs, which stands still \
             until the subscriber returns (have another thread make the call, or allow more \
             connections with `Limits`)",
        )
        .in_phase(Phase::Queue)
    }

    #[cold]
    pub(crate) fn no_answer() -> Self {
        Self::new(ErrorKind::Internal, "the exchange ended without an answer")
    }

    #[cold]
    pub(crate) fn from_status(reply: Reply) -> Self {
        let mut error =
            Self::new(ErrorKind::Status, format!("the server answered {}", reply.status()));
        error.0.reply = Some(reply);
        error
    }

    #[must_use]
    pub(crate) fn because(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Adds to what the text says.
    #[must_use]
    pub(crate) fn adding(mut self, text: impl AsRef<str>) -> Self {
        self.0.message.push_str(text.as_ref());
        self
    }

    #[must_use]
    pub(crate) fn in_phase(mut self, phase: Phase) -> Self {
        self.0.phase.get_or_insert(phase);
        self
    }

    /// Adds the hops that the call had made.
    #[must_use]
    pub(crate) fn after(mut self, history: Vec<PastHop>) -> Self {
        self.0.history = history;
        self
    }

    /// Says that it was the proxy that failed.
    #[must_use]
    pub(crate) fn at_proxy(mut self, proxy: &Proxy) -> Self {
        self.0.proxy.get_or_insert_with(|| AtProxy { shown: proxy.to_string(), status: None });
        self
    }

    /// Says with which status the proxy refused.
    #[must_use]
    pub(crate) fn refused_by(self, proxy: &Proxy, status: StatusCode) -> Self {
        let mut error = self.at_proxy(proxy);
        if let Some(proxy) = &mut error.0.proxy {
            proxy.status = Some(status);
        }
        error
    }

    /// Adds what was being tried, method and redacted URL, unless it is known already.
    #[must_use]
    pub(crate) fn during(mut self, call: impl FnOnce() -> String) -> Self {
        if self.0.call.is_none() {
            self.0.call = Some(call());
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(call) = &self.0.call {
            write!(f, "{call}: ")?;
        }
        if let Some(proxy) = &self.0.proxy {
            write!(f, "at the proxy {}: ", proxy.shown)?;
        }
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Error");
        debug.field("kind", &self.0.kind);
        if let Some(phase) = self.0.phase {
            debug.field("phase", &phase);
        }
        if let Some(budget) = self.0.budget {
            debug.field("budget", &budget);
        }
        debug.field("message", &format_args!("{self}"));
        if let Some(source) = &self.0.source {
            debug.field("source", source);
        }
        debug.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::TimedOut => std::io::ErrorKind::TimedOut,
            ErrorKind::Cancelled => std::io::ErrorKind::ConnectionAborted,
            ErrorKind::InvalidRequest => std::io::ErrorKind::InvalidInput,
            ErrorKind::Protocol | ErrorKind::Body => std::io::ErrorKind::UnexpectedEof,
            _ => std::io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

const _: () = assert!(size_of::<Error>() == size_of::<usize>());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_out_budget_names_itself_its_phase_and_its_setter() {
        let error =
            Error::timed_out(Phase::FirstByte, Budget::FirstByte, Duration::from_millis(200))
                .during(|| "GET http://host/".to_owned());
        assert_eq!(
            error.to_string(),
            "GET http://host/: timed out while waiting for the reply: the budget `first_byte` \
             of 200ms ran out (change it with `Timeouts::first_byte`)"
        );
        assert!(error.is_timeout() && !error.is_connect());
    }

    #[test]
    fn a_timeout_in_the_handshake_counts_as_connecting() {
        assert!(Error::timed_out(Phase::Tls, Budget::Tls, Duration::ZERO).is_connect());
    }
}
