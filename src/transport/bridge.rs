//! What crosses between a caller and a lane: jobs one way, answers the other, chunks both ways.
//!
//! A job goes straight to the connection that will carry it, so one wake-up starts an exchange;
//! the answer comes back through a oneshot. Dropping either end is an answer too: a dropped job
//! was never sent, a dropped answer cancels the exchange.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderMap, Method, StatusCode, Uri,
    header::LOCATION,
    uri::{self, Authority, PathAndQuery, Scheme},
};
use tokio::sync::oneshot;

use super::{connection::Home, pipe};
use crate::{
    answer_head::AnswerHead,
    doorstep::Doorstep,
    environment::OfProcess,
    error::{Error, ErrorKind},
    limits::Timeouts,
    origin::Route,
    priority::Priority,
    trailers::Trailers,
    watch::Watch,
};

/// One exchange to be made.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) order: Order,
    pub(crate) answer: Answerer,
}

/// What an exchange needs to know.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) route: Route,
    pub(crate) head: Head,
    pub(crate) upload: Upload,
    pub(crate) want: Want,
    pub(crate) watch: Arc<Watch>,
    /// For the dial, should one be needed.
    pub(crate) timeouts: Timeouts,
    pub(crate) priority: Priority,
    /// 1 for the first attempt of a call.
    pub(crate) attempt: u32,
    /// Whether no idle connection may carry it, because one has just turned out to be dead.
    pub(crate) fresh: bool,
    /// The lane that must not carry it, because its caller is inside that lane.
    pub(crate) avoid: Option<usize>,
    /// Whether the lane must look at the feedback itself, because the caller may be busy.
    pub(crate) lane_watches: bool,
    /// How long the lane waits for the head of the reply, if nobody else does.
    pub(crate) lane_patience: Option<Duration>,
    /// Whether its caller, should it wait in the queue, comes at once to attend a connection.
    pub(crate) may_be_invited: bool,
}

/// The head of a request; the first header is `Host`.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) method: Method,
    pub(crate) target: Target,
    pub(crate) headers: HeaderMap,
}

/// What a request is about, in its parts: most connections are told the last alone.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) scheme: Scheme,
    pub(crate) authority: Authority,
    pub(crate) path_and_query: PathAndQuery,
}

impl Target {
    /// For a server of HTTP/1.1: the authority is in `Host` (RFC 9112 §3.2.1).
    pub(crate) fn into_origin_form(self) -> Uri {
        Uri::from(self.path_and_query)
    }

    /// For a proxy (RFC 9112 §3.2.2), and for HTTP/2, which sends the parts.
    #[expect(clippy::expect_used, reason = "there is no other way to put a URI together")]
    pub(crate) fn into_absolute_form(self) -> Uri {
        let mut parts = uri::Parts::default();
        parts.scheme = Some(self.scheme);
        parts.authority = Some(self.authority);
        parts.path_and_query = Some(self.path_and_query);
        Uri::from_parts(parts).expect("a scheme, an authority and a path are a URI")
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path_and_query)
    }
}

#[derive(Debug)]
pub(crate) enum Upload {
    Empty,
    Bytes(Bytes),
    Pipe { length: Option<u64>, chunks: pipe::Receiver },
}

/// How the body of the reply is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// All of it at once, if it is not larger than this.
    Whole { bytes_max: Option<u64>, unwanted: Unwanted },
    /// Piece by piece.
    Stream { unwanted: Unwanted },
}

/// Replies whose body the caller will hardly want: they come piece by piece, so that it can leave
/// them, and do not count as progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unwanted {
    pub(crate) redirects: bool,
    /// Those with 401, which credentials may have an answer for.
    pub(crate) challenges: bool,
    /// Of servers that cannot answer for the time being.
    pub(crate) refusals: bool,
}

impl Want {
    pub(crate) fn is_unwanted(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        let (Self::Whole { unwanted, .. } | Self::Stream { unwanted }) = self;
        let is_challenge = status == StatusCode::UNAUTHORIZED;
        let is_redirect = status.is_redirection() && headers.contains_key(LOCATION);
        let is_refusal = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        (unwanted.redirects && is_redirect)
            || (unwanted.challenges && is_challenge)
            || (unwanted.refusals && is_refusal)
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: Box<AnswerHead>,
    pub(crate) body: AnswerBody,
}

#[derive(Debug)]
pub(crate) enum AnswerBody {
    Whole { bytes: Bytes, trailers: Trailers },
    Stream { chunks: pipe::Receiver, counts: bool, home: Home },
}

/// A failed exchange and what a retry must know of it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) sent: Sent,
    /// Whether the connection had carried another exchange before.
    pub(crate) reused: bool,
    /// Whether the reply had begun.
    pub(crate) answered: bool,
}

/// How much of a request can have reached the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// Nothing that the server acted upon, for certain.
    Nothing,
    /// Nothing that it acted upon: it refused this very request.
    Refused,
    /// Some or all of it, perhaps.
    Perhaps,
}

