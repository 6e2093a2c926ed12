//! The class for people who come from `QgsBlockingNetworkRequest`.
//!
//! Everything it can do is a call of a [`Client`]; here is only what that class adds: an object
//! that is used again and again, keeps its last reply, and says how it went by a code.

mod code;
mod network_request;

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use http::{HeaderValue, Method, header};

pub use self::{code::ErrorCode, network_request::NetworkRequest};
use super::Client;
use crate::{
    auth_id::AuthChoice,
    body::{Body, Content},
    caching::CacheMode,
    error::{Error, ErrorKind, Result},
    feedback::{Feedback, Progress},
    reply::Reply,
    request::Request,
};

/// A blocking request in the manner of `QgsBlockingNetworkRequest`, to be used again and again.
///
/// Each call returns an [`ErrorCode`]; the reply, also one with a status of 400 and above, is kept
/// until the next call and is cheap to copy. Calls block the thread that makes them; any other
/// thread may [`abort`](Self::abort) the running one, and the object stays usable. One object
/// makes one call at a time: a second one meanwhile returns [`ErrorCode::BusyError`] at once and
/// changes nothing.
///
/// [`guide::from_qgis`](crate::guide::from_qgis) lists what became of each member of the original.
///
/// ```no_run
/// use abide::{BlockingRequest, CallOptions, ErrorCode};
/// let request = BlockingRequest::new();
/// match request.get("http://localhost:8080/capabilities", CallOptions::default()) {
///     ErrorCode::NoError => println!("{}", request.reply().text()),
///     code => eprintln!("{code:?}: {}", request.error_message()),
/// }
/// ```
pub struct BlockingRequest {
    client: Client,
    cache_mode: Option<CacheMode>,
    /// What calls leave behind; never held while a call or a listener runs.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    auth_cfg: Option<String>,
    /// Ends the running call.
    running: Option<Feedback>,
    reply: Option<Reply>,
    error: Option<Arc<Error>>,
    on_finished: Vec<Arc<dyn Fn() + Send + Sync>>,
    on_upload: Vec<Listener>,
    on_download: Vec<Listener>,
}

type Listener = Arc<dyn Fn(Progress) + Send + Sync>;

/// What a call of a [`BlockingRequest`] may be told; by default nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallOptions<'f> {
    force_refresh: bool,
    feedback: Option<&'f Feedback>,
    empty_response_is_valid: bool,
}

impl<'f> CallOptions<'f> {
    /// Asks for a fresh answer, whatever is stored, and stores that: the client's own cache is
    /// passed by, and those on the way are told by `Cache-Control: no-cache`, `Pragma: no-cache`.
    ///
    /// A `Cache-Control` of the request's own is left as it is.
    #[must_use]
    pub const fn force_refresh(mut self, force: bool) -> Self {
        self.force_refresh = force;
        self
    }

    /// Lets others cancel the call and see its progress.
    #[must_use]
    pub const fn feedback(mut self, feedback: &'f Feedback) -> Self {
        self.feedback = Some(feedback);
        self
    }

    /// The flag `EmptyResponseIsValid`: a `GET` that is answered with nothing is no error.
    ///
    /// Other methods never mind an empty answer.
    #[must_use]
    pub const fn empty_response_is_valid(mut self, valid: bool) -> Self {
        self.empty_response_is_valid = valid;
        self
    }
}

impl BlockingRequest {
    /// A request over the process-wide client, whose cache of 32 MiB in memory it uses; see
    /// [`client`](crate::client()) about forks.
    #[must_use]
    pub fn new() -> Self {
        let cache_mode = Some(CacheMode::Default);
        Self { cache_mode, ..Self::with_client(super::client()) }
    }

    /// A request over this client's connections and with its options.
    #[must_use]
    pub fn with_client(client: &Client) -> Self {
        Self { client: client.clone(), cache_mode: None, state: Mutex::default() }
    }

    /// Makes a `GET`. An empty reply is an error unless the options say otherwise.
    pub fn get(&self, request: impl Into<NetworkRequest>, options: CallOptions<'_>) -> ErrorCode {
        self.run(Method::GET, request.into(), Content::Empty, options)
    }

