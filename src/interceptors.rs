//! Code of the user that sees each hop before it goes out and when its answer begins.

use std::{
    error::Error as StdError,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Version};
use url::Url;

use crate::{
    history::PastHop,
    origin::{self, is_same_origin},
    redirects::RedirectOptions,
};

/// Why an interceptor ends a call; becomes the source of the call's error.
pub type InterceptorError = Box<dyn StdError + Send + Sync>;

type OnRequest =
    dyn Fn(&mut OutgoingRequest<'_>) -> Result<(), InterceptorError> + Send + Sync + 'static;
type OnReply =
    dyn Fn(&mut IncomingReply<'_>) -> Result<(), InterceptorError> + Send + Sync + 'static;

/// Names an interceptor of a client, so that it can be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InterceptorId(u64);

impl InterceptorId {
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A hop that is about to go out, as interceptors see it.
///
/// What they change holds for this hop alone; after a redirect they are asked again, about a
/// request that is made anew from what the caller gave. The client's credentials and the cookies of
/// a jar are added behind them and not seen; a hop that is made again because credentials were
/// refused is shown once.
pub struct OutgoingRequest<'h> {
    pub(crate) request_id: u64,
    pub(crate) method: &'h Method,
    pub(crate) url: &'h mut Url,
    pub(crate) headers: &'h mut HeaderMap,
    pub(crate) history: &'h [PastHop],
    pub(crate) options: &'h RedirectOptions,
    pub(crate) answer: Option<LocalAnswer>,
}

/// What an interceptor answers in place of the network.
pub(crate) struct LocalAnswer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl OutgoingRequest<'_> {
    /// The number of the call, as [`Reply::request_id`](crate::Reply::request_id).
    #[must_use]
    pub const fn request_id(&self) -> u64 {
        self.request_id
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> &Method {
        self.method
    }

    /// The URL.
    #[must_use]
    pub const fn url(&self) -> &Url {
        self.url
    }

    /// The header fields that will be sent, the client's included, but for what follows from the
    /// URL and the body: `Host`, `Content-Length`, and credentials that the client adds.
    #[must_use]
    pub const fn headers(&self) -> &HeaderMap {
        self.headers
    }

    /// The same, to be changed.
    #[must_use]
    pub const fn headers_mut(&mut self) -> &mut HeaderMap {
        self.headers
    }

    /// Sends the hop to another URL.
    ///
    /// If that is of another origin, secrets (see [`RedirectPolicy`](crate::RedirectPolicy)) are
    /// taken out of the header fields first, for the rest of the call, as by a redirect.
    pub fn set_url(&mut self, url: Url) {
        if !is_same_origin(self.url, &url) {
            self.options.drop_secrets(self.headers);
        }
        *self.url = url;
    }

    /// The hops before this one, the first one first.
    #[must_use]
    pub const fn history(&self) -> &[PastHop] {
        self.history
    }

    /// Answers in place of the network: nothing is sent, and no further interceptor of requests
    /// runs. Interceptors of replies see the answer, and if it is a redirect it is followed.
    pub fn answer(&mut self, status: StatusCode, headers: HeaderMap, body: impl Into<Bytes>) {
        self.answer = Some(LocalAnswer { status, headers, body: body.into() });
    }
}

impl fmt::Debug for OutgoingRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OutgoingRequest({} {})", self.method, origin::redacted(self.url))
    }
}

/// The head of a hop's answer, as interceptors see it.
pub struct IncomingReply<'h> {
    pub(crate) request_id: u64,
    pub(crate) method: &'h Method,
    pub(crate) url: &'h Url,
    pub(crate) history: &'h [PastHop],
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
    pub(crate) headers: &'h mut HeaderMap,
}

impl IncomingReply<'_> {
    /// The number of the call, as [`Reply::request_id`](crate::Reply::request_id).
    #[must_use]
    pub const fn request_id(&self) -> u64 {
        self.request_id
    }

    /// The method of the request.
    #[must_use]
    pub const fn method(&self) -> &Method {
        self.method
    }

    /// The URL that answered.
    #[must_use]
    pub const fn url(&self) -> &Url {
        self.url
    }

    /// The hops before this one, the first one first.
    #[must_use]
    pub const fn history(&self) -> &[PastHop] {
        self.history
    }

    /// The status code.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The version of HTTP that was spoken.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// The header fields.
    #[must_use]
    pub const fn headers(&self) -> &HeaderMap {
        self.headers
    }

    /// The same, to be changed: redirects are followed by what they say afterwards.
    #[must_use]
    pub const fn headers_mut(&mut self) -> &mut HeaderMap {
        self.headers
    }
}

impl fmt::Debug for IncomingReply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = origin::redacted(self.url);
        write!(f, "IncomingReply({} {shown}: {})", self.method, self.status)
    }
}

/// One interceptor.
#[derive(Clone)]
pub(crate) enum Hook {
    Request(Arc<OnRequest>),
    Reply(Arc<OnReply>),
}

impl Hook {
    pub(crate) fn on_request(
        see: impl Fn(&mut OutgoingRequest<'_>) -> Result<(), InterceptorError> + Send + Sync + 'static,
    ) -> Self {
        Self::Request(Arc::new(see))
    }

    pub(crate) fn on_reply(
        see: impl Fn(&mut IncomingReply<'_>) -> Result<(), InterceptorError> + Send + Sync + 'static,
    ) -> Self {
        Self::Reply(Arc::new(see))
    }
}

/// The interceptors of a client; calls take them as they are when they begin.
#[derive(Clone, Default)]
pub(crate) struct Interceptors(Arc<Registry>);

#[derive(Default)]
struct Registry {
    /// Guards the list; never held while an interceptor runs.
    hooks: Mutex<Arc<Vec<(InterceptorId, Hook)>>>,
    /// So that calls without interceptors take no lock.
    has_hooks: AtomicBool,
}

impl Interceptors {
    pub(crate) fn add(&self, id: InterceptorId, hook: Hook) {
        Arc::make_mut(&mut self.hooks()).push((id, hook));
        self.0.has_hooks.store(true, Ordering::Release);
    }

    pub(crate) fn remove(&self, id: InterceptorId) -> bool {
        let mut hooks = self.hooks();
        let Some(at) = hooks.iter().position(|(each, _)| *each == id) else { return false };
        let removed = Arc::make_mut(&mut hooks).remove(at);
        self.0.has_hooks.store(!hooks.is_empty(), Ordering::Release);
        drop(hooks);
        drop(removed);
        true
    }

    /// All of them in order, unless there is none.
    pub(crate) fn all(&self) -> Option<Arc<Vec<(InterceptorId, Hook)>>> {
        self.0.has_hooks.load(Ordering::Acquire).then(|| Arc::clone(&self.hooks()))
    }

    fn hooks(&self) -> MutexGuard<'_, Arc<Vec<(InterceptorId, Hook)>>> {
        self.0.hooks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
