//! Building one request; topics with options of their own have files of their own.

mod auth;
#[cfg(feature = "cookies")]
mod cookies;
mod decoding;
mod interceptors;
mod proxies;
mod ranges;
mod redirects;
mod retries;

use std::{fmt, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use url::{Url, form_urlencoded};

use super::{Client, OpenReply};
use crate::{
    body::Body,
    call::Warmed,
    error::{Error, Result},
    feedback::Feedback,
    limits::Timeouts,
    priority::Priority,
    redirects::is_always_secret,
    reply::Reply,
    request::Request,
};

/// A request being put together; nothing happens before [`send`](Self::send) or
/// [`open`](Self::open).
///
/// The first thing that cannot be used, a URL or a header, is remembered and reported by these
/// with kind [`InvalidRequest`](crate::ErrorKind::InvalidRequest).
#[must_use = "a request does nothing until it is sent"]
pub struct RequestBuilder<'b> {
    client: Client,
    /// Behind a pointer, since builders are handed on and on.
    request: Result<Box<Request<'b>>>,
}

impl<'b> RequestBuilder<'b> {
    pub(super) fn new(client: Client, method: Method, url: Result<Url>) -> Self {
        let request = url.and_then(|url| {
            if method == Method::CONNECT {
                return Err(Error::invalid("the method CONNECT opens tunnels and is not a call"));
            }
            let request = Request::new(method, url, HeaderMap::new(), client.timeouts());
            Ok(Box::new(request))
        });
        Self { client, request }
    }

    /// Adds a header field; fields of the same name add up, but `Host` and `Content-Type` replace.
    ///
    /// `Authorization`, `Proxy-Authorization` and `Cookie` are marked sensitive: not shown when
    /// debugging, not kept in HTTP/2's table.
    pub fn header<N, V>(self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName>,
        N::Error: Into<http::Error>,
        V: TryInto<HeaderValue>,
        V::Error: Into<http::Error>,
    {
        self.change(|request| {
            let (name, value) = checked(name, value)?;
            request.add(name, value);
            Ok(())
        })
    }

    /// Replaces the fields of the names that `headers` has.
    pub fn headers(self, headers: HeaderMap) -> Self {
        self.change(|request| {
            let mut last = None;
            for (name, mut value) in headers {
                let is_first = name.is_some();
                last = name.or(last);
                let Some(name) = &last else { continue };
                if is_always_secret(name) {
                    value.set_sensitive(true);
                }
                if is_first {
                    request.headers.insert(name, value);
                } else {
                    request.headers.append(name, value);
                }
            }
            Ok(())
        })
    }

    /// Adds pairs to the URL's query, percent-encoded.
    pub fn query<K, V>(self, pairs: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: AsRef<str>,
        V: AsRef<str>,
    {
        self.change(|request| {
            request.url.query_pairs_mut().extend_pairs(pairs);
            if request.url.query() == Some("") {
                request.url.set_query(None);
            }
            Ok(())
        })
    }

    /// Sets the body: bytes, text, or anything [`Body`] can be made of.
    pub fn body<'c>(self, body: impl Into<Body<'c>>) -> RequestBuilder<'c> {
        let request = self.request.map(|request| Box::new(request.with_content(body.into().0)));
        RequestBuilder { client: self.client, request }
    }

    /// Sets the body to `value` as JSON, and `Content-Type` unless it is set.
    #[cfg(feature = "json")]
    pub fn json<T: serde::Serialize + ?Sized>(self, value: &T) -> Self {
        self.change(|request| {
            let text = serde_json::to_vec(value)
                .map_err(|e| Error::invalid("the value cannot be written as JSON").because(e))?;
            request.typed(HeaderValue::from_static("application/json"), text);
            Ok(())
        })
    }

