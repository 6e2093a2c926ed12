//! The class for people who come from QGIS: what it sends, what it leaves behind, how it ends.

mod ending;
mod failures;
mod listeners;
mod replies;
mod sending;

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use abide::{BlockingRequest, CallOptions, Client, ErrorCode, ErrorKind};

use crate::clients::client;

/// How a call ended: its code, and the kind of its error.
type Ending = (ErrorCode, Option<ErrorKind>);

const FINE: Ending = (ErrorCode::NoError, None);
const REFUSED: Ending = (ErrorCode::ServerExceptionError, Some(ErrorKind::Status));
const CANCELLED: Ending = (ErrorCode::NetworkError, Some(ErrorKind::Cancelled));
const TIMED_OUT: Ending = (ErrorCode::TimeoutError, Some(ErrorKind::TimedOut));

const fn failed(kind: ErrorKind) -> Ending {
    (ErrorCode::NetworkError, Some(kind))
}

fn plain() -> CallOptions<'static> {
    CallOptions::default()
}

/// A request object that counts its calls of `finished`. Clones are the same object.
#[derive(Clone)]
struct Counted {
    request: Arc<BlockingRequest>,
    finished: Arc<AtomicUsize>,
}

impl Counted {
    fn new() -> Self {
        Self::with(&client())
    }

    fn with(client: &Client) -> Self {
        let request = Arc::new(BlockingRequest::with_client(client));
        let finished = Arc::new(AtomicUsize::new(0));
        request.on_finished({
            let finished = Arc::clone(&finished);
            move || {
                finished.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { request, finished }
    }

    fn finished(&self) -> usize {
        self.finished.load(Ordering::SeqCst)
    }

    /// Makes a call and checks how it ended, and that it was finished once.
    #[track_caller]
    fn expect(&self, expected: Ending, call: impl FnOnce(&BlockingRequest) -> ErrorCode) {
        let before = self.finished();
        let code = call(&self.request);
        self.assert_ended(expected, code);
        assert_eq!(self.finished() - before, 1, "how often the call was finished");
    }

    /// Checks what the last call left behind.
    #[track_caller]
    fn assert_ended(&self, expected: Ending, code: ErrorCode) {
        let error = self.error();
        let kind = error.as_ref().map(|error| error.kind());
        assert_eq!((code, kind), expected, "{}", self.error_message());
        assert_eq!(self.error_message().is_empty(), error.is_none());
    }
}

impl Deref for Counted {
    type Target = BlockingRequest;

    fn deref(&self) -> &BlockingRequest {
        &self.request
    }
}
