//! The body of a reply that is read piece by piece.

use std::future::poll_fn;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use crate::{
    context::CallContext,
    error::{Error, ErrorKind, Result},
    phase::Phase,
    reply::{Reply, ReplyHead},
    runtime::{
        Lender,
        pipe::{Received, Receiver},
    },
};

/// What is left of a body; dropping it ends the exchange.
#[derive(Debug)]
pub(crate) struct OpenBody {
    state: State,
    /// What a waiting reader can drive.
    lender: Option<Lender>,
}

#[derive(Debug)]
enum State {
    Receiving(Receiver),
    /// Everything is there already.
    Complete(Bytes, HeaderMap),
    Ended(HeaderMap),
    Failed(ErrorKind),
}

impl OpenBody {
    pub(super) const fn new(chunks: Receiver, lender: Option<Lender>) -> Self {
        Self { state: State::Receiving(chunks), lender }
    }

    pub(super) const fn complete(bytes: Bytes, trailers: HeaderMap) -> Self {
        Self { state: State::Complete(bytes, trailers), lender: None }
    }

    /// The trailers, once the end was reached.
    pub(crate) const fn trailers(&self) -> Option<&HeaderMap> {
        match &self.state {
            State::Ended(trailers) => Some(trailers),
            _ => None,
        }
    }

    /// The next piece; `None` at the end. After an error there is nothing more.
    pub(crate) async fn next(&mut self, cx: &CallContext) -> Result<Option<Bytes>> {
        let chunks = match &mut self.state {
            State::Receiving(chunks) => chunks,
            State::Complete(bytes, trailers) => {
                let (bytes, trailers) = (std::mem::take(bytes), std::mem::take(trailers));
                self.state = State::Ended(trailers);
                return Ok(Some(bytes).filter(|bytes| !bytes.is_empty()));
            }
            State::Ended(_) => return Ok(None),
            State::Failed(kind) => return Err(failed_before(*kind)),
        };
        let lender = &self.lender;
        let next = poll_fn(|task| {
            let next = chunks.poll_next(task);
            if next.is_pending() {
                lender.as_ref().into_iter().for_each(Lender::plan);
            }
            next
        });
        match cx.within(next).await.and_then(|received| received) {
            Ok(Received::Chunk(chunk)) => Ok(Some(chunk)),
            Ok(Received::End(trailers)) => {
                self.state = State::Ended(trailers);
                Ok(None)
            }
            Err(error) => {
                // Dropping the receiver is what ends the exchange.
                self.state = State::Failed(error.kind());
                self.lender.iter().for_each(Lender::call_keeper);
                Err(error)
            }
        }
    }

    /// Receives the rest into memory, behind what was taken and not read.
    pub(crate) async fn into_reply(
        mut self,
        cx: &CallContext,
        head: ReplyHead,
        begun: Bytes,
        bytes_max: Option<u64>,
    ) -> Result<Reply> {
        let mut body = BytesMut::from(begun);
        while let Some(piece) = self.next(cx).await? {
            body.extend_from_slice(&piece);
            if bytes_max.is_some_and(|max| body.len() as u64 > max) {
                let message = "the body is larger than what is kept in memory (change the limit \
                               with `Limits::body_bytes`)";
                return Err(Error::new(ErrorKind::Limit, message).in_phase(Phase::Body));
            }
        }
        let trailers = self.trailers().cloned().unwrap_or_default();
        let timings = cx.watch.timings(cx.started, !head.reused);
        Ok(Reply::new(head, body.freeze(), trailers, timings))
    }
}

impl Drop for OpenBody {
    fn drop(&mut self) {
        if matches!(self.state, State::Receiving(_)) {
            self.state = State::Failed(ErrorKind::Body);
            self.lender.iter().for_each(Lender::call_keeper);
        }
    }
}

#[cold]
fn failed_before(kind: ErrorKind) -> Error {
    Error::new(kind, "the body had failed before").in_phase(Phase::Body)
}
