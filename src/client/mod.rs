//! What a user holds: the client, its builders, and the replies that are still open.
//!
//! Nothing is decided here but defaults; a call goes to `call/` and is waited for.

mod auth;
mod blocking_request;
mod builder;
#[cfg(feature = "cache")]
mod cache;
#[cfg(feature = "cookies")]
mod cookies;
mod interceptors;
mod into_url;
mod open_reply;
mod request_builder;

use std::{
    fmt,
    pin::pin,
    sync::{Arc, LazyLock},
    time::Duration,
};

use http::{Method, StatusCode};

pub use self::{
    blocking_request::{BlockingRequest, CallOptions, ErrorCode, NetworkRequest},
    builder::ClientBuilder,
    into_url::IntoUrl,
    open_reply::OpenReply,
    request_builder::RequestBuilder,
};
use crate::{
    call::{self, Caching, Means, Warmed},
    config::Config,
    context::CallContext,
    environment::ProcessId,
    error::{Error, Result},
    lifecycle::Running,
    lifecycle::Shutdown,
    limits::Timeouts,
    policy::auth::Registry,
    reply::Reply,
    reporter::Reporter,
    request::Request,
    runtime::wait::wait,
    stats::Stats,
};

/// Makes calls from any thread, over connections that all threads share.
///
/// Cloning is cheap and gives the same client. Creating one takes microseconds: the background
/// thread and, for https, the roots of trust come with the first call that needs them. Dropping
/// the last clone closes the connections and returns at once.
///
/// A client made before `fork` does not work in the child: its calls fail with kind
/// [`Forked`](crate::ErrorKind::Forked), and a new client has to be made there.
///
/// ```no_run
/// let client = abide::Client::new();
/// let reply = client.get("http://localhost:8080/").query([("page", "2")]).send()?;
/// println!("{} {}", reply.status(), reply.text());
/// # Ok::<(), abide::Error>(())
/// ```
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

/// The one client behind all clones.
struct Shared {
    process: ProcessId,
    means: Means,
}

