//! What a `QNetworkRequest` is for: a URL with headers, to be used again and again.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::Url;

use super::super::{Client, IntoUrl};
use crate::{
    body::Content,
    error::{Error, ErrorKind, Result},
    feedback::Feedback,
    limits::Timeouts,
    origin,
    redirects::is_always_secret,
    request::Request,
};

/// A URL with header fields and, if need be, time budgets; calls never change it.
///
/// What cannot be used, a URL or a header, makes each call fail with what is wrong.
///
/// ```
/// let request = abide::NetworkRequest::new("http://localhost/wms").header("accept", "text/xml");
/// ```
#[derive(Clone)]
pub struct NetworkRequest {
    target: std::result::Result<Target, String>,
}

#[derive(Clone)]
struct Target {
    url: Url,
    headers: HeaderMap,
    timeouts: Option<Timeouts>,
}

impl NetworkRequest {
    /// A request for this URL without further header fields.
    pub fn new(url: impl IntoUrl) -> Self {
        let target = url.into_url().map_err(|error| error.to_string());
        let target = target.map(|url| Target { url, headers: HeaderMap::new(), timeouts: None });
        Self { target }
    }

    /// Sets a header field.
    #[must_use]
    pub fn header<N, V>(mut self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName>,
        V: TryInto<HeaderValue>,
    {
        if let Ok(target) = &mut self.target {
            match (name.try_into(), value.try_into()) {
                (Ok(name), Ok(mut value)) => {
                    if is_always_secret(&name) {
                        value.set_sensitive(true);
                    }
                    target.headers.insert(name, value);
                }
                (Ok(name), Err(_)) => {
                    self.target = Err(format!("the value of the header `{name}` cannot be sent"));
                }
                (Err(_), _) => self.target = Err("a header's name is not a token".to_owned()),
            }
        }
        self
    }

    /// Sets the time budgets; those of the client by default.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        if let Ok(target) = &mut self.target {
            target.timeouts = Some(timeouts);
        }
        self
    }

    pub(super) fn into_request<'b>(
        self,
        client: &Client,
        method: Method,
        content: Content<'b>,
        feedback: Feedback,
    ) -> Result<Request<'b>> {
        let target =
            self.target.map_err(|message| Error::new(ErrorKind::InvalidRequest, message))?;
        let timeouts = target.timeouts.unwrap_or_else(|| client.timeouts());
        let request = Request::new(method, target.url, target.headers, timeouts);
        Ok(Request { content, feedback: Some(feedback), ..request })
    }
}

impl fmt::Debug for NetworkRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Ok(target) => f
                .debug_struct("NetworkRequest")
                .field("url", &format_args!("{}", origin::redacted(&target.url)))
                .field("headers", &target.headers.keys().collect::<Vec<_>>())
                .finish(),
            Err(message) => write!(f, "NetworkRequest({message})"),
        }
    }
}

impl From<&Self> for NetworkRequest {
    fn from(request: &Self) -> Self {
        request.clone()
    }
}

impl From<&str> for NetworkRequest {
    fn from(url: &str) -> Self {
        Self::new(url)
    }
}

impl From<String> for NetworkRequest {
    fn from(url: String) -> Self {
        Self::new(url)
    }
}

impl From<&String> for NetworkRequest {
    fn from(url: &String) -> Self {
        Self::new(url)
    }
}

impl From<Url> for NetworkRequest {
    fn from(url: Url) -> Self {
        Self::new(url)
    }
}
