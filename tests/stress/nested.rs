//! Calls that are made inside of calls, on the same thread.

use std::{
    cell::{Cell, RefCell},
    io::{self, Read},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use abide::{
    AuthConfig, AuthOrigins, AuthRequest, CallEvent, Client, ClientBuilder, CredentialSource,
    Credentials, ProxyConfig,
};
use tracing::{
    Event, Metadata, Subscriber,
    span::{Attributes, Id, Record},
};

/// The callbacks that make calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    RequestInterceptor,
    ReplyInterceptor,
    RedirectPolicy,
    DownloadListener,
    UploadListener,
    Reader,
    Factory,
    Subscriber,
    Observer,
    TraceSource,
    ProxyRule,
    Credentials,
}

impl Kind {
    /// Those that a call is given.
    pub(crate) const OF_CALLS: &[Self] = &[
        Self::RequestInterceptor,
        Self::ReplyInterceptor,
        Self::RedirectPolicy,
        Self::DownloadListener,
        Self::UploadListener,
        Self::Reader,
        Self::Factory,
        Self::Subscriber,
    ];

    /// Those that a client is given.
    pub(crate) const OF_CLIENTS: &[Self] =
        &[Self::Observer, Self::TraceSource, Self::ProxyRule, Self::Credentials];
}

/// How many calls each kind of callback has made, and how many of them were answered.
#[derive(Debug, Default)]
pub(crate) struct Tally([(AtomicU64, AtomicU64); 12]);

impl Tally {
    fn note(&self, kind: Kind, is_answered: bool) {
        let (made, answered) = &self.0[kind as usize];
        made.fetch_add(1, Relaxed);
        answered.fetch_add(is_answered.into(), Relaxed);
    }

    /// Whether calls of this kind of callback were answered.
    pub(crate) fn has_answers(&self, kind: Kind) -> bool {
        self.0[kind as usize].1.load(Relaxed) > 0
    }

    /// Whether there were calls of this kind of callback.
    pub(crate) fn has_calls(&self, kind: Kind) -> bool {
        self.0[kind as usize].0.load(Relaxed) > 0
    }
}

thread_local! {
    static WISH: RefCell<Option<Wish>> = const { RefCell::new(None) };
    static MADE: Cell<u32> = const { Cell::new(0) };
}

/// What this thread's callbacks of one kind call.
struct Wish {
    kind: Kind,
    client: Client,
    url: String,
    tally: Arc<Tally>,
}

/// While it lives, this thread's callbacks of one kind make calls.
pub(crate) struct Wishing;

impl Wishing {
    pub(crate) fn begin(kind: Kind, client: &Client, url: String, tally: &Arc<Tally>) -> Self {
        WISH.set(Some(Wish { kind, client: client.clone(), url, tally: Arc::clone(tally) }));
        Self
    }
}

impl Drop for Wishing {
    fn drop(&mut self) {
        WISH.set(None);
    }
}

/// How many this thread has made.
pub(crate) fn made() -> u32 {
    MADE.get()
}

/// For a callback, wherever it runs; what it calls has the same callbacks, which do nothing then.
pub(crate) fn call(kind: Kind) {
    let Some(wish) = WISH.with_borrow_mut(|wish| wish.take_if(|wish| wish.kind == kind)) else {
        return;
    };
    MADE.set(MADE.get() + 1);
    // With one connection it may be the outer call that holds it.
    let ended = wish.client.get(&wish.url).timeout(BUDGET).send();
    wish.tally.note(kind, ended.is_ok());
    WISH.set(Some(wish));
}

/// Gives a client all callbacks that it can have.
pub(crate) fn calling(client: ClientBuilder) -> Client {
    let rule = ProxyConfig::by(|_| {
        call(Kind::ProxyRule);
        None
    });
    let client = client
        .observer(|_: &CallEvent| call(Kind::Observer))
        .trace_context(|_| {
            call(Kind::TraceSource);
            None
        })
        .proxy(rule)
        .build()
        .unwrap();
    client.set_auth(
        "source",
        AuthConfig::source(AuthOrigins::any_even_unencrypted(), Source).automatic(),
    );
    client
}

struct Source;

impl CredentialSource for Source {
    fn credentials(
        &self,
        _: &AuthRequest<'_>,
    ) -> Result<Credentials, Box<dyn std::error::Error + Send + Sync>> {
        call(Kind::Credentials);
        Ok(Credentials::new())
    }
}

/// A reader that makes a call before each piece.
pub(crate) struct Pieces(pub(crate) usize);

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        call(Kind::Reader);
        let length = buffer.len().min(self.0).min(10_000);
        buffer[..length].fill(b'n');
        self.0 -= length;
        Ok(length)
    }
}

/// A subscriber that calls whenever a span of a call is entered, wherever.
pub(crate) struct CallingSubscriber;

impl Subscriber for CallingSubscriber {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Others are entered on lanes, where whoever blocks holds up all calls.
        metadata.is_span() && metadata.target() == "abide"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {
        call(Kind::Subscriber);
    }

    fn exit(&self, _: &Id) {}
}

/// What a nested call may take. Short, as others may wait for the connection meanwhile.
pub(crate) const BUDGET: Duration = Duration::from_millis(10);