impl Client {
    /// A client with all defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Config::default(), Registry::default(), Caching::default())
    }

    /// A client with options.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    fn with(config: Config, auth: Registry, caching: Caching) -> Self {
        let means = Means::new(config, auth, caching);
        let shared = Shared { process: ProcessId::current(), means };
        Self { shared: Arc::new(shared) }
    }

    /// Begins a `GET`. A URL that cannot be used is reported when the request is sent.
    pub fn get(&self, url: impl IntoUrl) -> RequestBuilder<'static> {
        self.request(Method::GET, url)
    }

    /// Begins a `POST`.
    pub fn post(&self, url: impl IntoUrl) -> RequestBuilder<'static> {
        self.request(Method::POST, url)
    }

    /// Begins a `PUT`.
    pub fn put(&self, url: impl IntoUrl) -> RequestBuilder<'static> {
        self.request(Method::PUT, url)
    }

    /// Begins a `HEAD`.
    pub fn head(&self, url: impl IntoUrl) -> RequestBuilder<'static> {
        self.request(Method::HEAD, url)
    }

    /// Begins a `DELETE`.
    pub fn delete(&self, url: impl IntoUrl) -> RequestBuilder<'static> {
        self.request(Method::DELETE, url)
    }

    /// Begins a `PATCH`.
    pub fn patch(&self, url: impl IntoUrl) -> RequestBuilder<'static> {
        self.request(Method::PATCH, url)
    }

    /// Begins an `OPTIONS`.
    pub fn options(&self, url: impl IntoUrl) -> RequestBuilder<'static> {
        self.request(Method::OPTIONS, url)
    }

    /// Begins a request with any method but `CONNECT`, whose tunnels abide does not give out.
    pub fn request(&self, method: Method, url: impl IntoUrl) -> RequestBuilder<'static> {
        RequestBuilder::new(self.clone(), method, url.into_url())
    }

    /// The time budgets that calls have unless they bring their own.
    #[must_use]
    pub fn timeouts(&self) -> Timeouts {
        self.shared.means.config().timeouts
    }

    /// How many connections and calls there are and were, for each route and in total.
    #[must_use]
    pub fn stats(&self) -> Stats {
        if self.is_usable_here() { self.shared.means.stats() } else { Stats::default() }
    }

    /// Closes the connections that carry no call.
    pub fn close_idle(&self) {
        if self.is_usable_here() {
            self.shared.means.close_idle();
        }
    }

    /// Opens connections before they are needed, until there are `connections` to this origin.
    ///
    /// Where the server speaks HTTP/2, one is enough. Connections that are there count, and the
    /// bounds hold: it neither waits for the end of anybody's call nor closes a connection to
    /// another origin. [`RequestBuilder::warm_up`] takes budgets and a feedback.
    ///
    /// # Errors
    /// As [`RequestBuilder::send`]; the first connection that cannot be opened ends it.
    ///
    /// # Examples
    /// ```no_run
    /// let client = abide::Client::new();
    /// let warmed = client.warm_up("https://tiles.example.org", 6)?;
    /// println!("{} are open", warmed.open());
    /// # Ok::<(), abide::Error>(())
    /// ```
    pub fn warm_up(&self, url: impl IntoUrl, connections: usize) -> Result<Warmed> {
        self.head(url).warm_up(connections)
    }

    pub(crate) fn open_connections(
        &self,
        mut request: Request<'_>,
        connections: usize,
    ) -> Result<Warmed> {
        let admitted = self.admit(&request)?;
        let mut cx = self.context(&mut request, admitted);
        // The dials have their budgets themselves, and there is no queue.
        cx.timeouts = Timeouts::none().total(cx.timeouts.total);
        let opened = call::warm_up(&cx, &self.shared.means, request, connections);
        wait(&cx, &mut Reporter::new(), pin!(opened))
    }

    /// Ends the client: no new calls, the running ones are waited for, then everything is closed.
    ///
    /// From now on calls fail with kind [`ShutDown`](crate::ErrorKind::ShutDown), on all clones.
    /// Calls that run, open replies included, have until `timeout` to end; what is left then is
    /// aborted: each such call ends with an error of that kind, and so does the next read of an open
    /// reply. Connections are closed, and every thread that the client started is joined, so that a
    /// library can be unloaded. What could not be ended is told, not waited for: a name that hangs in
    /// the system's resolver keeps its thread, and code of yours is never interrupted. It returns
    /// when all is done, and at most about two seconds after `timeout`.
    ///
    /// It can be called from any thread, and again; a second call ends what was left. Inside a
    /// listener or reader it works as well, but the call that this code belongs to cannot end
    /// meanwhile: it counts as running until `timeout` and ends, aborted, when the code returns. The
    /// same holds for open replies of the thread that calls.
    ///
    /// # Errors
    /// Kind [`Forked`](crate::ErrorKind::Forked) in a child process of the one that made the client;
    /// nothing is done then.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// let client = abide::Client::new();
    /// let ended = client.shutdown(Duration::from_secs(5))?;
    /// assert!(ended.is_complete(), "{ended:?}");
    /// # Ok::<(), abide::Error>(())
    /// ```
    pub fn shutdown(&self, timeout: Duration) -> Result<Shutdown> {
        if self.is_usable_here() {
            Ok(self.shared.means.shut_down(timeout))
        } else {
            Err(Error::forked())
        }
    }

    pub(crate) fn send(&self, mut request: Box<Request<'_>>) -> Result<Reply> {
        let admitted = self.admit(&request)?;
        let mut cx = self.context(&mut request, admitted);
        call::begin(&mut cx, &self.shared.means, &request);
        let mut reporter = Reporter::new();
        let reply = {
            let call = pin!(call::send(&cx, &self.shared.means, request));
            wait(&cx, &mut reporter, call)
        };
        self.ended(&cx, &mut reporter, reply.as_ref().map(Reply::status));
        reply
    }

    pub(crate) fn open(&self, mut request: Box<Request<'_>>) -> Result<OpenReply> {
        let admitted = self.admit(&request)?;
        let mut cx = self.context(&mut request, admitted);
        call::begin(&mut cx, &self.shared.means, &request);
        let mut reporter = Reporter::new();
        let opened = {
            let call = pin!(call::open(&cx, &self.shared.means, request));
            wait(&cx, &mut reporter, call)
        };
        match opened {
            Ok((head, body)) => {
                call::opened(&cx, head.answer.status);
                cx.tell_observer();
                Ok(OpenReply::new(self.clone(), cx, reporter, head, body))
            }
            Err(error) => {
                self.ended(&cx, &mut reporter, Err(&error));
                Err(error)
            }
        }
    }

    /// Tells everybody how a call has ended, its body included.
    fn ended(
        &self,
        cx: &CallContext,
        reporter: &mut Reporter,
        outcome: Result<StatusCode, &Error>,
    ) {
        call::ended(cx, outcome);
        reporter.tell_the_end(cx);
        if let Err(error) = outcome {
            self.shared.means.count_failure(error);
        }
    }

    /// Has the client count one more call, if it takes any.
    fn admit(&self, request: &Request<'_>) -> Result<Running> {
        // Before any lock: in a child process they may be held by threads that do not exist.
        if !self.is_usable_here() {
            return Err(Error::forked().during(|| request.shown()));
        }
        let running = self.shared.means.begin_call();
        running.ok_or_else(|| Error::shut_down().during(|| request.shown()))
    }

    /// The feedback of the request goes over to it.
    fn context(&self, request: &mut Request<'_>, admitted: Running) -> CallContext {
        let wanted = (request.timeouts, request.priority);
        let feedback = request.feedback.take();
        CallContext::new(wanted, feedback, self.shared.process, Some(admitted))
    }

    fn is_usable_here(&self) -> bool {
        self.shared.process.is_current()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if !self.process.is_current() {
            self.means.abandon();
        }
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

/// The process-wide client behind [`get`]; in a child process after `fork` it does not work.
///
/// It has a cache of 32 MiB in memory, for objects of [`BlockingRequest::new`] and for calls that
/// set a mode of the cache themselves; others do not use it.
pub fn client() -> &'static Client {
    static CLIENT: LazyLock<Client> = LazyLock::new(|| {
        Client::with(Config::default(), Registry::default(), Caching::of_the_process())
    });
    &CLIENT
}

/// Makes a `GET` over the process-wide client.
///
/// # Errors
/// As [`RequestBuilder::send`].
///
/// # Examples
/// ```no_run
/// println!("{}", abide::get("http://localhost:8080/")?.text());
/// # Ok::<(), abide::Error>(())
/// ```
pub fn get(url: impl IntoUrl) -> Result<Reply> {
    client().get(url).send()
}

/// Begins a `POST` over the process-wide client.
pub fn post(url: impl IntoUrl) -> RequestBuilder<'static> {
    client().post(url)
}

const _: () = {
    const fn shareable<T: Clone + Send + Sync>() {}
    shareable::<Client>();
    shareable::<Reply>();
    shareable::<crate::Feedback>();
};
