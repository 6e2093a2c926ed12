//! Cookies and the jar that threads share; the rules are in `policy/cookies`.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use zeroize::Zeroizing;

/// A cookie as a jar keeps it (RFC 6265).
#[derive(Clone)]
pub struct Cookie {
    pub(crate) name: String,
    pub(crate) value: Zeroizing<String>,
    /// A host if `host_only`, else a host and everything below it.
    pub(crate) domain: String,
    pub(crate) host_only: bool,
    pub(crate) path: String,
    pub(crate) secure: bool,
    pub(crate) http_only: bool,
    pub(crate) same_site: Option<SameSite>,
    /// `None` for the end of the session.
    pub(crate) expires: Option<SystemTime>,
    /// The order in which the cookies of a jar were made.
    pub(crate) number: u64,
}

/// What a cookie says about requests that another site has caused.
///
/// abide does not know which site caused a request, so it sends cookies whatever this says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SameSite {
    /// Only requests of the cookie's own site.
    Strict,
    /// These, and when the user goes there.
    Lax,
    /// All requests.
    None,
}

impl Cookie {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value, which is often as good as a password.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The host that gets the cookie; see [`is_host_only`](Self::is_host_only).
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Whether hosts below the domain do not get it.
    #[must_use]
    pub const fn is_host_only(&self) -> bool {
        self.host_only
    }

    /// The path at which and below which it is sent.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether it is sent over https only.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether its server wants it hidden from scripts.
    #[must_use]
    pub const fn is_http_only(&self) -> bool {
        self.http_only
    }

    /// What it says about requests of other sites.
    #[must_use]
    pub const fn same_site(&self) -> Option<SameSite> {
        self.same_site
    }

    /// When it is forgotten; `None` at the end of the session, which is when the jar is dropped.
    #[must_use]
    pub const fn expires(&self) -> Option<SystemTime> {
        self.expires
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cookie")
            .field("name", &self.name)
            .field("domain", &self.domain)
            .field("host_only", &self.host_only)
            .field("path", &self.path)
            .field("secure", &self.secure)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// Cookies that calls get and send; clones are the same jar, for any number of threads.
///
/// There is none by default: give one to a client
/// ([`ClientBuilder::cookies`](crate::ClientBuilder::cookies)) or to a call
/// ([`RequestBuilder::cookies`](crate::RequestBuilder::cookies)). What servers set, on redirects and
/// refusals too, is kept and sent by the rules of RFC 6265 as its revision has them: domains down to
/// the public suffixes, paths, `Secure` (over https only, loopback included), the prefixes
/// `__Secure-` and `__Host-`, and at most 400 days. At most 180 cookies of a site, 3000 in all and
/// 4096 bytes each are kept; the oldest make room.
///
/// ```no_run
/// use abide::{Client, CookieJar};
/// let jar = CookieJar::load_or_new("cookies.txt")?;
/// let client = Client::builder().cookies(&jar).build()?;
/// client.get("https://example.org/login").send()?;
/// jar.save("cookies.txt")?;
/// # Ok::<(), abide::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct CookieJar(
    /// Held for a look or a change of one hop or of one method.
    Arc<Mutex<Cookies>>,
);

/// What is in a jar.
#[derive(Clone, Default)]
pub(crate) struct Cookies {
    /// By the registrable domain, so that a request looks at its own site's alone.
    pub(crate) by_site: HashMap<String, Vec<Cookie>>,
    /// How many there are in all.
    pub(crate) count: usize,
    /// The number of the next one.
    pub(crate) next: u64,
}

impl CookieJar {
    /// An empty jar.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn of(cookies: Cookies) -> Self {
        Self(Arc::new(Mutex::new(cookies)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Cookies> {
        // A change is a few moves that leave the cookies whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<&Self> for CookieJar {
    fn from(jar: &Self) -> Self {
        jar.clone()
    }
}

impl fmt::Debug for CookieJar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CookieJar({} cookies)", self.lock().count)
    }
}

/// Which jar a call uses.
#[derive(Clone, Default)]
pub(crate) enum CookieChoice {
    #[default]
    OfClient,
    Own(CookieJar),
    None,
}

impl CookieChoice {
    pub(crate) fn jar(self, of_client: Option<&CookieJar>) -> Option<CookieJar> {
        match self {
            Self::OfClient => of_client.cloned(),
            Self::Own(jar) => Some(jar),
            Self::None => None,
        }
    }

    #[cfg(feature = "json")]
    pub(crate) const fn none() -> Self {
        Self::None
    }
}
