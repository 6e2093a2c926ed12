//! What one hop asks: a request of its own.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::Url;

use crate::{
    history::PastHop,
    origin::{self, is_same_origin},
    policy::redirect::{self, Next},
    redirects::RedirectOptions,
};

/// Method, URL and header fields of a hop; its content is the call's.
pub(super) struct Hop<'m> {
    pub(super) method: Method,
    pub(super) url: Url,
    /// What the caller wants on every hop, less what a redirect has taken away.
    headers: HeaderMap,
    /// All that is sent, once something was changed for this hop alone.
    own_headers: Option<HeaderMap>,
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
        Self { method, url, headers, own_headers: None, defaults, options, has_left_origin: false }
    }

    /// The header fields, but for those that the client adds.
    pub(super) fn headers(&self) -> &HeaderMap {
        self.own_headers.as_ref().unwrap_or(&self.headers)
    }

    /// All header fields, to be changed for this hop: the next one begins with the caller's again.
    pub(super) fn headers_mut(&mut self) -> &mut HeaderMap {
        if self.own_headers.is_none() {
            let mut own = self.headers.clone();
            own.extend(self.added().map(|(name, value)| (name.clone(), value.clone())));
            self.own_headers = Some(own);
        }
        self.own_headers.get_or_insert_default()
    }

    /// The client's header fields that this hop sends too.
    pub(super) fn added(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        let defaults = self.own_headers.is_none().then_some(self.defaults);
        let stays = |name, value| self.has_left_origin && self.options.is_secret(name, value);
        defaults
            .into_iter()
            .flatten()
            .filter(move |(name, value)| !self.headers.contains_key(*name) && !stays(name, value))
    }

    pub(super) const fn options(&self) -> &'m RedirectOptions {
        self.options
    }

    /// How many fields are sent at most.
    pub(super) fn header_count_max(&self) -> usize {
        self.headers().len() + self.defaults.len()
    }

    /// Goes where a redirect leads; what is left becomes a part of the history.
    pub(super) fn redirect(
        &mut self,
        next: Next,
        past: impl FnOnce(Method, Url) -> PastHop,
    ) -> PastHop {
        redirect::rewrite(&mut self.headers, &next, self.options);
        self.own_headers = None;
        self.has_left_origin |= next.leaves_origin;
        let method = match next.becomes_get {
            true => std::mem::replace(&mut self.method, Method::GET),
            false => self.method.clone(),
        };
        past(method, std::mem::replace(&mut self.url, next.url))
    }

    /// Goes to another URL than the caller or a redirect said, for reasons of the user's own.
    pub(super) fn go_to(&mut self, url: Url) {
        if !is_same_origin(&self.url, &url) {
            self.options.drop_secrets(&mut self.headers);
            self.has_left_origin = true;
        }
        self.url = url;
    }

    /// Method and URL as errors show them.
    pub(super) fn shown(&self) -> String {
        format!("{} {}", self.method, origin::redacted(&self.url))
    }
}
