//! What the user asked for, complete and valid.

use http::{HeaderMap, Method};
use url::Url;

use crate::{
    auth_id::AuthChoice, body::Content, caching::CacheMode, cookies::CookieChoice,
    feedback::Feedback, interceptors::Hook, limits::Timeouts, origin, priority::Priority,
    proxy_config::ProxyChoice, redirects::RedirectPolicy, retries::RetryPolicy,
};

/// One call as the builder made it.
pub(crate) struct Request<'b> {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) content: Content<'b>,
    pub(crate) timeouts: Timeouts,
    pub(crate) priority: Priority,
    pub(crate) feedback: Option<Feedback>,
    /// In place of the client's.
    pub(crate) redirects: Option<RedirectPolicy>,
    /// Behind the client's.
    pub(crate) interceptors: Vec<Hook>,
    /// In place of what the client says.
    pub(crate) decodes: Option<bool>,
    pub(crate) auth: AuthChoice,
    /// In place of the client's.
    pub(crate) retries: Option<Box<RetryPolicy>>,
    /// Whether a whole answer to a range is of no use.
    pub(crate) only_partial: bool,
    pub(crate) cache_mode: Option<CacheMode>,
    pub(crate) cookies: CookieChoice,
    pub(crate) proxy: ProxyChoice,
}

impl Request<'_> {
    /// A request without content that says nothing more.
    pub(crate) fn new(method: Method, url: Url, headers: HeaderMap, timeouts: Timeouts) -> Self {
        Self {
            method,
            url,
            headers,
            content: Content::Empty,
            timeouts,
            priority: Priority::default(),
            feedback: None,
            redirects: None,
            interceptors: Vec::new(),
            decodes: None,
            auth: AuthChoice::default(),
            retries: None,
            only_partial: false,
            cache_mode: None,
            cookies: CookieChoice::default(),
            proxy: ProxyChoice::default(),
        }
    }

    /// The same request with other content, which may borrow from somewhere else.
    pub(crate) fn with_content<'c>(self, content: Content<'c>) -> Request<'c> {
        let Self {
            method,
            url,
            headers,
            content: _,
            timeouts,
            priority,
            feedback,
            redirects,
            interceptors,
            decodes,
            auth,
            retries,
            only_partial,
            cache_mode,
            cookies,
            proxy,
        } = self;
        Request {
            method,
            url,
            headers,
            content,
            timeouts,
            priority,
            feedback,
            redirects,
            interceptors,
            decodes,
            auth,
            retries,
            only_partial,
            cache_mode,
            cookies,
            proxy,
        }
    }

    /// Method and URL as errors show them.
    pub(crate) fn shown(&self) -> String {
        shown(&self.method, &self.url)
    }
}

/// Method and URL as errors show them.
pub(crate) fn shown(method: &Method, url: &Url) -> String {
    format!("{method} {}", origin::redacted(url))
}
