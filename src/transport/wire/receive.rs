//! Receiving the body of a reply: whole into memory, or piece by piece into a pipe.

use std::{future::poll_fn, pin::Pin, sync::Arc, task::Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming};

use crate::{
    error::{Error, ErrorKind},
    memory,
    phase::Phase,
    traffic::Traffic,
    trailers::Trailers,
    transport::pipe,
    watch::Watch,
    whole::Whole,
};

/// Tells how far a body is, and keeps a server from sending framing without content for ever.
pub(super) struct Gauge {
    watch: Arc<Watch>,
    /// `None` if the connection's bytes are not all of this body.
    traffic: Option<Arc<Traffic>>,
    /// Whether it is progress for those who look at the feedback.
    counts: bool,
}

impl Gauge {
    pub(super) fn new(watch: Arc<Watch>, traffic: Option<Arc<Traffic>>, counts: bool) -> Self {
        let gauge = Self { watch, traffic, counts };
        gauge.got_further();
        gauge
    }

    fn received(&self, position: u64, goes_on: bool) {
        memory::expect_body(position);
        if goes_on {
            self.watch.moved();
        }
        if self.counts {
            self.watch.received(position);
        }
        self.got_further();
    }

    /// Whether a body has come to its end, and was not cut off: over HTTP/2 hyper ends it the same way
    /// if the server resets the stream for no reason (`NO_ERROR`, RFC 9113 §7).
    fn is_complete(&self, body: &Incoming) -> bool {
        self.traffic.is_some() || body.is_end_stream()
    }

    fn got_further(&self) {
        if let Some(traffic) = &self.traffic {
            traffic.allow(FRAMING_BYTES_MAX);
        }
    }
}

pub(super) enum Failed {
    Wire(hyper::Error),
    Own(Error),
}

/// Receives a whole body, of the length that is `expected` if that is known, into one piece; a body
/// that came in one piece is not copied.
pub(super) async fn collect(
    mut body: Incoming,
    (expected, bytes_max): (Option<u64>, Option<u64>),
    gauge: &Gauge,
) -> Result<(Bytes, Trailers), Failed> {
    let mut trailers = Trailers::default();
    let mut whole = Whole::new(expected);
    too_large(expected.unwrap_or(0), bytes_max)?;
    while let Some(frame) = next_frame(&mut body).await {
        match frame.map_err(Failed::Wire)?.into_data() {
            Ok(chunk) => {
                whole.add(chunk);
                // After the last of it nothing is waited for.
                let is_last = expected == Some(whole.len());
                gauge.received(whole.len(), !is_last);
                too_large(whole.len(), bytes_max)?;
            }
            Err(other) => trailers = other.into_trailers().unwrap_or_default().into(),
        }
    }
    if !gauge.is_complete(&body) {
        return Err(Failed::Own(cut_off()));
    }
    Ok((whole.into_bytes(), trailers))
}

#[cold]
fn cut_off() -> Error {
    Error::new(ErrorKind::Body, "the body ended before it was complete").in_phase(Phase::Body)
}

fn too_large(bytes: u64, bytes_max: Option<u64>) -> Result<(), Failed> {
    match bytes_max {
        Some(max) if bytes > max => Err(Failed::Own(
            Error::new(
                ErrorKind::Limit,
                format!(
                    "the body is larger than the {max} bytes that are kept in memory (change the \
                     limit with `Limits::body_bytes`, or read it with `open`)"
                ),
            )
            .in_phase(Phase::Body),
        )),
        _ => Ok(()),
    }
}

pub(super) enum Stopped {
    Wire(hyper::Error),
    Own(Error),
    ReceiverGone,
}

/// Moves a body into a pipe as fast as its receiver takes it.
pub(super) async fn pump(
    mut body: Incoming,
    sender: &pipe::Sender,
    gauge: &Gauge,
) -> Result<Trailers, Stopped> {
    let mut trailers = Trailers::default();
    let mut position = 0;
    loop {
        poll_fn(|cx| sender.poll_room(cx)).await.map_err(|_| Stopped::ReceiverGone)?;
        let frame = poll_fn(|cx| match sender.poll_gone(cx) {
            Poll::Ready(()) => Poll::Ready(Err(Stopped::ReceiverGone)),
            Poll::Pending => Pin::new(&mut body).poll_frame(cx).map(Ok),
        });
        let Some(frame) = frame.await? else {
            let end = gauge.is_complete(&body).then_some(trailers);
            return end.ok_or_else(|| Stopped::Own(cut_off()));
        };
        match frame.map_err(Stopped::Wire)?.into_data() {
            Ok(chunk) => {
                position += chunk.len() as u64;
                gauge.received(position, true);
                sender.push(chunk);
            }
            Err(other) => trailers = other.into_trailers().unwrap_or_default().into(),
        }
    }
}

async fn next_frame(body: &mut Incoming) -> Option<hyper::Result<Frame<Bytes>>> {
    poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await
}

/// Well above what framing needs, and two reads more: one may wait for its place in a stream, and after
/// a large last read of a body hyper looks at once for what follows, before the exchange has seen that
/// it got further.
const FRAMING_BYTES_MAX: u64 = (256 << 10) + 2 * (512 << 10);