    /// Makes a `HEAD`.
    pub fn head(&self, request: impl Into<NetworkRequest>, options: CallOptions<'_>) -> ErrorCode {
        self.run(Method::HEAD, request.into(), Content::Empty, options)
    }

    /// Makes a `POST` of bytes, or of a reader by [`Body::reader`].
    pub fn post<'b>(
        &self,
        request: impl Into<NetworkRequest>,
        body: impl Into<Body<'b>>,
        options: CallOptions<'_>,
    ) -> ErrorCode {
        self.run(Method::POST, request.into(), body.into().0, options)
    }

    /// Makes a `PUT` of bytes, or of a reader; always with a forced refresh.
    pub fn put<'b>(
        &self,
        request: impl Into<NetworkRequest>,
        body: impl Into<Body<'b>>,
        feedback: Option<&Feedback>,
    ) -> ErrorCode {
        self.run(Method::PUT, request.into(), body.into().0, refreshed(feedback))
    }

    /// Makes a `DELETE`; always with a forced refresh.
    pub fn delete(
        &self,
        request: impl Into<NetworkRequest>,
        feedback: Option<&Feedback>,
    ) -> ErrorCode {
        self.run(Method::DELETE, request.into(), Content::Empty, refreshed(feedback))
    }

    /// [`delete`](Self::delete) by the name that it has in the original.
    pub fn delete_resource(
        &self,
        request: impl Into<NetworkRequest>,
        feedback: Option<&Feedback>,
    ) -> ErrorCode {
        self.delete(request, feedback)
    }

    /// Ends the running call, if there is one; from any thread. The next call is not affected.
    pub fn abort(&self) {
        let running = self.lock().running.clone();
        if let Some(running) = running {
            running.cancel();
        }
    }

    /// The reply of the last call; if there was none, an empty one with status 200 and request id 0.
    #[must_use]
    pub fn reply(&self) -> Reply {
        self.lock().reply.clone().unwrap_or_else(Reply::empty)
    }

    /// What went wrong in the last call, causes included; empty if nothing did.
    #[must_use]
    pub fn error_message(&self) -> String {
        self.error().map_or_else(String::new, |error| {
            let mut message = error.to_string();
            let mut cause = std::error::Error::source(&*error);
            while let Some(error) = cause {
                message.push_str(&format!(": {error}"));
                cause = error.source();
            }
            message
        })
    }

    /// What went wrong in the last call, with kind and phase; it knows more than the code.
    #[must_use]
    pub fn error(&self) -> Option<Arc<Error>> {
        self.lock().error.clone()
    }

    /// The id of the credentials to use.
    #[must_use]
    pub fn auth_cfg(&self) -> Option<String> {
        self.lock().auth_cfg.clone()
    }

    /// Sets the id of the client's credentials to use ([`Client::set_auth`]); empty for those that
    /// are [automatic](crate::AuthConfig::automatic), if there are any.
    ///
    /// If they cannot be applied, a call is [`ErrorCode::NetworkError`] and nothing is sent. Unlike
    /// in the original they go to the origins that they are bound to and nowhere else: see
    /// [`RequestBuilder::auth`](crate::RequestBuilder::auth).
    pub fn set_auth_cfg(&self, id: &str) {
        self.lock().auth_cfg = Some(id.to_owned()).filter(|id| !id.is_empty());
    }

    /// Adds a listener that is called once at the end of each call, however it ended.
    ///
    /// One that holds the object itself should hold it weakly, or neither is ever dropped.
    /// It runs on the thread that made the call, when reply and error are there; it may begin the
    /// next call. A call that was refused with [`ErrorCode::BusyError`] never began.
    pub fn on_finished(&self, listener: impl Fn() + Send + Sync + 'static) {
        self.lock().on_finished.push(Arc::new(listener));
    }

    /// Adds a listener for received bytes; see [`Feedback::on_download`].
    pub fn on_download_progress(&self, listener: impl Fn(Progress) + Send + Sync + 'static) {
        self.lock().on_download.push(Arc::new(listener));
    }

    /// Adds a listener for sent bytes; see [`Feedback::on_upload`].
    pub fn on_upload_progress(&self, listener: impl Fn(Progress) + Send + Sync + 'static) {
        self.lock().on_upload.push(Arc::new(listener));
    }

    fn run(
        &self,
        method: Method,
        request: NetworkRequest,
        content: Content<'_>,
        options: CallOptions<'_>,
    ) -> ErrorCode {
        let Some(feedback) = self.begin(options.feedback) else { return ErrorCode::BusyError };
        let finish = Finish { request: self, finished: false };
        let outcome = request
            .into_request(&self.client, method, content, feedback)
            .and_then(|request| self.send(request, options));
        finish.with(outcome)
    }

    fn send(&self, mut request: Request<'_>, options: CallOptions<'_>) -> Result<Outcome> {
        if let Some(id) = self.auth_cfg() {
            request.auth = AuthChoice::Named(id.into());
        }
        request.cache_mode = match options.force_refresh {
            true => Some(CacheMode::ForceRefresh),
            false => self.cache_mode,
        };
        if options.force_refresh && !request.headers.contains_key(header::CACHE_CONTROL) {
            let no_cache = HeaderValue::from_static("no-cache");
            request.headers.insert(header::CACHE_CONTROL, no_cache.clone());
            request.headers.insert(header::PRAGMA, no_cache);
        }
        let wants_content = request.method == Method::GET && !options.empty_response_is_valid;
        let shown = request.shown();
        request.only_partial = true;
        let reply = self.client.send(Box::new(request))?;
        let error = match reply.clone().error_for_status() {
            Err(error) => Some(error),
            // What is missing behind a redirect or "not modified" is no content of theirs.
            Ok(_) if wants_content && reply.status().is_success() && reply.bytes().is_empty() => {
                Some(Error::new(ErrorKind::Status, "empty response").during(|| shown))
            }
            Ok(_) => None,
        };
        Ok(Outcome { reply, error })
    }

    /// Takes the object for one call.
    fn begin(&self, feedback: Option<&Feedback>) -> Option<Feedback> {
        let mut state = self.lock();
        if state.running.is_some() {
            return None;
        }
        let running = feedback.map_or_else(Feedback::new, Feedback::child);
        state.on_upload.iter().cloned().for_each(|l| running.on_upload(move |p| l(p)));
        state.on_download.iter().cloned().for_each(|l| running.on_download(move |p| l(p)));
        state.running = Some(running.clone());
        state.reply = None;
        state.error = None;
        Some(running)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const fn refreshed(feedback: Option<&Feedback>) -> CallOptions<'_> {
    CallOptions { force_refresh: true, feedback, empty_response_is_valid: true }
}