    /// Sets the body to the pairs of a form, and `Content-Type` unless it is set.
    pub fn form<K, V>(self, pairs: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: AsRef<str>,
        V: AsRef<str>,
    {
        self.change(|request| {
            let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            request.typed(form, text.into_bytes());
            Ok(())
        })
    }

    /// Sets the deadline of the whole call, body included.
    pub fn timeout(self, total: Duration) -> Self {
        self.change(|request| {
            request.timeouts.total = Some(total);
            Ok(())
        })
    }

    /// Sets all time budgets; begin with [`Client::timeouts`] to change only some.
    pub fn timeouts(self, timeouts: Timeouts) -> Self {
        self.change(|request| {
            request.timeouts = timeouts;
            Ok(())
        })
    }

    /// Sets how urgent the call is when connections are scarce; interactive by default.
    pub fn priority(self, priority: Priority) -> Self {
        self.change(|request| {
            request.priority = priority;
            Ok(())
        })
    }

    /// Lets other threads cancel the call and see its progress.
    ///
    /// Takes a [`Feedback`], a reference to one, or a `tokio_util::sync::CancellationToken`.
    pub fn feedback(self, feedback: impl Into<Feedback>) -> Self {
        self.change(|request| {
            request.feedback = Some(feedback.into());
            Ok(())
        })
    }

    /// Sends the request and waits for the whole reply.
    ///
    /// A status of 400 and above is a reply, not an error; see [`Reply::error_for_status`].
    ///
    /// # Errors
    /// Every [`ErrorKind`](crate::ErrorKind) that says why there is no reply.
    ///
    /// # Cancellation
    /// [`Feedback::cancel`] ends it at once, wherever it is; the exchange is then really over: the
    /// connection is closed, or with HTTP/2 the stream reset.
    ///
    /// # Examples
    /// ```no_run
    /// let client = abide::Client::new();
    /// let reply = client.post("http://localhost:8080/notes").body("hello").send()?;
    /// assert_eq!(reply.status(), 201);
    /// # Ok::<(), abide::Error>(())
    /// ```
    pub fn send(self) -> Result<Reply> {
        self.client.send(self.request?)
    }

    /// Sends the request and waits for the head of the reply; the body is then read from the
    /// [`OpenReply`], piece by piece.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// # Examples
    /// ```no_run
    /// let mut reply = abide::client().get("http://localhost:8080/large").open()?;
    /// std::io::copy(&mut reply, &mut std::io::sink())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(self) -> Result<OpenReply> {
        self.client.open(self.request?)
    }

    /// Sends nothing, but opens connections that such a request could use; see
    /// [`Client::warm_up`].
    ///
    /// The budgets for resolving, connecting and TLS are for each connection, `total` is for all.
    ///
    /// # Errors
    /// As [`send`](Self::send); the first connection that cannot be opened ends it.
    ///
    /// # Cancellation
    /// [`Feedback::cancel`] ends the wait at once. Dials that are under way are finished, and their
    /// connections kept.
    pub fn warm_up(self, connections: usize) -> Result<Warmed> {
        self.client.open_connections(*self.request?, connections)
    }

    pub(super) fn change(mut self, change: impl FnOnce(&mut Request<'b>) -> Result<()>) -> Self {
        if let Ok(request) = &mut self.request
            && let Err(error) = change(request)
        {
            let shown = request.shown();
            self.request = Err(error.during(|| shown));
        }
        self
    }
}

impl Request<'_> {
    fn add(&mut self, name: HeaderName, mut value: HeaderValue) {
        if is_always_secret(&name) {
            value.set_sensitive(true);
        }
        if name == header::HOST || name == header::CONTENT_TYPE {
            self.headers.insert(name, value);
        } else {
            self.headers.append(name, value);
        }
    }

    fn typed(&mut self, content_type: HeaderValue, bytes: Vec<u8>) {
        self.headers.entry(header::CONTENT_TYPE).or_insert(content_type);
        self.content = Body::from(bytes).0;
    }
}

fn checked<N, V>(name: N, value: V) -> Result<(HeaderName, HeaderValue)>
where
    N: TryInto<HeaderName>,
    N::Error: Into<http::Error>,
    V: TryInto<HeaderValue>,
    V::Error: Into<http::Error>,
{
    let name = name
        .try_into()
        .map_err(|e| Error::invalid("a header's name is not a token").because(e.into()))?;
    let value = value.try_into().map_err(|e| {
        Error::invalid(format!("the value of the header `{name}` cannot be sent")).because(e.into())
    })?;
    Ok((name, value))
}

impl fmt::Debug for RequestBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.request {
            Ok(request) => write!(f, "RequestBuilder({})", request.shown()),
            Err(error) => write!(f, "RequestBuilder({error})"),
        }
    }
}