/// What comes back.
pub(crate) type Outcome = Result<Answer, Failure>;

impl Failure {
    /// No connection could be had.
    pub(crate) fn unconnected(error: Error) -> Self {
        Self { error, sent: Sent::Nothing, reused: false, answered: false }
    }
}

/// Makes both ends of the answer to a job; who has the order puts the job together, so that it is
/// not moved.
pub(crate) fn answer() -> (Answerer, Pending) {
    let (sender, receiver) = oneshot::channel();
    let answerer = Answerer { sender: Some(sender), doorstep: None, started: false };
    (answerer, Pending { receiver: OfProcess::new(receiver), answered: false })
}

impl Job {
    /// Whether nobody waits for the answer any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.answer.sender.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    /// The job has to wait for its connection; how its caller hears that it may attend that.
    pub(crate) fn await_invitation(&mut self) -> Option<Arc<Doorstep>> {
        if !self.order.may_be_invited {
            return None;
        }
        Some(Arc::clone(self.answer.doorstep.get_or_insert_default()))
    }

    /// Ends a job that no connection could be found for.
    pub(crate) fn refuse(mut self, error: Error) {
        self.answer.send(Err(Failure::unconnected(error)));
    }
}

/// The end of a job that answers it, exactly once, at the latest when it is dropped.
#[derive(Debug)]
pub(crate) struct Answerer {
    sender: Option<oneshot::Sender<Outcome>>,
    /// Where the caller has waited, if it may be invited.
    doorstep: Option<Arc<Doorstep>>,
    started: bool,
}

impl Answerer {
    /// Takes the job in hand: from here on a dropped answerer means that it failed half-way.
    pub(crate) fn start(&mut self) {
        self.started = true;
    }

    pub(crate) fn send(&mut self, outcome: Outcome) {
        if let Some(sender) = self.sender.take() {
            // The caller may have gone; then nobody wants the answer.
            let _ = sender.send(outcome);
        }
    }

    /// Where the caller is found, once, if it waited and may be invited.
    pub(crate) const fn take_doorstep(&mut self) -> Option<Arc<Doorstep>> {
        self.doorstep.take()
    }

    /// Ready when the caller has gone; never after the answer was sent.
    pub(crate) fn poll_abandoned(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.sender.as_mut().map_or(Poll::Pending, |sender| sender.poll_closed(cx))
    }
}

impl Drop for Answerer {
    fn drop(&mut self) {
        // Started and dropped is a panic or an end of the lane: the closed channel says so.
        if !self.started {
            let error = Error::new(
                ErrorKind::Protocol,
                "the connection was closed before the request was sent",
            );
            let failure = Failure { reused: true, ..Failure::unconnected(error) };
            self.send(Err(failure));
        }
    }
}

/// The caller's end of a job; dropping it cancels the exchange.
#[derive(Debug)]
pub(crate) struct Pending {
    receiver: OfProcess<oneshot::Receiver<Outcome>>,
    answered: bool,
}

impl Pending {
    pub(crate) fn is_answered(&self) -> bool {
        self.answered
    }
}

impl Future for Pending {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let Some(receiver) = self.receiver.get_mut() else { return Poll::Pending };
        let polled = Pin::new(receiver).poll(cx);
        self.answered = polled.is_ready();
        polled.map(|received| {
            received.unwrap_or_else(|_| {
                Err(Failure { sent: Sent::Perhaps, ..Failure::unconnected(Error::no_answer()) })
            })
        })
    }
}

/// Those who wait for one value that each of them gets.
#[derive(Debug)]
pub(crate) struct Answers<T>(Vec<oneshot::Sender<T>>);

impl<T> Default for Answers<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Clone> Answers<T> {
    pub(crate) fn add(&mut self) -> Awaited<T> {
        let (sender, receiver) = oneshot::channel();
        self.0.retain(|sender| !sender.is_closed());
        self.0.push(sender);
        Awaited(receiver)
    }

    /// Whether anybody still waits.
    pub(crate) fn are_wanted(&self) -> bool {
        self.0.iter().any(|sender| !sender.is_closed())
    }

    pub(crate) fn send(self, value: &T) {
        for sender in self.0 {
            // Who does not wait any more needs no answer.
            let _ = sender.send(value.clone());
        }
    }
}

/// Sends one value to one who waits for it.
#[derive(Debug)]
pub(crate) struct Reply<T>(oneshot::Sender<T>);

/// Makes both ends of one answer.
pub(crate) fn reply<T>() -> (Reply<T>, Awaited<T>) {
    let (sender, receiver) = oneshot::channel();
    (Reply(sender), Awaited(receiver))
}

impl<T> Reply<T> {
    pub(crate) fn send(self, value: T) {
        // Who does not wait any more needs no answer.
        let _ = self.0.send(value);
    }
}

/// Ready with the value, or with `None` if there will be none.
#[derive(Debug)]
pub(crate) struct Awaited<T>(oneshot::Receiver<T>);

impl<T> Future for Awaited<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        Pin::new(&mut self.0).poll(cx).map(Result::ok)
    }
}
