//! The handle by which other threads see and end a call.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Context,
};

use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

use crate::environment::OfProcess;

/// Cancels calls and shows their progress, from any thread.
///
/// Give it to a call with [`RequestBuilder::feedback`](crate::RequestBuilder::feedback). Clones
/// are the same feedback. One feedback may serve several calls: [`cancel`](Self::cancel) ends
/// them all, at once and for good, and the counters add up. A [`child`](Self::child) ends with
/// its parent, can be cancelled alone, and counts for both. After `fork`, the child makes its own,
/// as it makes its own client: a thread of the parent may have held a lock of this one.
///
/// ```
/// let feedback = abide::Feedback::new();
/// let other = feedback.clone();
/// std::thread::spawn(move || other.cancel());
/// # while !feedback.is_cancelled() { std::thread::yield_now() }
/// let error = abide::Client::new().get("http://localhost/").feedback(&feedback).send().unwrap_err();
/// assert!(error.is_cancelled());
/// ```
#[derive(Clone)]
pub struct Feedback {
    token: CancellationToken,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    upload: Counter,
    download: Counter,
    /// Guards the listeners; never held while one of them runs.
    listeners: Mutex<Listeners>,
    has_listeners: AtomicBool,
    parent: Option<Arc<Self>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        // One after the other: each inside the one before, a long line would need as much stack.
        let mut next = self.parent.take();
        while let Some(mut parent) = next.and_then(Arc::into_inner) {
            next = parent.parent.take();
        }
    }
}

impl Shared {
    fn below(parent: &Arc<Self>) -> Self {
        Self {
            upload: Counter::default(),
            download: Counter::default(),
            listeners: Mutex::default(),
            has_listeners: AtomicBool::new(false),
            parent: Some(Arc::clone(parent)),
        }
    }

    /// This one and those it is a child of.
    fn lineage(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |shared| shared.parent.as_deref())
    }

    fn progress(&self) -> (Progress, Progress) {
        (self.upload.progress(), self.download.progress())
    }

    fn listeners(&self) -> Listeners {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

type Listener = Arc<dyn Fn(Progress) + Send + Sync>;

#[derive(Clone, Default)]
struct Listeners {
    upload: Vec<Listener>,
    download: Vec<Listener>,
}

/// How far one direction of a transfer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    bytes: u64,
    total: Option<u64>,
}

impl Progress {
    /// Body bytes transferred so far; never decreases.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Body bytes there will be, if that is known.
    #[must_use]
    pub const fn total(&self) -> Option<u64> {
        self.total
    }
}

impl Feedback {
    /// Creates a feedback that is not cancelled.
    #[must_use]
    pub fn new() -> Self {
        Self::from(CancellationToken::new())
    }

    /// Ends all calls that have this feedback, now and in future.
    ///
    /// The blocked threads return within a millisecond or two with an error of kind
    /// [`Cancelled`](crate::ErrorKind::Cancelled); a thread that is inside its own reader or
    /// listener returns when that code does, while the exchange itself ends at once.
    pub fn cancel(&self) {
        self.token.cancel();
    }

    /// Whether this feedback, or one it is a child of, was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Creates a feedback that ends with this one, with counters and listeners of its own.
    ///
    /// What the child counts is added to its parent's counters too, and the parent's listeners
    /// hear of it: a parent shows the progress of many calls together.
    #[must_use]
    pub fn child(&self) -> Self {
        let shared = Shared::below(&self.shared);
        Self { token: self.token.child_token(), shared: Arc::new(shared) }
    }

    /// A feedback that ends with this one and counts for nobody else: what a call does for itself
    /// is not what its caller wants to see the progress of.
    pub(crate) fn apart(&self) -> Self {
        Self::from(self.token.child_token())
    }

    /// How much of the request bodies was sent.
    #[must_use]
    pub fn upload(&self) -> Progress {
        self.shared.upload.progress()
    }

    /// How much of the reply bodies was received.
    #[must_use]
    pub fn download(&self) -> Progress {
        self.shared.download.progress()
    }

    /// Adds a listener for the upload.
    ///
    /// A listener that holds a clone of this feedback keeps both alive for ever; let it hold the
    /// parent of a [`child`](Self::child) to cancel by. It runs on the thread that waits for the
    /// call, at most about 20 times a second when there is news, and once at the end. It may cancel
    /// the call and make calls of its own; a panic in it passes through the waiting call to its
    /// caller.
    pub fn on_upload(&self, listener: impl Fn(Progress) + Send + Sync + 'static) {
        self.add(|listeners| listeners.upload.push(Arc::new(listener)));
    }

