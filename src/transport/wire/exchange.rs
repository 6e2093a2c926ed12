//! One exchange on one connection, whatever its protocol: head, body, and how it ends.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use http::{HeaderMap, StatusCode, header, response::Parts};
use hyper::body::{Body, Incoming};
use tokio::time::{Instant, Sleep, sleep};

use super::{
    classify::{self, Circumstances},
    h2_errors::{is_refused, is_stream_reset},
    receive::{self, Gauge},
};
use crate::{
    answer_head::AnswerHead,
    error::{Error, ErrorKind},
    life,
    moment::Moment,
    phase::Phase,
    trailers::Trailers,
    transport::{
        bridge::{Answer, AnswerBody, Answerer, Failure, Outcome, Sent, Want},
        connection::Facts,
        pipe,
        pool::StreamEnd,
    },
    watch::Watch,
    wheel::Lull,
};

/// What an exchange needs besides the connection.
pub(super) struct Exchange {
    pub(super) answerer: Answerer,
    pub(super) watch: Arc<Watch>,
    pub(super) want: Want,
    pub(super) facts: Arc<Facts>,
    pub(super) reused: bool,
    pub(super) lane_watches: bool,
    /// `None` if the caller looks at the time.
    pub(super) patience: Option<Patience>,
    /// Whether the request has the method `HEAD`.
    pub(super) asks_head: bool,
    /// Bytes of the connection before this exchange.
    pub(super) sent_before: u64,
    pub(super) received_before: u64,
    /// Whether the bytes of the connection are all of this exchange.
    pub(super) is_alone: bool,
    /// Most bytes that may come before the head of the reply is complete, if it is alone.
    pub(super) head_bytes_max: u64,
    /// Most header lines of a reply.
    pub(super) head_lines_max: usize,
}

/// How an exchange ended; delivered after the connection is free or closed.
pub(super) struct Parting {
    end: End,
    /// Whether the connection can be trusted to begin another exchange at the right place.
    leaves_it_whole: bool,
    /// Whether a part of the request may still lie in the socket's buffer.
    is_half_sent: bool,
    /// Whether the server did not want the stream.
    is_refused: bool,
    /// When it was complete, if it ever was.
    ended_at: Option<Moment>,
}

enum End {
    Answer(Answerer, Outcome),
    Stream(pipe::Sender, Result<Trailers, Error>),
    /// The caller has gone.
    Nobody,
}

impl Parting {
    const fn new(end: End, leaves_it_whole: bool) -> Self {
        Self { end, leaves_it_whole, is_half_sent: false, is_refused: false, ended_at: None }
    }

    pub(super) const fn nobody() -> Self {
        Self::new(End::Nobody, false)
    }

    fn failure(answerer: Answerer, failure: Failure) -> Self {
        Self::new(End::Answer(answerer, Err(failure)), false)
    }

    pub(super) fn deliver(self) {
        match self.end {
            End::Answer(mut answerer, outcome) => answerer.send(outcome),
            End::Stream(sender, end) => sender.end(end),
            End::Nobody => {}
        }
    }

    pub(super) const fn is_half_sent(&self) -> bool {
        self.is_half_sent
    }

    pub(super) const fn ended_at(&self) -> Option<Moment> {
        self.ended_at
    }

    pub(super) const fn leaves_it_whole(&self) -> bool {
        self.leaves_it_whole
    }

    #[cfg_attr(not(feature = "http2"), expect(dead_code, reason = "only HTTP/2 has streams"))]
    pub(super) const fn stream_end(&self) -> StreamEnd {
        if self.is_refused {
            StreamEnd::Refused
        } else if self.leaves_it_whole {
            StreamEnd::Fine
        } else {
            StreamEnd::Other
        }
    }
}

/// Moves the connection itself; a task of its own may do that instead.
pub(super) trait Drive {
    /// Whether nothing but `drive` gets the exchange further.
    const DRIVES: bool;

    /// Everything is asked from here on, whatever it was that woke the task; whether something had.
    fn begin_turn(&self) -> bool;

