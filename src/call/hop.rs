//! What one hop asks: a request of its own.

use std::{path::Path, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use url::Url;

use super::{credentials::Applied, template::Template};
use crate::{
    config::Config,
    cookies::CookieJar,
    error::Result,
    history::PastHop,
    origin::{Origin, is_same_origin},
    per_host::PerHost,
    policy::{
        encoding,
        proxy::Rules,
        redirect::{self, Next},
    },
    proxy::Proxy,
    proxy_config::{ProxyChoice, ProxyWish},
    redirects::RedirectOptions,
    request::shown,
    retries::RetryPolicy,
};

/// Method, URL and header fields of a hop; its content is the call's.
pub(super) struct Hop<'m> {
    pub(super) method: Method,
    pub(super) url: Url,
    /// What the caller wants on every hop, less what a redirect has taken away.
    headers: HeaderMap,
    /// All that is sent, once something was changed for this hop alone.
    own_headers: Option<Box<HeaderMap>>,
    /// What the client adds to requests that do not bring their own.
    defaults: &'m HeaderMap,
    options: &'m RedirectOptions,
    /// Hosts that listen at a path.
    unix_sockets: &'m PerHost<Arc<Path>>,
    /// What `Accept-Encoding` says, unless the hop has its own mind about that.
    offer: Option<&'static HeaderValue>,
    /// What the credentials add; put together anew for each hop, and so never taken along.
    pub(super) applied: Option<Box<Applied>>,
    /// In place of the client's.
    own_retries: Option<Box<RetryPolicy>>,
    pub(super) jar: Option<CookieJar>,
    /// The value of `Cookie` with those of the jar, in place of the caller's own.
    pub(super) cookies: Option<HeaderValue>,
    proxy: ProxyWish,
    /// Whether the origin was left that the secrets are meant for; it never turns back.
    has_left_origin: bool,
}

/// What a call wants of all its hops.
pub(super) struct Wishes {
    /// Whether content codings are offered.
    pub(super) decodes: bool,
    pub(super) proxy: ProxyChoice,
    /// In place of the client's.
    pub(super) retries: Option<Box<RetryPolicy>>,
    pub(super) jar: Option<CookieJar>,
}

impl<'m> Hop<'m> {
    /// What the call asks; what it tells a proxy is taken out of what it tells origins, whichever
    /// they will be.
    #[inline]
    pub(super) fn first(
        method: Method,
        url: Url,
        mut headers: HeaderMap,
        config: &'m Config,
        wishes: Wishes,
    ) -> Self {
        let Wishes { decodes, proxy: choice, retries, jar } = wishes;
        let defaults = &config.default_headers;
        let own = headers.remove(header::PROXY_AUTHORIZATION);
        let of_client = || defaults.get(header::PROXY_AUTHORIZATION).cloned();
        let proxy = ProxyWish { choice, authorization: own.or_else(of_client) };
        Self {
            method,
            url,
            headers,
            own_headers: None,
            defaults,
            options: &config.redirects,
            unix_sockets: &config.sockets.unix,
            offer: offer(defaults, decodes),
            applied: None,
            own_retries: retries,
            jar,
            cookies: None,
            proxy,
            has_left_origin: false,
        }
    }

    /// Where the origin of this hop listens, if it is a path of this machine.
    pub(super) fn unix_socket(&self, origin: &Origin) -> Option<&Arc<Path>> {
        self.unix_sockets.get(origin)
    }

    /// The proxy for this hop.
    pub(super) fn proxy(&self, rules: &Rules) -> Result<Option<Proxy>> {
        let proxy = match &self.proxy.choice {
            ProxyChoice::Client => rules.choose(&self.url)?,
            ProxyChoice::Direct => None,
            ProxyChoice::Through(proxy) => Some(proxy.clone()),
        };
        let own = self.headers().get(header::PROXY_AUTHORIZATION);
        Ok(match (proxy, own.or(self.proxy.authorization.as_ref())) {
            (Some(proxy), Some(own)) if proxy.protocol().is_http() => {
                Some(proxy.authorization(own.clone()))
            }
            (proxy, _) => proxy,
        })
    }

    /// The URL as it is sent, which may have secrets in its query.
    pub(super) fn sent_url(&self) -> &Url {
        self.applied.as_ref().and_then(|applied| applied.url.as_ref()).unwrap_or(&self.url)
    }