    /// Adds a listener for the download; see [`on_upload`](Self::on_upload).
    pub fn on_download(&self, listener: impl Fn(Progress) + Send + Sync + 'static) {
        self.add(|listeners| listeners.download.push(Arc::new(listener)));
    }

    fn add(&self, add: impl FnOnce(&mut Listeners)) {
        add(&mut self.shared.listeners.lock().unwrap_or_else(PoisonError::into_inner));
        self.shared.has_listeners.store(true, Ordering::Release);
    }

    pub(crate) fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// For a call that waits.
    pub(crate) fn cancelled(&self) -> Cancelled<'_> {
        Cancelled(OfProcess::new(Box::pin(self.token.cancelled())))
    }

    pub(crate) fn add_sent(&self, bytes: u64) {
        self.shared.lineage().for_each(|shared| shared.upload.add(bytes));
    }

    pub(crate) fn add_received(&self, bytes: u64) {
        self.shared.lineage().for_each(|shared| shared.download.add(bytes));
    }

    pub(crate) fn expect_upload(&self, total: Option<u64>) {
        self.shared.lineage().for_each(|shared| shared.upload.expect(total));
    }

    pub(crate) fn expect_download(&self, total: Option<u64>) {
        self.shared.lineage().for_each(|shared| shared.download.expect(total));
    }

    pub(crate) fn has_listeners(&self) -> bool {
        self.shared.lineage().any(|shared| shared.has_listeners.load(Ordering::Acquire))
    }

    /// Calls the listeners of the directions that changed since `told`, or all at the end.
    pub(crate) fn tell(&self, told: &mut Told, at_the_end: bool) {
        let (upload, download) = self.shared.progress();
        let tell_upload = at_the_end || told.upload != upload;
        let tell_download = at_the_end || told.download != download;
        *told = Told { upload, download };
        // All locks before the first listener, which may fork.
        let all: Vec<_> = self.shared.lineage().map(|s| (s.progress(), s.listeners())).collect();
        for ((upload, download), listeners) in all {
            if tell_upload {
                listeners.upload.iter().for_each(|listener| listener(upload));
            }
            if tell_download {
                listeners.download.iter().for_each(|listener| listener(download));
            }
        }
    }
}

/// Wakes a call when its feedback is cancelled, until it is dropped.
///
/// On the heap, because what is pinned anywhere else cannot be left as it is in a child process.
#[derive(Debug)]
pub(crate) struct Cancelled<'f>(OfProcess<Pin<Box<WaitForCancellationFuture<'f>>>>);

impl Cancelled<'_> {
    /// Never in a child process.
    pub(crate) fn is_cancelled(&mut self, task: &mut Context<'_>) -> bool {
        self.0.get_mut().is_some_and(|cancelled| cancelled.as_mut().poll(task).is_ready())
    }
}

/// What the listeners of a call were told last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    upload: Progress,
    download: Progress,
}

impl Told {
    pub(crate) const NOTHING: Self = {
        let nothing = Progress { bytes: 0, total: None };
        Self { upload: nothing, download: nothing }
    };
}

impl Default for Feedback {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Feedback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feedback")
            .field("cancelled", &self.is_cancelled())
            .field("upload", &self.upload())
            .field("download", &self.download())
            .finish()
    }
}

impl From<CancellationToken> for Feedback {
    fn from(token: CancellationToken) -> Self {
        Self { token, shared: Arc::default() }
    }
}

impl From<&Self> for Feedback {
    fn from(feedback: &Self) -> Self {
        feedback.clone()
    }
}

/// Bytes of one direction, summed over the calls that share a feedback.
#[derive(Debug, Default)]
struct Counter {
    bytes: AtomicU64,
    total: AtomicU64,
    /// A call of unknown length makes the sum unknown.
    total_unknown: AtomicBool,
    /// Whether any call has said what to expect.
    expected: AtomicBool,
}

impl Counter {
    fn add(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn expect(&self, total: Option<u64>) {
        match total {
            Some(total) => {
                self.total.fetch_add(total, Ordering::Relaxed);
            }
            None => self.total_unknown.store(true, Ordering::Relaxed),
        }
        self.expected.store(true, Ordering::Release);
    }

    fn progress(&self) -> Progress {
        let known =
            self.expected.load(Ordering::Acquire) && !self.total_unknown.load(Ordering::Relaxed);
        Progress {
            bytes: self.bytes.load(Ordering::Relaxed),
            total: known.then(|| self.total.load(Ordering::Relaxed)),
        }
    }
}
