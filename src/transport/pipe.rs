//! A bounded row of chunks between a caller and a lane, in either direction.
//!
//! Bounded in bytes, filled ahead, and waking the other side only when it has nothing to do: the
//! receiver when the row was empty, the sender when it has become half empty.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;

use crate::{environment::OfProcess, error::Error, trailers::Trailers};

/// When a pipe begins to be filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fill {
    /// At once, ahead of the receiver.
    Ahead,
    /// When the receiver has asked for the first time.
    WhenAsked,
}

/// Makes a pipe that holds about `bytes_max` bytes; one chunk may pass the bound.
pub(crate) fn pipe(bytes_max: usize, fill: Fill) -> (Sender, Receiver) {
    let row = Arc::new(Mutex::new(Row {
        chunks: VecDeque::new(),
        bytes: 0,
        bytes_max,
        end: None,
        receiver: None,
        sender: None,
        receiver_gone: false,
        is_asked: fill == Fill::Ahead,
    }));
    let sending = OfProcess::new(SendingEnd { row: Arc::clone(&row), ended: false });
    let receiving = OfProcess::new(ReceivingEnd { row: Arc::clone(&row) });
    (Sender { end: sending, row: Arc::clone(&row) }, Receiver { _end: receiving, row })
}

/// Guarded by a mutex that is held for a few moves only, never across a wake-up.
#[derive(Debug)]
struct Row {
    chunks: VecDeque<Bytes>,
    bytes: usize,
    bytes_max: usize,
    end: Option<Result<Trailers, Error>>,
    receiver: Option<Waker>,
    sender: Option<Waker>,
    receiver_gone: bool,
    is_asked: bool,
}

type Shared = Arc<Mutex<Row>>;

fn lock(row: &Shared) -> MutexGuard<'_, Row> {
    row.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
pub(crate) struct Sender {
    end: OfProcess<SendingEnd>,
    row: Shared,
}

#[derive(Debug)]
struct SendingEnd {
    row: Shared,
    ended: bool,
}

/// The receiver does not want more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Gone;

impl Sender {
    /// Ready when there is room for a chunk.
    pub(crate) fn poll_room(&self, cx: &Context<'_>) -> Poll<Result<(), Gone>> {
        let mut row = lock(&self.row);
        if row.receiver_gone {
            Poll::Ready(Err(Gone))
        } else if row.is_asked && row.bytes < row.bytes_max {
            Poll::Ready(Ok(()))
        } else {
            row.sender = Some(cx.waker().clone());
            Poll::Pending
        }
    }

    /// Ready when the receiver is gone.
    pub(crate) fn poll_gone(&self, cx: &Context<'_>) -> Poll<()> {
        let mut row = lock(&self.row);
        if row.receiver_gone {
            return Poll::Ready(());
        }
        row.sender = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(crate) fn push(&self, chunk: Bytes) {
        let mut row = lock(&self.row);
        if row.receiver_gone || chunk.is_empty() {
            return;
        }
        row.bytes += chunk.len();
        row.chunks.push_back(chunk);
        let waker = row.receiver.take();
        drop(row);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Says how it ended; without this, dropping the sender is an error for the receiver.
    pub(crate) fn end(mut self, end: Result<Trailers, Error>) {
        if let Some(sending) = self.end.get_mut() {
            sending.finish(end);
        }
    }
}

impl SendingEnd {
    fn finish(&mut self, end: Result<Trailers, Error>) {
        self.ended = true;
        let mut row = lock(&self.row);
        row.end = Some(end);
        let waker = row.receiver.take();
        drop(row);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl Drop for SendingEnd {
    fn drop(&mut self) {
        if !self.ended {
            self.finish(Err(Error::no_answer()));
        }
    }
}

#[derive(Debug)]
pub(crate) struct Receiver {
    _end: OfProcess<ReceivingEnd>,
    row: Shared,
}

#[derive(Debug)]
struct ReceivingEnd {
    row: Shared,
}

/// What a receiver gets.
#[derive(Debug)]
pub(crate) enum Received {
    Chunk(Bytes),
    /// Given once; later polls give it again without trailers.
    End(Trailers),
}

impl Receiver {
    pub(crate) fn poll_next(&self, cx: &Context<'_>) -> Poll<Result<Received, Error>> {
        let mut row = lock(&self.row);
        if let Some(chunk) = row.chunks.pop_front() {
            row.bytes -= chunk.len();
            let waker = if row.bytes <= row.bytes_max / 2 { row.sender.take() } else { None };
            drop(row);
            waker.into_iter().for_each(Waker::wake);
            return Poll::Ready(Ok(Received::Chunk(chunk)));
        }
        match row.end.take() {
            Some(Ok(trailers)) => {
                row.end = Some(Ok(Trailers::default()));
                Poll::Ready(Ok(Received::End(trailers)))
            }
            Some(Err(error)) => {
                row.end = Some(Err(Error::no_answer()));
                Poll::Ready(Err(error))
            }
            None => {
                row.receiver = Some(cx.waker().clone());
                if !std::mem::replace(&mut row.is_asked, true) {
                    let waker = row.sender.take();
                    drop(row);
                    waker.into_iter().for_each(Waker::wake);
                }
                Poll::Pending
            }
        }
    }
}

impl Drop for ReceivingEnd {
    fn drop(&mut self) {
        let mut row = lock(&self.row);
        row.receiver_gone = true;
        let chunks = std::mem::take(&mut row.chunks);
        row.bytes = 0;
        let waker = row.sender.take();
        drop(row);
        drop(chunks);
        waker.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll<T>(poll: impl FnOnce(&Context<'_>) -> Poll<T>) -> Poll<T> {
        poll(&Context::from_waker(Waker::noop()))
    }

    #[test]
    fn the_sender_has_room_until_the_bound_is_reached() {
        let (sender, receiver) = pipe(4, Fill::Ahead);
        sender.push(Bytes::from_static(b"abc"));
        assert!(poll(|cx| sender.poll_room(cx)).is_ready());
        sender.push(Bytes::from_static(b"d"));
        assert!(poll(|cx| sender.poll_room(cx)).is_pending());
        let Poll::Ready(Ok(Received::Chunk(chunk))) = poll(|cx| receiver.poll_next(cx)) else {
            panic!("no chunk");
        };
        assert_eq!(chunk, "abc");
        assert!(poll(|cx| sender.poll_room(cx)).is_ready());
    }

    #[test]
    fn a_dropped_sender_is_an_error_and_a_dropped_receiver_is_gone() {
        let (sender, receiver) = pipe(4, Fill::Ahead);
        drop(sender);
        assert!(matches!(poll(|cx| receiver.poll_next(cx)), Poll::Ready(Err(_))));
        let (sender, receiver) = pipe(4, Fill::Ahead);
        drop(receiver);
        assert_eq!(poll(|cx| sender.poll_room(cx)), Poll::Ready(Err(Gone)));
    }

    #[test]
    fn nothing_is_wanted_before_the_receiver_has_asked() {
        let (sender, receiver) = pipe(4, Fill::WhenAsked);
        assert!(poll(|cx| sender.poll_room(cx)).is_pending());
        assert!(poll(|cx| receiver.poll_next(cx)).is_pending());
        assert!(poll(|cx| sender.poll_room(cx)).is_ready());
    }
}