    fn drive(&mut self, cx: &mut Context<'_>);
}

impl Exchange {
    /// Runs the exchange to its end.
    pub(super) async fn run(
        mut self,
        response: Pin<&mut impl Future<Output = hyper::Result<http::Response<Incoming>>>>,
        connection: &mut impl Drive,
        lull: impl FnOnce() -> Option<Lull>,
    ) -> Parting {
        if self.is_alone {
            self.facts.traffic.allow(self.head_bytes_max);
        }
        let head = self.race(response, connection, WorkIs::OfTheConnection).await;
        let (parts, body) = match head {
            Raced::Done(Ok(response)) => response.into_parts(),
            Raced::Done(Err(error)) => return self.failed(error),
            Raced::Abandoned => {
                let is_half_sent = self.watch.phase() == Phase::Send;
                return Parting { is_half_sent, ..Parting::nobody() };
            }
        };
        if parts.headers.len() > self.head_lines_max {
            // hyper sees to it over HTTP/1.1 alone.
            let failure = self.failure(too_many_lines(parts.headers.len(), self.head_lines_max));
            return Parting::failure(self.answerer, failure);
        }
        if let Some(patience) = &mut self.patience {
            patience.begin_again();
        }
        self.watch.enter(Phase::Body);
        let received_with_head = self.facts.traffic.received();
        let counts = !self.want.is_unwanted(parts.status, &parts.headers);
        let expected = self.expected(parts.status, &body);
        if counts {
            self.watch.expect_download(expected);
        }
        match self.want {
            Want::Whole { bytes_max, .. } if counts => {
                let sizes = (expected, bytes_max);
                self.whole(parts, body, (sizes, received_with_head), connection).await
            }
            Want::Whole { .. } | Want::Stream { .. } => {
                // Between two reads only the caller can get it further.
                let _lull = lull();
                self.stream(parts, body, counts, connection).await
            }
        }
    }

    /// How long the body will be, if that is known: some replies only say how long it would be
    /// (RFC 9110 §8.6), and hyper knows of these over HTTP/1.1 alone.
    fn expected(&self, status: StatusCode, body: &Incoming) -> Option<u64> {
        if self.asks_head || body.is_end_stream() || status == StatusCode::NOT_MODIFIED {
            return Some(0);
        }
        body.size_hint().exact()
    }

    async fn whole(
        mut self,
        parts: Parts,
        body: Incoming,
        (sizes, received_with_head): ((Option<u64>, Option<u64>), u64),
        connection: &mut impl Drive,
    ) -> Parting {
        let gauge = self.gauge(true);
        let collecting = pin!(receive::collect(body, sizes, &gauge));
        match self.race(collecting, connection, WorkIs::Begun).await {
            Raced::Done(Ok((bytes, trailers))) => {
                let came_with_head =
                    self.is_alone && self.facts.traffic.received() == received_with_head;
                let ended_at = match came_with_head {
                    true => self.watch.end_with_head(),
                    false => self.watch.end(),
                };
                let leaves_it_whole = is_framed_clearly(&parts.headers);
                let answer = self.answer(parts, AnswerBody::Whole { bytes, trailers });
                let end = End::Answer(self.answerer, Ok(answer));
                Parting { ended_at: Some(ended_at), ..Parting::new(end, leaves_it_whole) }
            }
            Raced::Done(Err(receive::Failed::Wire(error))) => self.failed(error),
            Raced::Done(Err(receive::Failed::Own(error))) => {
                let failure = self.failure(error);
                Parting::failure(self.answerer, failure)
            }
            Raced::Abandoned => Parting::nobody(),
        }
    }

    async fn stream(
        mut self,
        parts: Parts,
        incoming: Incoming,
        counts: bool,
        connection: &mut impl Drive,
    ) -> Parting {
        let (sender, receiver) = pipe::pipe(STREAM_AHEAD_BYTES, pipe::Fill::Ahead);
        let leaves_it_whole = is_framed_clearly(&parts.headers);
        let home = self.facts.home.clone();
        let body = AnswerBody::Stream { chunks: receiver, counts, home };
        let answer = self.answer(parts, body);
        self.answerer.send(Ok(answer));
        let gauge = self.gauge(counts);
        if self.is_alone {
            self.facts.traffic.read_at_most(STREAM_READ_BYTES);
        }
        let pumped = {
            let pumping = pin!(receive::pump(incoming, &sender, &gauge));
            self.race(pumping, connection, WorkIs::OfOthersToo).await
        };
        self.facts.traffic.read_at_most(0);
        let error = match pumped {
            Raced::Done(Ok(trailers)) => {
                let ended_at = Some(self.watch.end());
                let end = End::Stream(sender, Ok(trailers));
                return Parting { ended_at, ..Parting::new(end, leaves_it_whole) };
            }
            Raced::Done(Err(receive::Stopped::Wire(error))) => {
                classify::error(error, &self.circumstances())
            }
            Raced::Done(Err(receive::Stopped::Own(error))) => error,
            Raced::Done(Err(receive::Stopped::ReceiverGone)) => return Parting::nobody(),
            Raced::Abandoned => Error::cancelled(Phase::Body),
        };
        Parting::new(End::Stream(sender, Err(error)), false)
    }