/// What a call that got a reply leaves behind.
struct Outcome {
    reply: Reply,
    error: Option<Error>,
}

/// Ends a call exactly once, also when a listener or reader panicked.
struct Finish<'r> {
    request: &'r BlockingRequest,
    finished: bool,
}

impl Finish<'_> {
    fn with(mut self, outcome: Result<Outcome>) -> ErrorCode {
        let (reply, error) = match outcome {
            Ok(outcome) => (Some(outcome.reply), outcome.error),
            Err(error) => (None, Some(error)),
        };
        let code = error.as_ref().map_or(ErrorCode::NoError, ErrorCode::of);
        self.finished = true;
        self.request.finish(reply, error);
        code
    }
}

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        if self.finished || !thread::panicking() {
            return;
        }
        let error = Error::new(ErrorKind::Internal, "a reader or a listener of the call panicked");
        // A second panic while the first one unwinds would end the process.
        let _ = catch_unwind(AssertUnwindSafe(|| self.request.finish(None, Some(error))));
    }
}

impl BlockingRequest {
    fn finish(&self, reply: Option<Reply>, error: Option<Error>) {
        let listeners = {
            let mut state = self.lock();
            state.running = None;
            state.reply = reply;
            state.error = error.map(Arc::new);
            state.on_finished.clone()
        };
        let mut panicked = None;
        for listener in listeners {
            // Each is called, whatever another does.
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| listener())) {
                panicked.get_or_insert(panic);
            }
        }
        if let Some(panic) = panicked {
            resume_unwind(panic);
        }
    }
}

impl Default for BlockingRequest {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for BlockingRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("BlockingRequest")
            .field("running", &state.running.is_some())
            .field("reply", &state.reply)
            .field("error", &state.error)
            .finish_non_exhaustive()
    }
}
