//! What one hop asks: a request of its own.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::Url;

use crate::{
    history::PastHop,
    origin,
    policy::redirect::{self, Next},
    redirects::RedirectOptions,
};

/// Method, URL and header fields of a hop; its content is the call's.
pub(super) struct Hop<'m> {
    pub(super) method: Method,
    pub(super) url: Url,
    /// What the caller wants on every hop, less what a redirect has taken away.
    headers: HeaderMap,
    /// What the client adds to requests that do not bring their own.
    defaults: &'m HeaderMap,
    options: &'m RedirectOptions,
    /// Whether the origin was left that the secrets are meant for; it never turns back.
    has_left_origin: bool,
}

impl<'m> Hop<'m> {
    pub(super) const fn first(
        method: Method,
        url: Url,
        headers: HeaderMap,
        defaults: &'m HeaderMap,
        options: &'m RedirectOptions,
    ) -> Self {
        Self { method, url, headers, defaults, options, has_left_origin: false }
    }

    /// The header fields of the caller.
    pub(super) const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The client's header fields that this hop sends too.
    pub(super) fn added(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        let stays = |name, value| self.has_left_origin && self.options.is_secret(name, value);
        self.defaults
            .iter()
            .filter(move |(name, value)| !self.headers.contains_key(*name) && !stays(name, value))
    }

    /// How many fields are sent at most.
    pub(super) fn header_count_max(&self) -> usize {
        self.headers.len() + self.defaults.len()
    }

    /// Goes where a redirect leads; what is left becomes a part of the history.
    pub(super) fn redirect(
        &mut self,
        next: Next,
        past: impl FnOnce(Method, Url) -> PastHop,
    ) -> PastHop {
        redirect::rewrite(&mut self.headers, &next, self.options);
        self.has_left_origin |= next.leaves_origin;
        let method = match next.becomes_get {
            true => std::mem::replace(&mut self.method, Method::GET),
            false => self.method.clone(),
        };
        past(method, std::mem::replace(&mut self.url, next.url))
    }

    /// Method and URL as errors show them.
    pub(super) fn shown(&self) -> String {
        format!("{} {}", self.method, origin::redacted(&self.url))
    }
}