    /// Runs `work` and the connection until the work is done or nobody wants it any more.
    async fn race<W: Future, D: Drive>(
        &mut self,
        mut work: Pin<&mut W>,
        connection: &mut D,
        work_is: WorkIs,
    ) -> Raced<W::Output> {
        let watch = self.lane_watches.then(|| Arc::clone(&self.watch));
        let feedback = watch.as_ref().and_then(|watch| watch.feedback());
        let mut cancelled = pin!(feedback.map(|feedback| feedback.token().cancelled()));
        poll_fn(|cx| {
            let has_news = connection.begin_turn();
            if self.answerer.poll_abandoned(cx).is_ready()
                || poll_some(cancelled.as_mut(), cx)
                || self.patience.as_mut().is_some_and(|patience| patience.is_over(cx))
            {
                return Poll::Ready(Raced::Abandoned);
            }
            // That the connection has something for the work need not be told to a task that asks
            // the work next anyway.
            let mut unwoken = Context::from_waker(Waker::noop());
            let is_unwoken = D::DRIVES && work_is != WorkIs::OfOthersToo;
            let work_cx = if is_unwoken { &mut unwoken } else { &mut *cx };
            if D::DRIVES
                && work_is != WorkIs::OfTheConnection
                && let Poll::Ready(output) = life::quietly(|| work.as_mut().poll(work_cx))
            {
                if has_news {
                    // It may be the connection's, which is not asked in this turn.
                    cx.waker().wake_by_ref();
                }
                return Poll::Ready(Raced::Done(output));
            }
            connection.drive(cx);
            let work_cx = if is_unwoken { &mut unwoken } else { cx };
            work.as_mut().poll(work_cx).map(Raced::Done)
        })
        .await
    }

    fn gauge(&self, counts: bool) -> Gauge {
        let traffic = self.is_alone.then(|| Arc::clone(&self.facts.traffic));
        Gauge::new(Arc::clone(&self.watch), traffic, counts)
    }

    fn failed(self, error: hyper::Error) -> Parting {
        let seen = self.circumstances();
        let sent = classify::sent(&error, &seen);
        let (is_refused, is_reset) = (is_refused(&error), is_stream_reset(&error));
        let failure = self.failure(classify::error(error, &seen));
        let failure = Failure { sent, answered: failure.answered || is_reset, ..failure };
        Parting { is_refused, ..Parting::failure(self.answerer, failure) }
    }

    fn failure(&self, error: Error) -> Failure {
        let answered = self.watch.phase() == Phase::Body
            || (self.is_alone && self.facts.traffic.received() > self.received_before);
        Failure { error, sent: Sent::Perhaps, reused: self.reused, answered }
    }

    fn circumstances(&self) -> Circumstances {
        let traffic = &self.facts.traffic;
        Circumstances {
            phase: self.watch.phase(),
            wrote: traffic.sent() > self.sent_before,
            write_failed: traffic.write_failed(),
            was_flooded: traffic.was_flooded(),
            tls_failure: traffic.tls_failure().map(str::to_owned),
        }
    }

    fn answer(&self, parts: Parts, body: AnswerBody) -> Answer {
        let head = Box::new(AnswerHead {
            connection: Some(self.facts.used(parts.version, self.reused)),
            proxy: self.facts.proxy.clone(),
            ..AnswerHead::local(parts.status, parts.version, parts.headers)
        });
        Answer { head, body }
    }
}

/// The time of an exchange that nobody waits for: until its head has come, and as much again for
/// its body.
pub(super) struct Patience {
    limit: Duration,
    sleep: Pin<Box<Sleep>>,
}

impl Patience {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, sleep: Box::pin(sleep(limit)) }
    }

    fn begin_again(&mut self) {
        self.sleep.as_mut().reset(Instant::now() + self.limit);
    }

    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        self.sleep.as_mut().poll(cx).is_ready()
    }
}

/// What brings a part of an exchange further.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WorkIs {
    /// The connection alone, and it has not been asked.
    OfTheConnection,
    /// The connection alone; some of it may be there already.
    Begun,
    /// The other end of a pipe too.
    OfOthersToo,
}

enum Raced<T> {
    Done(T),
    Abandoned,
}

fn poll_some<F: Future>(future: Pin<&mut Option<F>>, cx: &mut Context<'_>) -> bool {
    future.as_pin_mut().is_some_and(|future| future.poll(cx).is_ready())
}

#[cold]
fn too_many_lines(count: usize, limit: usize) -> Error {
    let message =
        format!("the reply has {count} header lines (the limit `Limits::header_count` is {limit})");
    Error::new(ErrorKind::Limit, message).in_phase(Phase::FirstByte)
}

/// A reply with a length and chunks may be an attempt to smuggle another one in behind it
/// (RFC 9112 §6.3): its chunks count, and its connection is not used again.
fn is_framed_clearly(headers: &HeaderMap) -> bool {
    // Most replies have a length, and few have chunks.
    !(headers.contains_key(header::TRANSFER_ENCODING)
        && headers.contains_key(header::CONTENT_LENGTH))
}

/// How much of a streamed body the lane receives before the reader asks for it.
///
/// Like what is read at once, it is to stay in the caches and in memory that was used before: with
/// pieces of 400 KiB, as hyper comes to read them, a body took twice the time, for page faults.
const STREAM_AHEAD_BYTES: usize = 128 << 10;
/// hyper makes its buffers twice as large whenever one is filled to the last byte, so this keeps them
/// at 64 KiB.
const STREAM_READ_BYTES: usize = (64 << 10) - 1;
