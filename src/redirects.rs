//! Whether and how far redirects are followed: what users can say, and what must not travel.

use std::{fmt, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, header::Entry};
use url::Url;

use crate::history::PastHop;

/// Which redirects a call follows: up to ten by default.
///
/// Followed are 301, 302, 303, 307 and 308 with a `Location`, to http and https only. After 301 and
/// 302 a `POST` becomes a `GET` without content, after 303 every method but `HEAD` does; 307 and 308
/// repeat method and content, or fail with kind [`Redirect`](crate::ErrorKind::Redirect) if the
/// content cannot be sent again (RFC 9110 §15.4).
///
/// Whatever the policy says, credentials stay with the origin (scheme, host and port) that they
/// were given for: from the first redirect to another origin on, `Authorization`, `Cookie`,
/// `Proxy-Authorization`, header values marked sensitive
/// ([`RequestBuilder::secret_header`](crate::RequestBuilder::secret_header)), those named by
/// [`ClientBuilder::secret_headers`](crate::ClientBuilder::secret_headers) and user information of
/// the URL are not sent any more, not even if a later hop leads back. User information in a
/// `Location` is never used.
///
/// A redirect from https to http is an error that names the target, unless
/// [`allow_https_to_http`](Self::allow_https_to_http) says otherwise.
///
/// ```
/// use abide::{RedirectAction, RedirectPolicy};
/// let few = RedirectPolicy::up_to(3);
/// let at_home = RedirectPolicy::custom(|redirect| {
///     if redirect.to().host() == redirect.from().host() {
///         RedirectAction::Follow
///     } else {
///         RedirectAction::Deliver
///     }
/// });
/// let client = abide::Client::builder().redirects(at_home).build()?;
/// let reply = client.get("http://localhost:8080/").redirects(few);
/// # Ok::<(), abide::Error>(())
/// ```
#[derive(Clone)]
pub struct RedirectPolicy {
    pub(crate) rule: Rule,
    pub(crate) limit: u32,
    pub(crate) allows_https_to_http: bool,
}

#[derive(Clone)]
pub(crate) enum Rule {
    Follow,
    Deliver,
    Ask(Arc<dyn Fn(&Redirect<'_>) -> RedirectAction + Send + Sync>),
}

/// A redirect that a [`RedirectPolicy::custom`] function is asked about.
#[derive(Debug)]
pub struct Redirect<'r> {
    pub(crate) status: StatusCode,
    pub(crate) from: &'r Url,
    pub(crate) to: &'r Url,
    pub(crate) history: &'r [PastHop],
}

/// What to do about a redirect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedirectAction {
    /// Ask the target.
    Follow,
    /// Make the redirect itself the reply.
    Deliver,
    /// End the call with an error of kind [`Redirect`](crate::ErrorKind::Redirect) that says this.
    Refuse(String),
}

impl RedirectPolicy {
    /// Follows up to `limit` redirects; one more is an error.
    #[must_use]
    pub const fn up_to(limit: u32) -> Self {
        Self { rule: Rule::Follow, limit, allows_https_to_http: false }
    }

    /// Follows none: a redirect is the reply.
    #[must_use]
    pub const fn none() -> Self {
        Self { rule: Rule::Deliver, limit: 0, allows_https_to_http: false }
    }

    /// Asks `decide` about each redirect that could be followed, up to ten of a call.
    ///
    /// It runs on the thread that makes the call, may make calls of its own, and a panic in it
    /// passes through the call to its caller. [`limit`](Self::limit) changes the ten.
    #[must_use]
    pub fn custom(
        decide: impl Fn(&Redirect<'_>) -> RedirectAction + Send + Sync + 'static,
    ) -> Self {
        Self { rule: Rule::Ask(Arc::new(decide)), ..Self::default() }
    }

    /// Sets how many redirects of one call may be followed; one more is an error.
    #[must_use]
    pub const fn limit(mut self, limit: u32) -> Self {
        self.limit = limit;
        self
    }

    /// Follows redirects from https to http too, where anybody on the way can read and change all.
    #[must_use]
    pub const fn allow_https_to_http(mut self, allow: bool) -> Self {
        self.allows_https_to_http = allow;
        self
    }

    /// Whether a function of the user's decides.
    pub(crate) const fn asks(&self) -> bool {
        matches!(self.rule, Rule::Ask(_))
    }

    /// Whether a redirect may lead to another hop.
    pub(crate) const fn may_follow(&self) -> bool {
        !matches!(self.rule, Rule::Deliver)
    }
}

impl Redirect<'_> {
    /// The status: 301, 302, 303, 307 or 308.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The URL that answered with the redirect.
    #[must_use]
    pub const fn from(&self) -> &Url {
        self.from
    }

    /// The URL that would be asked next.
    #[must_use]
    pub const fn to(&self) -> &Url {
        self.to
    }

    /// The hops before the one that answered with the redirect, the first one first.
    #[must_use]
    pub const fn history(&self) -> &[PastHop] {
        self.history
    }
}

impl Default for RedirectPolicy {
    fn default() -> Self {
        Self::up_to(10)
    }
}

impl fmt::Debug for RedirectPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = match self.rule {
            Rule::Follow => "follow",
            Rule::Deliver => "deliver",
            Rule::Ask(_) => "ask",
        };
        f.debug_struct("RedirectPolicy")
            .field("rule", &rule)
            .field("limit", &self.limit)
            .field("allows_https_to_http", &self.allows_https_to_http)
            .finish()
    }
}

/// What a client says about all its hops.
#[derive(Clone, Debug, Default)]
pub(crate) struct RedirectOptions {
    pub(crate) policy: RedirectPolicy,
    pub(crate) https_only: bool,
    /// Header fields that are secret besides those that always are.
    pub(crate) secret_names: Vec<HeaderName>,
}

impl RedirectOptions {
    /// Whether a field must not be sent to an origin that it was not given for.
    pub(crate) fn is_secret(&self, name: &HeaderName, value: &HeaderValue) -> bool {
        value.is_sensitive() || is_always_secret(name) || self.secret_names.contains(name)
    }

    /// Takes out what must not be sent to another origin than it was given for.
    pub(crate) fn drop_secrets(&self, headers: &mut HeaderMap) {
        // A `Host` of the user's own was one for the origin that is left.
        drop_fields(headers, |name, value| *name == header::HOST || self.is_secret(name, value));
    }

    /// Marks the values of the fields that are secret by their names.
    pub(crate) fn mark_secrets(&self, headers: &mut HeaderMap) {
        for name in &self.secret_names {
            // Asking for the entry alone would make room for one.
            if headers.contains_key(name)
                && let Entry::Occupied(mut values) = headers.entry(name)
            {
                values.iter_mut().for_each(|value| value.set_sensitive(true));
            }
        }
    }
}

/// Whether fields of this name are credentials, whoever sets them.
pub(crate) fn is_always_secret(name: &HeaderName) -> bool {
    [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION].contains(name)
}

/// Takes out all fields of the names of those that `drops` says.
pub(crate) fn drop_fields(
    headers: &mut HeaderMap,
    drops: impl Fn(&HeaderName, &HeaderValue) -> bool,
) {
    let dropped: Vec<HeaderName> = headers
        .iter()
        .filter(|(name, value)| drops(name, value))
        .map(|(name, _)| name.clone())
        .collect();
    for name in dropped {
        headers.remove(name);
    }
}
