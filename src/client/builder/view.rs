//! Options about what is told of calls.

use std::sync::Arc;

use http::HeaderName;

use super::ClientBuilder;
use crate::{
    error::Error,
    observer::Observer,
    trace_context::{TraceContext, TracedRequest},
};

impl ClientBuilder {
    /// Has an observer hear of all that happens to the calls of the client; there is none by default.
    ///
    /// Events of a call come in their order, on the thread of the call. What happens in the
    /// background is noted with its time and told when the thread wakes anyway: while it waits for
    /// something long, and when the call ends; an observer never wakes a thread. It may make calls;
    /// those of the same client are observed too. A panic in it passes through the waiting call to
    /// its caller, as that of a listener does; when an open reply is dropped it is swallowed. A second
    /// observer replaces the first.
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use abide::{CallEvent, Client, Happening};
    ///
    /// let slowest = Arc::new(Mutex::new(std::time::Duration::ZERO));
    /// let noted = Arc::clone(&slowest);
    /// let client = Client::builder()
    ///     .observer(move |event: &CallEvent| match event.what() {
    ///         Happening::Retried { delay, .. } => println!("call {}: again in {delay:?}", event.call()),
    ///         Happening::CallEnded { .. } => {
    ///             let mut slowest = noted.lock().unwrap();
    ///             *slowest = event.at().max(*slowest);
    ///         }
    ///         _ => {}
    ///     })
    ///     .build()?;
    /// # client.get("http://127.0.0.1:1/").send().unwrap_err();
    /// # assert!(!slowest.lock().unwrap().is_zero());
    /// # Ok::<(), abide::Error>(())
    /// ```
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.config.view.observer = Some(Arc::new(observer));
        self
    }

    /// Has requests say of which trace they are a part, in `traceparent` and `tracestate` (W3C Trace
    /// Context); they say nothing by default.
    ///
    /// `source` is asked on the calling thread for each attempt of each hop, inside the span of its
    /// exchange if there is a subscriber, so that a server's spans can be children of that one. What
    /// it returns is for this attempt alone. With `None` nothing is sent; what is not valid cannot be
    /// made a [`TraceContext`]. A redirect may lead to strangers: [`TracedRequest::has_left_origin`]
    /// tells.
    ///
    /// A request that has a `traceparent` of its own, from the caller, an interceptor or
    /// [`default_header`](Self::default_header), keeps it, and `source` is not asked; neither is it
    /// for what is said to proxies only. Fields of the caller's own follow redirects as any header
    /// does. If `source` panics the call fails with kind
    /// [`Interceptor`](crate::ErrorKind::Interceptor).
    ///
    /// ```
    /// use abide::{Client, TraceContext};
    /// # fn current_traceparent() -> String { String::new() }
    /// let client = Client::builder()
    ///     .trace_context(|request| match request.has_left_origin() {
    ///         false => TraceContext::parse(&current_traceparent()),
    ///         true => None,
    ///     })
    ///     .build()?;
    /// # Ok::<(), abide::Error>(())
    /// ```
    pub fn trace_context(
        mut self,
        source: impl Fn(&TracedRequest<'_>) -> Option<TraceContext> + Send + Sync + 'static,
    ) -> Self {
        self.config.view.trace_source = Some(Arc::new(source));
        self
    }

    /// Has the spans of exchanges tell the values of header fields of these names; by default they
    /// tell of none.
    ///
    /// The names are for both ways: `http.request.header` and `http.response.header` list what was
    /// sent and what came, and `user_agent.original` is told if `User-Agent` is among them. Secrets
    /// stay secret: values of `Authorization`, `Proxy-Authorization`, `Cookie`, `Set-Cookie`, of
    /// [`secret_headers`](Self::secret_headers) and those that are marked sensitive are told as
    /// `***`, and URLs without user information and query. A second call adds to the first. A name
    /// that cannot be one is reported by [`build`](Self::build).
    ///
    /// ```
    /// let client = abide::Client::builder().log_headers(["content-type", "server"]).build()?;
    /// # Ok::<(), abide::Error>(())
    /// ```
    pub fn log_headers<N>(mut self, names: impl IntoIterator<Item = N>) -> Self
    where
        N: TryInto<HeaderName>,
        N::Error: Into<http::Error>,
    {
        for name in names {
            match name.try_into() {
                Ok(name) => self.config.view.logged_headers.push(name),
                Err(e) => {
                    let error = Error::invalid("the name of a header to be logged is not a token");
                    let error = error.because(e.into());
                    self.error.get_or_insert(error);
                }
            }
        }
        self
    }
}
