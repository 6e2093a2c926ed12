//! The body of a reply that is read piece by piece.

#[cfg(feature = "cache")]
mod from_store;

use std::{future::poll_fn, time::Duration};

use bytes::Bytes;
use http::HeaderMap;

use super::keeping::{Keeping, Stored};
use crate::{
    caching::NotStored,
    context::CallContext,
    environment::OfProcess,
    error::{Error, ErrorKind, Result},
    moment::Moment,
    phase::{Budget, Phase},
    runtime::{
        Lender, leave_connection,
        pipe::{Received, Receiver},
    },
    trailers::Trailers,
};

/// What is left of a body; dropping it ends the exchange.
#[derive(Debug)]
pub(crate) struct OpenBody {
    state: State,
    /// How much of it has come; `None` if the lane counts it.
    uncounted: Option<u64>,
    ties: OfProcess<Ties>,
}

/// What a body has to do with, besides the one who reads it.
#[derive(Debug, Default)]
struct Ties {
    /// What a waiting reader can drive.
    lender: Option<Lender>,
    /// Stores it on the way.
    keeping: Keeping,
}

#[derive(Debug)]
enum State {
    Receiving(Receiver),
    /// Everything is there already.
    Complete(Bytes, Trailers),
    /// It lies in a store.
    #[cfg_attr(not(feature = "cache"), expect(dead_code, reason = "there is no store"))]
    Stored(Stored, Trailers),
    Ended(Trailers),
    Failed(ErrorKind),
}

impl OpenBody {
    pub(super) fn new(chunks: Receiver, lane_counts: bool, lender: Option<Lender>) -> Self {
        let uncounted = (!lane_counts).then_some(0);
        let ties = OfProcess::new(Ties { lender, keeping: Keeping::default() });
        Self { state: State::Receiving(chunks), uncounted, ties }
    }

    pub(super) fn complete(bytes: Bytes, trailers: Trailers) -> Self {
        Self::of(State::Complete(bytes, trailers))
    }

    fn of(state: State) -> Self {
        Self { state, uncounted: None, ties: OfProcess::new(Ties::default()) }
    }

    /// What became of storing it, once that is known.
    pub(crate) fn stored(&self) -> Option<Result<(), NotStored>> {
        self.ties.get()?.keeping.ended()
    }

    fn keeping(&mut self) -> Option<&mut Keeping> {
        self.ties.get_mut().map(|ties| &mut ties.keeping)
    }

    /// Says that it is the body of the call's reply after all, and so its progress.
    pub(super) fn count(&self, cx: &CallContext, length: impl FnOnce() -> Option<u64>) {
        if self.uncounted.is_some() {
            cx.watch.expect_download(length());
        }
    }

    /// The trailers, once the end was reached.
    pub(super) fn trailers(&self) -> Option<&HeaderMap> {
        match &self.state {
            State::Ended(trailers) => Some(trailers),
            _ => None,
        }
    }

    /// All of it, if it is here and not larger than that.
    pub(super) fn take_whole(&mut self, bytes_max: Option<u64>) -> Option<Bytes> {
        let State::Complete(bytes, trailers) = &mut self.state else { return None };
        if bytes_max.is_some_and(|max| bytes.len() as u64 > max) {
            return None;
        }
        let (bytes, trailers) = (std::mem::take(bytes), std::mem::take(trailers));
        self.state = State::Ended(trailers);
        Some(bytes)
    }

    /// The next piece; `None` at the end. After an error there is nothing more.
    pub(super) async fn next(&mut self, cx: &CallContext) -> Result<Option<Bytes>> {
        match &mut self.state {
            State::Receiving(_) | State::Stored(..) => {}
            State::Complete(..) => {
                return Ok(self.take_whole(None).filter(|bytes| !bytes.is_empty()));
            }
            State::Ended(_) => return Ok(None),
            State::Failed(kind) => return Err(failed_before(*kind)),
        }
        match cx.within(self.receive()).await.and_then(|received| received) {
            Ok(Some(chunk)) => {
                if let Some(position) = &mut self.uncounted {
                    *position += chunk.len() as u64;
                    cx.watch.received(*position);
                }
                Ok(Some(chunk))
            }
            Ok(None) => Ok(None),
            Err(error) => {
                self.fail(error.kind());
                Err(error)
            }
        }
    }

    /// What comes next, as long as anything can.
    async fn receive(&mut self) -> Result<Option<Bytes>> {
        let chunks = match &mut self.state {
            State::Receiving(chunks) => chunks,
            State::Stored(stored, trailers) => {
                let piece = stored.next()?;
                if piece.is_none() {
                    self.state = State::Ended(std::mem::take(trailers));
                }
                return Ok(piece);
            }
            _ => return Ok(None),
        };
        let lender = self.ties.get().and_then(|ties| ties.lender.as_ref());
        let received = poll_fn(|task| {
            let next = chunks.poll_next(task);
            if next.is_pending() {
                lender.into_iter().for_each(Lender::plan);
            }
            next
        });
        let received = received.await;
        leave_connection();
        match received? {
            Received::Chunk(chunk) => {
                self.keeping().into_iter().for_each(|keeping| keeping.write(&chunk));
                Ok(Some(chunk))
            }
            Received::End(trailers) => {
                self.keeping().into_iter().for_each(|keeping| keeping.finish(&trailers));
                self.state = State::Ended(trailers);
                Ok(None)
            }
        }
    }

    /// Receives the rest and forgets it, so that the connection can be used again; a rest that is
    /// large or does not come ends the exchange instead.
    pub(super) async fn drain(mut self, cx: &CallContext) -> Result<()> {
        let until = Moment::now().plus(DRAIN_TIME_MAX);
        let drained = cx.within_until(until, async {
            let mut bytes = 0;
            while let Ok(Some(chunk)) = self.receive().await {
                bytes += chunk.len();
                if bytes > DRAIN_BYTES_MAX {
                    break;
                }
            }
        });
        match drained.await {
            // Its silence says nothing about the hops to come.
            Err(error) if error.budget() == Some(Budget::Idle) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Ends the exchange: what is left of it is of no use.
    pub(super) fn give_up(&mut self) {
        if matches!(self.state, State::Ended(_) | State::Failed(_)) {
            self.keeping().into_iter().for_each(|keeping| keeping.give_up());
        } else {
            self.fail(ErrorKind::Body);
        }
    }

    fn fail(&mut self, kind: ErrorKind) {
        // Dropping the receiver is what ends the exchange.
        self.state = State::Failed(kind);
        if let Some(ties) = self.ties.get_mut() {
            ties.keeping.give_up();
            ties.lender.iter().for_each(Lender::call_keeper);
        }
    }

    /// The trailers of a body that has ended.
    pub(super) fn into_trailers(mut self) -> Trailers {
        match &mut self.state {
            State::Ended(trailers) => std::mem::take(trailers),
            _ => Trailers::default(),
        }
    }
}

impl Drop for OpenBody {
    fn drop(&mut self) {
        self.give_up();
    }
}

#[cold]
fn failed_before(kind: ErrorKind) -> Error {
    Error::new(kind, "the body had failed before").in_phase(Phase::Body)
}

/// What a connection is worth: less than the time and bytes that a new one takes.
const DRAIN_BYTES_MAX: usize = 64 << 10;
const DRAIN_TIME_MAX: Duration = Duration::from_millis(100);