    /// The header fields, but for those that the client adds.
    pub(super) fn headers(&self) -> &HeaderMap {
        self.own_headers.as_deref().unwrap_or(&self.headers)
    }

    /// All header fields, to be changed for this hop: the next one begins with the caller's again.
    pub(super) fn headers_mut(&mut self) -> &mut HeaderMap {
        if self.own_headers.is_none() {
            let mut own = self.headers.clone();
            // Not step by step, and with room for what is changed.
            own.reserve(self.defaults.len() + 3);
            own.extend(self.added().map(|(name, value)| (name.clone(), value.clone())));
            self.own_headers = Some(Box::new(own));
        }
        self.own_headers.get_or_insert_default()
    }

    /// The client's header fields that this hop sends too.
    pub(super) fn added(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        let is_complete = self.own_headers.is_some();
        let stays = |name, value| self.has_left_origin && self.options.is_secret(name, value);
        let defaults = (!is_complete).then_some(self.defaults).into_iter().flatten();
        let offer = self.offer.filter(|_| !is_complete && encoding::may_offer(&self.headers));
        defaults
            .filter(move |(name, value)| !self.headers.contains_key(*name) && !stays(name, value))
            .chain(offer.map(|offer| (&header::ACCEPT_ENCODING, offer)))
    }

    /// All that it says, but for the host, if that is what every request of the client says.
    pub(super) fn said_by_all<'t>(&self, template: &'t Template) -> Option<&'t HeaderMap> {
        let says_nothing = self.own_headers.is_none() && self.headers.is_empty();
        if says_nothing && !self.has_left_origin {
            template.fields(self.offer.is_some())
        } else {
            None
        }
    }

    /// Whether a field of this name is sent because the caller or the client says it.
    pub(super) fn says(&self, name: &HeaderName) -> bool {
        self.headers().contains_key(name) || self.added().any(|(added, _)| added == name)
    }

    /// Whether the origin was left that the secrets are meant for.
    pub(super) const fn has_left_origin(&self) -> bool {
        self.has_left_origin
    }

    /// Whether content codings are offered, so that they have to be undone.
    pub(super) fn offers_codings(&self) -> bool {
        self.offer.is_some_and(|offer| match &self.own_headers {
            Some(own) => own.get(header::ACCEPT_ENCODING) == Some(offer),
            None => encoding::may_offer(&self.headers),
        })
    }

    pub(super) fn retries<'a>(&'a self, config: &'a Config) -> &'a RetryPolicy {
        self.own_retries.as_deref().unwrap_or(&config.retries.policy)
    }

    /// The fields among which those of these names are: the hop's own, or the client's.
    #[cfg_attr(not(feature = "cache"), expect(dead_code, reason = "only a cache reads directives"))]
    pub(super) fn headers_with(&self, names: &[HeaderName]) -> &HeaderMap {
        let are_own = names.iter().any(|name| self.headers.contains_key(name));
        if are_own || self.own_headers.is_some() { self.headers() } else { self.defaults }
    }

    /// The same hop with other header fields.
    #[cfg_attr(not(feature = "cache"), expect(dead_code, reason = "only a cache adds conditions"))]
    pub(super) fn with_headers(&self, change: impl FnOnce(&mut HeaderMap)) -> Self {
        let mut hop = Self {
            method: self.method.clone(),
            url: self.url.clone(),
            headers: self.headers.clone(),
            own_headers: self.own_headers.clone(),
            applied: self.applied.clone(),
            jar: self.jar.clone(),
            cookies: self.cookies.clone(),
            own_retries: self.own_retries.clone(),
            proxy: self.proxy.clone(),
            ..*self
        };
        change(hop.headers_mut());
        hop
    }

    pub(super) const fn options(&self) -> &'m RedirectOptions {
        self.options
    }

    /// How many fields are sent at most.
    pub(super) fn header_count_max(&self) -> usize {
        self.headers().len() + self.defaults.len() + 1
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
        self.applied = None;
        self.cookies = None;
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
        shown(&self.method, &self.url)
    }
}

/// What is offered to a server, unless the request has its own mind about it.
pub(super) fn offer(defaults: &HeaderMap, decodes: bool) -> Option<&'static HeaderValue> {
    let may_offer = decodes && !defaults.contains_key(header::ACCEPT_ENCODING);
    may_offer.then(encoding::offer).flatten()
}
